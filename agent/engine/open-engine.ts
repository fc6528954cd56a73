import type { Approval } from '../../schemas/changes.ts'
import type { StepKind } from '../../schemas/plan.ts'
import type { Driver } from '../drivers/driver.ts'
import type { SessionEvent } from '../drivers/sessions.ts'
import type { NewEvent, RunEnd, StepSent } from '../log/event-types.ts'
import { findStep } from '../state/ledger-event-of.ts'
import { machineOfNode } from '../state/machine-of-node.ts'
import type { RunState, State } from '../state/state.ts'
import { takeTurns } from '../take-turns.ts'
import { parseAttempt } from './attempt-id.ts'
import { carryOut } from './carry-out.ts'
import type { Assignment } from './carry-out.ts'
import type { CompiledWork, Engine, EngineOptions } from './engine.ts'
import { endEvents, isLeft, reference } from './end-events.ts'
import { EngineError } from './engine-error.ts'
import { keepWork, loadWork } from './keep-work.ts'
import type { KeptWork } from './keep-work.ts'
import { noDriver, refuseDenied, refuseExtension, refuseUnsupported, unsupported } from './refuse-work.ts'
import type { WorkRefusal } from './refuse-work.ts'
import { schedule } from './schedule.ts'
import type { Schedule } from './schedule.ts'
import { staleApprovals } from './stale-approvals.ts'
import { continued, firstEvents, mayGoOn, movesLedger, ownsAttempt, runWork } from './work-questions.ts'
import { prepareWork } from './work.ts'
import type { Work, WorkItem } from './work.ts'

/** Opens the engine. Closing it leaves what was sent to the next life; it does not stop nodes. */
export function openEngine(options: EngineOptions): Engine {
  return new RunLoop(options)
}

class RunLoop implements Engine {
  readonly broken: Promise<unknown>
  readonly #options: EngineOptions
  readonly #drivers: ReadonlyMap<StepKind, Driver>
  readonly #subscriptions: readonly Disposable[]
  /** Steps that a driver has in hand. */
  readonly #active = new Map<string, { readonly stop: AbortController; readonly end: Promise<void> }>()
  readonly #askAt = new Map<string, number>()
  /** Steps about whose machine something new came while a driver had them in hand, and perhaps had looked already. */
  readonly #asked = new Set<string>()
  readonly #break: (error: unknown) => void
  #isBroken = false
  #current: KeptWork | undefined
  #hurried = false
  #closed = false
  #timer: Disposable | undefined
  /** Calls and turns of the loop, one after the other. */
  readonly #inTurn = takeTurns()
  #turnQueued = false
  /** The last event of this life that moved the ledger. */
  #stepped = 0
  readonly #idle = new Set<() => void>()

  constructor(options: EngineOptions) {
    this.#options = options
    this.#drivers = new Map(options.drivers.map((driver) => [driver.kind, driver]))
    const { promise, resolve } = Promise.withResolvers<unknown>()
    this.broken = promise
    this.#break = (error) => {
      this.#isBroken = true
      resolve(error)
    }
    this.#subscriptions = [
      options.sessions.subscribe((event) => this.#heard(event)),
      options.store.subscribe((events) => {
        // A machine that enrols, is admitted or looked at its disks: drivers decide by what the log knows of it.
        for (const { type, data } of events) if (type.startsWith('machine.') && 'machine' in data) this.#poke(data.machine as string)
        this.#stepped = events.findLast(movesLedger)?.seq ?? this.#stepped
      }),
    ]
  }

  get state(): State {
    return this.#options.state.current
  }

  get work(): CompiledWork | undefined {
    return this.#current?.work
  }

  get schedule(): Schedule | undefined {
    return this.#current === undefined ? undefined : this.#decide(this.#current.work)
  }

  start(compiled: CompiledWork, { reason, only, asOf = Infinity }: { readonly reason: string; readonly only?: readonly string[]; readonly asOf?: number }): Promise<number | undefined> {
    return this.#exclusive(async () => {
      if (this.#running()) throw new EngineError('RUN_ACTIVE', `run ${this.state.run?.run} goes on`, { run: this.state.run?.run })
      if (this.#stepped > asOf) throw new EngineError('WORK_STALE', `steps have ended since ${compiled.commit} was compiled`)
      await this.#refuse(refuseDenied(compiled))
      const work = prepareWork(compiled, only ?? null)
      const first = firstEvents(this.state, compiled)
      // What a run of another commit waits for is not asked for any more: this one, of nothing, takes its place.
      const replaces = compiled.changes.selection === undefined && mayGoOn(this.state.run)
      if (work.items.size + compiled.changes.renamed.length === 0 && !replaces) return this.#append(first)
      await this.#refuse(await refuseUnsupported(work, { drivers: this.#drivers, examine: this.#options.examine }))
      const run = (this.state.run?.run ?? 0) + 1
      const current = await keepWork(work, this.#options.documents)
      this.#askAt.clear()
      this.#hurried = false
      await this.#append([...first, { type: 'run.started', data: { run, ...runWork(current.work, current, only ?? null), steps: work.items.size, reason } }])
      this.#current = current
      this.#wake()
      return run
    })
  }

  extend(compiled: CompiledWork, { reason }: { readonly reason: string }): Promise<void> {
    return this.#exclusive(async () => {
      const { run } = this.state
      if (run === null || run.cancelled !== null) throw new EngineError('NO_RUN', 'there is no run to extend')
      await this.#refuse(refuseExtension(compiled, this.#options.ledger.current))
      const work = prepareWork(compiled, run.work.only, run.work.rollouts)
      const idle = run.ended !== null && work.order.every(({ id, step }) => !isLeft(run.steps.get(id), step))
      if (idle) return
      await this.#refuse(await refuseUnsupported(work, { drivers: this.#drivers, examine: this.#options.examine }))
      const current = await keepWork(work, this.#options.documents)
      this.#askAt.clear()
      await this.#append([...staleApprovals(this.state, compiled), { type: 'run.extended', data: { run: run.run, ...runWork(current.work, current, run.work.only), steps: work.items.size, reason } }])
      this.#current = current
      this.#wake()
    })
  }

  resume(): Promise<void> {
    return this.#exclusive(async () => {
      const { run } = this.state
      if (run === null) return
      this.#current = await loadWork(run.work, run.work.rollouts, this.#options.documents)
      for (const { status, sent } of run.steps.values()) if (status === 'running' && sent !== null && !this.#active.has(sent.step)) await this.#settle(sent)
      this.#wake()
    })
  }

  approve(approval: Approval, { by }: { readonly by: string }): Promise<void> {
    return this.#exclusive(async () => {
      const node = this.#current?.work.items.get(approval.step)?.step.node ?? null
      const events: NewEvent[] = [{ type: 'approval.given', data: { node, approval, by } }]
      if (this.#isOpen(approval.step)) events.push(...continued(this.state.run, `${by} approved ${approval.step}`))
      await this.#append(events)
      this.#askAt.clear()
      this.#wake()
    })
  }

  resumeRollout(id: string, { by }: { readonly by: string }): Promise<void> {
    return this.#exclusive(async () => {
      const { run } = this.state
      const batch = this.schedule?.rollouts.find((one) => one.id === id)?.pauseAfter ?? null
      if (run === null || batch === null) throw new EngineError('NO_PAUSE', `${id} does not pause in this run any more`)
      const events = continued(this.state.run, `${by} approved ${id}`)
      await this.#append([{ type: 'rollout.resumed', data: { run: run.run, rollout: id, batch, by } }, ...events])
      if (events.length > 0) this.#askAt.clear()
      this.#wake()
    })
  }

  freeze({ by, reason }: { readonly by: string; readonly reason: string }): Promise<void> {
    return this.#exclusive(() => this.#append([{ type: 'freeze.on', data: { by, reason } }]))
  }

  thaw({ by }: { readonly by: string }): Promise<void> {
    return this.#exclusive(async () => {
      await this.#append([{ type: 'freeze.off', data: { by } }])
      this.#wake()
    })
  }

  cancel({ by }: { readonly by: string }): Promise<void> {
    return this.#exclusive(async () => {
      const { run } = this.state
      if (run === null || run.ended !== null) throw new EngineError('NO_RUN', 'no run goes on')
      if (run.cancelled === null) await this.#append([{ type: 'run.cancelled', data: { run: run.run, by } }])
      else for (const { stop } of this.#active.values()) stop.abort('CANCELLED')
      this.#wake()
    })
  }

  hurry(): void {
    this.#hurried = true
    this.#wake()
  }

  async idle({ signal }: { readonly signal: AbortSignal }): Promise<void> {
    signal.throwIfAborted()
    if (!this.#running()) return
    const { promise, resolve, reject } = Promise.withResolvers<void>()
    const abort = (): void => reject(signal.reason as Error)
    signal.addEventListener('abort', abort)
    this.#idle.add(resolve)
    try {
      await promise
    } finally {
      signal.removeEventListener('abort', abort)
      this.#idle.delete(resolve)
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#closed = true
    this.#timer?.[Symbol.dispose]()
    for (const subscription of this.#subscriptions) subscription[Symbol.dispose]()
    const ends = [...this.#active.values()]
    for (const { stop } of ends) stop.abort('CLOSED')
    await Promise.all(ends.map(({ end }) => end))
    await this.#inTurn(() => Promise.resolve())
  }

  /** One turn: see what may start, start it, and end the run when nothing is left. */
  async #turn(): Promise<void> {
    const { run } = this.state
    if (run === null || run.ended !== null || this.#current === undefined || this.#closed) return
    const { work } = this.#current
    const now = this.#decide(work)
    if (now.skip.size > 0) {
      await this.#append([...now.skip].map(([id, cause]): NewEvent => ({ type: 'step.skipped', data: { ...reference(run.run, item(work, id)), cause } })))
    }
    for (const id of now.start) this.#launch(this.#assign(run.run, item(work, id), this.#current, undefined))
    if (now.done !== null) await this.#end(now, now.done)
    else if (now.skip.size > 0) this.#wake()
    this.#timer?.[Symbol.dispose]()
    this.#timer = now.wakeAt === undefined ? undefined : this.#options.timers.after(Math.max(0, now.wakeAt - this.#options.timers.now()), () => this.#wake())
  }

  #decide(work: Work): Schedule {
    const { state, ledger, limits, timers, patienceMs } = this.#options
    const { run, frozen, approvals } = state.current
    return schedule({
      work,
      steps: run?.steps ?? new Map(),
      active: new Set(this.#active.keys()),
      bootstrapped: new Set(Object.entries(ledger.current.roles ?? {}).flatMap(([id, role]) => (role.bootstrapped ? [id] : []))),
      approved: new Set(approvals.keys()),
      resumed: run?.resumed ?? {},
      frozen: frozen !== null,
      cancelled: run !== null && run.cancelled !== null,
      limits: limits(work.plan),
      now: timers.now(),
      askAt: this.#askAt,
      patienceMs: this.#hurried ? 0 : patienceMs,
    })
  }

  async #end({ rollouts }: Schedule, how: RunEnd): Promise<void> {
    const { work } = this.#current as KeptWork
    await this.#append(endEvents(this.state.run as RunState, { work, how, rollouts }))
    this.#hurried = false
    for (const resolve of this.#idle) resolve()
  }

  #launch(assignment: Assignment): void {
    const { id } = assignment.item
    const stop = new AbortController()
    const work = async (): Promise<void> => {
      try {
        const askAfterMs = await carryOut(assignment, this.#options, stop)
        if (askAfterMs > 0 && !this.#asked.has(id)) this.#askAt.set(id, this.#options.timers.now() + askAfterMs)
        else this.#askAt.delete(id)
      } catch (error) {
        if (!this.#closed) this.#break(error)
      } finally {
        this.#asked.delete(id)
        this.#active.delete(id)
        this.#wake()
      }
    }
    const { promise, resolve } = Promise.withResolvers<void>()
    this.#active.set(id, { stop, end: promise })
    void work().then(resolve)
  }

  /** Takes up an attempt that an earlier life sent, under the plan that it was sent under. */
  async #settle(sent: StepSent): Promise<void> {
    const current = await loadWork({ ...sent, only: null }, this.state.run?.work.rollouts ?? [], this.#options.documents)
    const { work } = current
    const step = findStep(sent.step, work)
    const found = work.items.get(sent.step) ?? (step === undefined ? undefined : { id: step.id, step, change: undefined, needs: [], excluded: [] })
    if (found === undefined) throw new EngineError('KIND_UNSUPPORTED', `${sent.step} was sent, and its plan does not have it`, { step: sent.step })
    this.#launch(this.#assign(sent.run, found, current, sent))
  }

  #assign(run: number, found: WorkItem, current: KeptWork, sent: StepSent | undefined): Assignment {
    const driver = this.#drivers.get(found.step.kind)
    if (driver === undefined) throw unsupported(found.step, noDriver(found.step.kind))
    return { run, item: found, work: current.work, plan: current.plan, changes: current.changes, driver, sent }
  }

  async #refuse(refusal: WorkRefusal | undefined): Promise<void> {
    if (refusal === undefined) return
    await this.#append([refusal.event])
    throw refusal.error
  }

  #heard(event: SessionEvent): void {
    switch (event.type) {
      case 'output':
        return ownsAttempt(event, this.state, this.#current?.work) ? this.#options.store.output({ attempt: event.attempt, stream: event.stream, text: event.text }) : undefined
      case 'accepted': {
        const { step: id } = parseAttempt(event.attempt) ?? {}
        const step = id === undefined ? undefined : this.state.run?.steps.get(id)
        if (id === undefined || this.state.run === null || step?.sent?.attempt !== event.attempt || step.sent.machine !== event.machine || step.accepted) return
        return void this.#append([{ type: 'step.accepted', data: { run: this.state.run.run, step: id, node: step.node, attempt: event.attempt } }]).catch(() => undefined)
      }
      case 'result':
        return this.#acknowledgeEnded(event.machine, event.result.attempt)
      case 'connected':
        for (const entry of event.session.journal.values()) if (entry.state === 'finished') this.#acknowledgeEnded(event.session.machine, entry.attempt)
        return this.#poke(event.session.machine)
      case 'disks':
        // What a person is shown and what the ledger says has to be what is asked about. The event pokes.
        return void this.#append([{ type: 'machine.disks', data: { machine: event.machine, disks: event.disks } }]).catch(() => undefined)
      case 'disconnected':
        return
    }
  }

  /** A node repeats a result until it is told that it is durable: also one whose acknowledgement got lost. */
  #acknowledgeEnded(machine: string, attempt: string): void {
    const { step, n } = parseAttempt(attempt) ?? { step: '', n: Infinity }
    if (n > (this.state.tries.get(step) ?? 0)) return
    if (this.#active.has(step) || this.state.run?.steps.get(step)?.sent?.attempt === attempt) return
    this.#options.sessions.session(machine)?.acknowledge(attempt)
  }

  /** Something is new about a machine: asks the steps that wait on its node, and continues a run that gave up on it. */
  #poke(machine: string): void {
    const { run } = this.state
    const work = this.#current?.work
    if (run === null || work === undefined) return
    for (const id of this.#active.keys()) if (machineOfNode(work.items.get(id)?.step.node ?? '', work) === machine) this.#asked.add(id)
    const waiting = [...run.steps].filter(([id, step]) => {
      if (step.status !== 'waiting' || work.items.get(id)?.step.digest !== step.digest) return false
      return step.node === null || machineOfNode(step.node, work) === machine
    })
    if (waiting.length === 0) return
    for (const [id] of waiting) this.#askAt.delete(id)
    const machines = waiting.filter(([, step]) => step.on === 'machine')
    if (run.ended !== null && run.cancelled === null && machines.length > 0) {
      void this.#exclusive(async () => {
        if (this.state.run?.run !== run.run || this.state.run.ended === null) return
        await this.#append([{ type: 'run.continued', data: { run: run.run, reason: `machine ${machine} is here` } }])
      }).catch(() => undefined)
    }
    this.#wake()
  }

  #running(): boolean {
    const { run } = this.state
    return run !== null && run.ended === null
  }

  #isOpen(id: string): boolean {
    const found = this.#current?.work.items.get(id)
    return found !== undefined && isLeft(this.state.run?.steps.get(id), found.step)
  }

  #wake(): void {
    if (this.#turnQueued || this.#closed || this.#isBroken) return
    this.#turnQueued = true
    void this.#exclusive(() => {
      this.#turnQueued = false
      return this.#turn()
    }).catch((error: unknown) => this.#break(error))
  }

  /** Calls and turns take their turns. */
  #exclusive<T>(work: () => Promise<T>): Promise<T> {
    if (this.#closed) return Promise.reject(new EngineError('ENGINE_CLOSED', 'the engine is closed'))
    return this.#inTurn(work)
  }

  /** A log that cannot be written ends the engine. */
  async #append(events: readonly NewEvent[]): Promise<undefined> {
    try {
      if (events.length > 0) await this.#options.store.append(events, { epoch: this.#options.epoch })
    } catch (error) {
      this.#break(error)
      throw error
    }
  }
}

function item(work: Work, id: string): WorkItem {
  return work.items.get(id) as WorkItem
}
