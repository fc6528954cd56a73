import type { JournalEntry, NodeSession, NodeSessions, SessionEvent } from '../../../agent/drivers/sessions.ts'
import { digestBytes } from '../../../schemas/canonical.ts'
import type { DiskState } from '../../../schemas/inventory.ts'
import type { EntriesTask, RoleTask, Task, TaskResult, UpgradeTask } from '../../../schemas/protocol.ts'
import type { Json } from '../../../schemas/shape.ts'

/** How a role ends on the fake rack; undefined: it hangs. */
export type RolePlay = (task: RoleTask, run: number) => Partial<TaskResult> | undefined

interface Machine {
  readonly id: string
  environment: 'discovery' | 'installed'
  boot: number
  incarnation: string | null
  node: string | null
  disks: DiskState[]
  /** Of the discovery image in memory, of an installed system on its disk. */
  journal: Map<string, JournalEntry>
  /** What is on the disk, whole: what the machine boots from then on. */
  system: { node: string; incarnation: string } | null
  on: boolean
}

/**
 * Machines that live on while agents come and go: they journal, they repeat what was not acknowledged, they boot from
 * disk once there is a system. Everything that a real one would do to the world is counted in `effects`.
 */
export class FakeRack {
  readonly machines = new Map<string, Machine>()
  /** `install m1`, `role d/server@n1`: once for each time that it was really done. */
  readonly effects: string[] = []
  readonly tasks: Task[] = []
  /** Reboots, cancels and acknowledgements, as they were asked for. */
  readonly asked: string[] = []
  play: RolePlay = () => ({})
  playOperation: (task: EntriesTask | UpgradeTask, run: number) => Partial<TaskResult> | undefined = () => ({})
  duringReboot: (machine: string) => void = () => undefined
  /** Called when an install is in the middle of writing; what it returns ends it there: the power goes, or it fails. */
  duringInstall: (machine: string) => 'power' | 'hang' | 'fail' | undefined = () => undefined
  /** Whether a machine is sent to the network at its next boot although there is a system on its disk. */
  toNetwork: (machine: string) => boolean = () => false
  #life: Life | undefined

  constructor(ids: readonly string[], options: { readonly joined?: boolean; readonly disk?: Partial<DiskState> } = {}) {
    for (const id of ids) {
      const disk: DiskState = { id: `serial:${id}-disk`, serial: `${id}-disk`, model: 'fake', bytes: 1000, blank: true, signature: 'blank', summary: 'blank', stamp: null, ...options.disk }
      const system = options.joined === true ? { node: '', incarnation: '' } : null
      this.machines.set(id, { id, environment: system === null ? 'discovery' : 'installed', boot: 1, incarnation: null, node: null, disks: [disk], journal: new Map(), system, on: true })
    }
  }

  /** The sessions of one life of the agent; those of the life before hear and do nothing any more. */
  connect(): NodeSessions & { connectAll(): void } {
    this.#life?.end()
    const life = new Life(this)
    this.#life = life
    return life
  }

  /** The power goes and comes back: what runs is lost, the discovery image forgets its journal. */
  powerCycle(id: string): void {
    const machine = this.machine(id)
    this.#life?.drop(id, 'power')
    machine.boot++
    for (const [attempt, entry] of machine.journal) if (entry.state === 'running') machine.journal.set(attempt, { attempt, state: 'started', result: null })
    machine.environment = machine.system === null || this.toNetwork(id) ? 'discovery' : 'installed'
    if (machine.environment === 'discovery') machine.journal = new Map()
    if (machine.environment === 'discovery') [machine.node, machine.incarnation] = [null, null]
    else if (machine.system !== null) {
      machine.node = machine.system.node
      machine.incarnation = machine.system.incarnation === '' ? null : machine.system.incarnation
    }
    this.#life?.hello(machine)
  }

  /** Ends what hangs on a machine. */
  finish(id: string, result: Partial<TaskResult>): void {
    const { journal } = this.machine(id)
    const attempt = [...journal.values()].find((entry) => entry.state === 'running')?.attempt
    if (attempt === undefined) throw new Error(`nothing runs on ${id}`)
    const whole: TaskResult = { attempt, outcome: 'succeeded', code: null, message: null, provides: {}, seconds: 1, ...result }
    journal.set(attempt, { attempt, state: 'finished', result: whole })
    this.#life?.emit({ type: 'result', machine: id, result: whole })
  }

  machine(id: string): Machine {
    const machine = this.machines.get(id)
    if (machine === undefined) throw new Error(`no machine ${id}`)
    return machine
  }

  carryOut(machine: Machine, task: Task): void {
    this.tasks.push(task)
    const known = machine.journal.get(task.attempt)
    if (known !== undefined) {
      if (known.state === 'finished') this.#life?.emit({ type: 'result', machine: machine.id, result: known.result })
      return
    }
    const { boot } = machine
    machine.journal.set(task.attempt, { attempt: task.attempt, state: 'running', result: null })
    this.#life?.emit({ type: 'accepted', machine: machine.id, attempt: task.attempt })
    const finish = (result: Partial<TaskResult>): void => {
      if (machine.boot !== boot) return
      const whole: TaskResult = { attempt: task.attempt, outcome: 'succeeded', code: null, message: null, provides: {}, seconds: 1, ...result }
      machine.journal.set(task.attempt, { attempt: task.attempt, state: 'finished', result: whole })
      this.#life?.emit({ type: 'result', machine: machine.id, result: whole })
    }
    setImmediate(() => {
      if (machine.boot !== boot) return
      if (task.kind === 'role') {
        this.effects.push(`${task.attempt.endsWith('/check') ? 'check' : 'role'} ${task.step}`)
        const played = this.play(task, this.effects.filter((effect) => effect === `role ${task.step}`).length)
        if (played !== undefined) finish(played)
      } else if (task.kind === 'inspect') {
        this.#life?.emit({ type: 'disks', machine: machine.id, disks: machine.disks })
        finish({})
      } else if (task.kind === 'entries' || task.kind === 'upgrade') {
        this.effects.push(...(task.kind === 'upgrade' ? [`upgrade ${task.step}`] : task.entries.map(({ step, entry }) => `${entry} ${step}`)))
        const played = this.playOperation(task, this.tasks.filter(({ step }) => step === task.step).length)
        if (played !== undefined) finish(played)
      } else if (task.kind === 'dry-run') {
        finish({ foreseen: [] })
      } else if (task.kind === 'reboot') {
        this.effects.push(`reboot ${machine.id}`)
        this.duringReboot(machine.id)
        setImmediate(() => {
          if (machine.boot === boot) this.powerCycle(machine.id)
        })
      } else {
        const changed = task.expect.some(({ id, signature, orStamp }) => {
          const disk = machine.disks.find((one) => one.id === id)
          return disk === undefined || (digestBytes(disk.signature) !== signature && (orStamp === null || disk.stamp !== orStamp))
        })
        if (changed) return finish({ outcome: 'failed', code: 'DISK_CHANGED', message: 'it holds something else' })
        this.effects.push(`${task.kind} ${machine.id}`)
        const written = new Set(task.expect.map(({ id }) => id))
        const write = (disk: Partial<DiskState>): DiskState[] => machine.disks.map((one) => (written.has(one.id) ? { ...one, ...disk } : one))
        machine.disks = write({ blank: false, signature: `half ${task.attempt}`, summary: 'half', stamp: task.stamp })
        if (task.kind === 'erase') machine.system = null
        const cut = this.duringInstall(machine.id)
        if (cut === 'power') return this.powerCycle(machine.id)
        if (cut === 'hang') return
        if (cut === 'fail' && task.kind === 'erase') this.#life?.emit({ type: 'disks', machine: machine.id, disks: machine.disks })
        if (cut === 'fail') return finish({ outcome: 'failed', code: 'PROGRAM_FAILED', message: 'mkfs failed' })
        if (task.kind === 'erase') {
          machine.disks = write({ signature: 'blank', summary: 'blank', blank: true })
          return finish({})
        }
        machine.disks = write({ signature: `system ${task.attempt}`, summary: 'gpt: ext4 /' })
        machine.system = { node: task.enrolment.node, incarnation: task.enrolment.incarnation }
        finish({})
      }
    })
  }

  acknowledge(machine: Machine, attempt: string): void {
    this.asked.push(`acknowledge ${attempt}`)
    const entry = machine.journal.get(attempt)
    machine.journal.delete(attempt)
    // Only a whole system loses the stamp.
    if (entry?.state !== 'finished' || entry.result.outcome !== 'succeeded') return
    machine.disks = machine.disks.map((disk) => ({ ...disk, stamp: null }))
    // Whoever erased looks at what is left, and says so.
    if (attempt.includes('/erase@')) this.#life?.emit({ type: 'disks', machine: machine.id, disks: machine.disks })
  }
}

/** The node server as one life of the agent has it. */
class Life implements NodeSessions {
  readonly #rack: FakeRack
  readonly #sessions = new Map<string, NodeSession>()
  readonly #listeners = new Set<(event: SessionEvent) => void>()
  readonly #looked = new Map<string, () => void>()
  #alive = true

  constructor(rack: FakeRack) {
    this.#rack = rack
  }

  session(machine: string): NodeSession | undefined {
    return this.#sessions.get(machine)
  }

  subscribe(listener: (event: SessionEvent) => void): Disposable {
    this.#listeners.add(listener)
    return { [Symbol.dispose]: () => void this.#listeners.delete(listener) }
  }

  connectAll(): void {
    for (const machine of this.#rack.machines.values()) if (machine.on) this.hello(machine)
  }

  hello(machine: Machine): void {
    if (!this.#alive || !machine.on) return
    const act = (what: () => void): void => {
      if (this.#alive && this.#sessions.get(machine.id) === session) what()
    }
    // What it said at hello, until it says something else.
    let seen: readonly DiskState[] = machine.disks
    this.#looked.set(machine.id, () => (seen = machine.disks))
    const session: NodeSession = {
      machine: machine.id,
      environment: machine.environment,
      node: machine.node,
      incarnation: machine.incarnation,
      boot: `boot-${machine.boot}`,
      get disks() {
        return seen
      },
      get journal() {
        return machine.journal
      },
      send: (task) => act(() => this.#rack.carryOut(machine, task)),
      cancel: (attempt) => act(() => {
        this.#rack.asked.push(`cancel ${attempt}`)
        if (machine.journal.get(attempt)?.state !== 'running') return
        const result: TaskResult = { attempt, outcome: 'cancelled', code: null, message: null, provides: {}, seconds: 0 }
        machine.journal.set(attempt, { attempt, state: 'finished', result })
        this.emit({ type: 'result', machine: machine.id, result })
      }),
      reboot: (reason) => act(() => {
        this.#rack.asked.push(`reboot ${machine.id}: ${reason}`)
        setImmediate(() => this.#rack.powerCycle(machine.id))
      }),
      acknowledge: (attempt) => act(() => this.#rack.acknowledge(machine, attempt)),
    }
    this.#sessions.set(machine.id, session)
    this.emit({ type: 'connected', session })
  }

  drop(id: string, reason: string): void {
    const session = this.#sessions.get(id)
    if (session === undefined) return
    this.#sessions.delete(id)
    this.emit({ type: 'disconnected', machine: id, boot: session.boot, reason })
  }

  emit(event: SessionEvent): void {
    if (!this.#alive) return
    if (event.type === 'disks') this.#looked.get(event.machine)?.()
    for (const listener of this.#listeners) listener(event)
  }

  end(): void {
    this.#alive = false
  }
}

/** What a role task was given under `wants`. */
export function wantsOf(task: RoleTask): Readonly<Record<string, Json>> {
  return (task.document['wants'] ?? {}) as Readonly<Record<string, Json>>
}
