import { cp, mkdtemp, open, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { bundleNodeAgent } from '../../../agent/image/bundle-node-agent.ts'
import { STAMP_AREA } from '../../../agent/node/disks/stamp.ts'
import { zeroDisk } from '../../../agent/node/imaging/zero-disk.ts'
import { change } from '../../../compiler/change/change.ts'
import type { DiskState } from '../../../schemas/inventory.ts'
import type { Plan } from '../../../schemas/plan.ts'
import type { EraseTask, Task } from '../../../schemas/protocol.ts'
import type { Json } from '../../../schemas/shape.ts'
import { openLife } from '../../agent/engine/agent-life.ts'
import type { AgentLife } from '../../agent/engine/agent-life.ts'
import { operationOf, planOf, step } from '../../agent/engine/build-work.ts'
import { machineSessions } from '../../agent/engine/machine-sessions.ts'
import { openLoopback, startAgent } from '../../agent/nodes/loopback.ts'
import type { AgentProcess, Loopback } from '../../agent/nodes/loopback.ts'
import { needDebianPackages } from '../debian-packages.ts'
import { DISK_PACKAGES, makeLoopDisk, run } from './loop-disk.ts'
import type { LoopDisk } from './loop-disk.ts'

/** The engine with its real drivers, and a real node agent over TLS that erases disks of its own. */
const MIB = 1024 * 1024
const STEP = 'operation/gone/erase@n1'
const INSTALL = { method: 'image', machine: 'm1', hostname: 'n1', domain: 'example.com', os: 'debian-12', architecture: 'amd64', firmware: 'bios', rootfs: 'rootfs-debian-12', layout: [], attachments: [], generation: 0 }
let folder = ''
let bundle = ''

beforeAll(async () => {
  await needDebianPackages(DISK_PACKAGES)
  folder = await mkdtemp(join(tmpdir(), 'crowbar-erase-'))
  bundle = join(folder, 'node-agent.mjs')
  await writeFile(bundle, await bundleNodeAgent())
})
afterAll(async () => {
  await rm(folder, { recursive: true, force: true })
})

interface Scene {
  readonly loopback: Loopback
  readonly agent: AgentProcess
  /** To be erased: a partition table with a filesystem in it, and data to its end; and a second one of random bytes. */
  readonly system: LoopDisk
  readonly second: LoopDisk
  readonly sent: Task[]
  readonly data: string
  /** A life of the admin agent on its data folder; `away`: the machine is not connected. */
  readonly open: (options?: { readonly away?: boolean; readonly data?: string }) => Promise<AgentLife>
  /** With the operation; an installation of the node stands in both, and nothing of it is done. */
  readonly plan: Plan
  /** The same site without the operation. */
  readonly reverted: Plan
}

async function over(life: AgentLife): Promise<void> {
  await life.engine.idle({ signal: AbortSignal.timeout(300_000) })
  await life.ledger.upToDate()
}

async function begin(life: AgentLife, plan: Plan): Promise<void> {
  await life.ledger.upToDate()
  await life.engine.start({ commit: 'c', plan, changes: change(life.ledger.current, plan) }, { reason: 'apply' })
  await over(life)
}

async function approve(life: AgentLife): Promise<void> {
  const approval = life.engine.state.run?.steps.get(STEP)?.approval
  if (approval === null || approval === undefined) throw new Error(`nothing waits: ${JSON.stringify([...(life.engine.state.run?.steps ?? [])])}`)
  await life.engine.approve(approval, { by: 'a person' })
}

const stateOf = (life: AgentLife): unknown => life.engine.state.run?.steps.get(STEP)?.status
const seen = ({ loopback }: Scene, serial: string): DiskState | undefined => loopback.server.sessions.session('m1')?.disks.find((disk) => disk.serial === serial)
/** SHA-256 of so many zeros. */
const zeros = (bytes: number): string => run('sh', '-c', 'head -c "$1" /dev/zero | sha256sum', 'sh', String(bytes)).slice(0, 64)

async function looked(scene: Scene, serial: string, as: (disk: DiskState) => boolean): Promise<void> {
  for (let tries = 0; tries < 600; tries++) {
    const disk = seen(scene, serial)
    if (disk !== undefined && as(disk)) return
    await sleep(100)
  }
  throw new Error(`it was never seen so: ${JSON.stringify(seen(scene, serial))}`)
}

interface Row {
  readonly what: string
  /** What becomes of the disks that are named. */
  readonly disks: 'zeros' | 'whatever'
  readonly act: (scene: Scene) => Promise<void>
}

const ROWS: readonly Row[] = [
  {
    what: 'disks that were approved are zeros from the first byte to the last, and reported as blank',
    disks: 'zeros',
    async act(scene) {
      await using life = await scene.open()
      await begin(life, scene.plan)
      expect([stateOf(life), scene.sent]).toEqual(['waiting', []])
      await approve(life)
      await over(life)
      expect(life.engine.state.run?.ended?.state).toBe('complete')
      const said = (await life.store.outputs({ attempt: `1/${STEP}/1`, limit: 100 })).map(({ text }) => text.trim())
      expect(said).toContain('erased 0.3 of 0.3 GB of system (SYSTEM)')
      for (const serial of ['SYSTEM', 'SECOND']) await looked(scene, serial, (disk) => disk.blank && disk.stamp === null)
      expect(life.ledger.current.nodes['n1']).toMatchObject({ incarnation: null, erased: { step: STEP }, attempted: {} })
      expect(change(life.ledger.current, scene.plan)).toMatchObject({ changes: [], erased: [{ node: 'n1' }] })
    },
  },
  {
    what: 'what one of them holds otherwise than it was approved is refused by the node, and neither is written',
    disks: 'whatever',
    async act(scene) {
      await using life = await scene.open()
      await begin(life, scene.plan)
      await scene.second.write(5 * MIB, Buffer.from('something else'))
      const before = [await scene.system.hash(), await scene.second.hash()]
      await approve(life)
      await over(life)
      expect([stateOf(life), scene.sent.length]).toEqual(['waiting', 1])
      expect([await scene.system.hash(), await scene.second.hash()]).toEqual(before)
      expect(life.ledger.current.nodes['n1']?.erased).toBeUndefined()
    },
  },
  {
    what: 'a disk of which something is mounted is left alone, and so is the other',
    disks: 'whatever',
    async act(scene) {
      await using life = await scene.open()
      await begin(life, scene.plan)
      const point = await mkdtemp(join(folder, 'mount-'))
      const before = await scene.second.hash()
      run('mount', '-o', 'ro,noload', `${scene.system.path}p1`, point)
      try {
        await approve(life)
        await over(life)
        expect(life.engine.state.run?.steps.get(STEP)).toMatchObject({ status: 'failed', code: 'DISK_BUSY' })
        expect(await scene.second.hash()).toBe(before)
        expect(life.ledger.current.nodes['n1']?.erased).toBeUndefined()
      } finally {
        run('umount', point)
      }
    },
  },
  {
    what: 'killed in the middle it goes on by its stamp, and a command that comes again writes nothing',
    disks: 'zeros',
    async act(scene) {
      const { loopback, agent, sent, system } = scene
      await using life = await scene.open()
      await begin(life, scene.plan)
      await approve(life)
      await loopback.until((event): event is Extract<typeof event, { type: 'output' }> => event.type === 'output' && event.text.startsWith('erasing system'))
      await agent.kill()
      expect([stateOf(life), life.engine.state.unfinished.get(STEP)?.approved]).toEqual(['running', true])
      const first = sent[0] as EraseTask
      run('blockdev', '--flushbufs', system.path)
      agent.start()
      await over(life)
      expect([life.engine.state.run?.ended?.state, sent.map(({ kind, attempt }) => [kind, attempt])]).toEqual(['complete', [['erase', first.attempt], ['erase', `1/${STEP}/2`]]])
      for (const serial of ['SYSTEM', 'SECOND']) await looked(scene, serial, (disk) => disk.blank && disk.stamp === null)
      // Somebody puts something on the disk, and the command comes once more: as it was, and under a new number.
      await system.write(0, Buffer.from('precious'))
      const session = loopback.server.sessions.session('m1')
      for (const attempt of [first.attempt, `${first.attempt}9`]) {
        const from = loopback.events.length
        session?.send({ ...first, attempt })
        const { result } = await loopback.until((event): event is Extract<typeof event, { type: 'result' }> => event.type === 'result' && event.result.attempt === attempt, from)
        expect(result).toMatchObject({ outcome: 'failed', code: attempt === first.attempt ? 'INTERRUPTED' : 'DISK_CHANGED' })
      }
      expect(run('head', '-c', '8', system.path)).toBe('precious')
      await system.write(0, Buffer.alloc(8))
    },
  },
  {
    what: 'a disk of the same name and size that was put in after the approval is refused by the node, and neither is written',
    disks: 'whatever',
    async act({ open: start, plan, system, second, sent }) {
      await using life = await start()
      await begin(life, plan)
      const other = join(folder, 'other.img')
      run('cp', '--sparse=always', second.file, other)
      run('mkfs.ext4', '-q', '-F', '-L', 'other', other)
      run('losetup', '--detach', second.path)
      run('losetup', '--partscan', second.path, other)
      const before = [run('sha256sum', other), run('sha256sum', second.file), await system.hash()]
      await approve(life)
      await over(life)
      expect([sent.map(({ kind }) => kind), stateOf(life), life.engine.state.run?.steps.get(STEP)?.reason]).toEqual([['erase'], 'waiting', expect.stringContaining('ext4 "other"')])
      run('losetup', '--detach', second.path)
      expect([run('sha256sum', other), run('sha256sum', second.file), await system.hash()]).toEqual(before)
      run('losetup', '--partscan', second.path, second.file)
    },
  },
  {
    what: 'an agent that is restored from a copy of before does not use its approval a second time',
    disks: 'zeros',
    async act(scene) {
      const { open: start, plan, data, sent, system } = scene
      {
        await using before = await start()
        await begin(before, plan)
      }
      {
        // Approved while the machine is away: nothing is sent.
        await using approving = await start({ away: true })
        await approving.engine.resume()
        await approve(approving)
      }
      const copy = `${data}-copy`
      await cp(data, copy, { recursive: true })
      {
        await using life = await start()
        await life.engine.resume()
        await over(life)
        expect([sent.length, stateOf(life)]).toEqual([1, 'succeeded'])
      }
      // Whoever has the disk now puts something there.
      await system.write(100 * MIB, Buffer.from('precious'))
      const written = await system.hash()
      await looked(scene, 'SYSTEM', (disk) => disk.stamp === null)
      await using restored = await start({ data: copy })
      expect(restored.engine.state.approvals.has(STEP)).toBe(true)
      await restored.engine.resume()
      await over(restored)
      expect([sent.length, stateOf(restored), restored.engine.state.run?.steps.get(STEP)?.on, restored.engine.state.approvals.size]).toEqual([1, 'waiting', 'person', 0])
      expect(await system.hash()).toBe(written)
      await system.write(100 * MIB, Buffer.alloc(8))
    },
  },
  {
    what: 'the operation taken back after an erasure that was broken off: nothing is erased or installed, and the node is held',
    disks: 'whatever',
    async act({ loopback, open: start, plan, reverted, sent, system, second }) {
      await using life = await start()
      await begin(life, plan)
      await approve(life)
      await loopback.until((event): event is Extract<typeof event, { type: 'output' }> => event.type === 'output' && event.text.startsWith('erasing system'))
      await life.engine.cancel({ by: 'a person' })
      await life.engine.cancel({ by: 'a person' })
      await over(life)
      expect([sent.length, stateOf(life), life.ledger.current.nodes['n1']]).toMatchObject([1, 'cancelled', { incarnation: null, erased: { step: STEP }, attempted: { [STEP]: expect.stringMatching(/./) as string } }])
      const left = [await system.hash(), await second.hash()]
      await begin(life, reverted)
      expect([sent.length, change(life.ledger.current, reverted)]).toMatchObject([1, { changes: [], erased: [{ node: 'n1' }] }])
      // Back again it is another approval, for what is there now.
      await begin(life, plan)
      expect([sent.length, stateOf(life), life.engine.state.run?.steps.get(STEP)?.on]).toEqual([1, 'waiting', 'person'])
      expect([await system.hash(), await second.hash()]).toEqual(left)
    },
  },
]

test.for(ROWS.map((row) => [row.what, row] as const))('%s', async ([, { act, disks }]) => {
  await using loopback = await openLoopback({ patienceMs: 300_000 })
  await using system = await makeLoopDisk(folder, { serial: 'SYSTEM', bytes: 320 * MIB })
  run('sh', '-c', 'echo ",200M" | sfdisk --quiet --label gpt --no-reread --no-tell-kernel "$1" && partx --update "$1"', 'sh', system.path)
  run('mkfs.ext4', '-q', `${system.path}p1`)
  await system.write(319 * MIB, Buffer.alloc(1000, 'x'))
  await using second = await makeLoopDisk(folder, { serial: 'SECOND', bytes: 24 * MIB })
  await using random = await makeLoopDisk(folder, { serial: 'RANDOM', bytes: 24 * MIB })
  for (const disk of [second, random]) run('sh', '-c', 'openssl rand 25165824 | dd of="$1" bs=1M status=none conv=fsync', 'sh', disk.path)
  await using plain = await makeLoopDisk(folder, { serial: 'PLAIN', bytes: 24 * MIB })
  run('mkfs.ext4', '-q', plain.path)
  const kept = [random, plain]
  const before = await Promise.all(kept.map((disk) => disk.hash()))
  await using agent = await startAgent(loopback, { main: bundle, loopDisks: [system, second, ...kept].map(({ name, serial }) => `${name}=${serial}`).join(',') })
  await loopback.until((event): event is typeof event => event.type === 'connected' && 'session' in event)
  const sent: Task[] = []
  const data = await mkdtemp(join(folder, 'data-'))
  const start: Scene['open'] = async ({ away = false, data: of = data } = {}) => {
    const life = await openLife(of, machineSessions(loopback.server.sessions, { machine: 'm1', onSend: (task) => sent.push(task), away }))
    life.sessions.connectAll()
    return life
  }
  const targets = [{ entry: 'system', id: 'serial:SYSTEM', serial: 'SYSTEM', bytes: 320 * MIB }, { entry: 'data', id: 'serial:SECOND', serial: 'SECOND', bytes: 24 * MIB }]
  const site = (operations: Plan['operations']): Plan => planOf([step({ id: 'install@n1', destructive: true, once: 'once', document: { install: { ...INSTALL, targets } as unknown as Json } })], { operations, nodes: { n1: { machine: 'm1' } } })
  const plan = site([operationOf('gone', ['n1'], [{ do: 'erase', targets, holds: 0 }])])
  await act({ loopback, agent, system, second, sent, data, open: start, plan, reverted: site([]) })
  // The node agent may still be looking.
  await sleep(100)
  expect(await Promise.all(kept.map((disk) => disk.hash()))).toEqual(before)
  if (disks === 'zeros') expect([await system.hash(), await second.hash()]).toEqual([zeros(320 * MIB), zeros(24 * MIB)])
})

test('what is only said to be zeros is written, and a disk that does not take it is told', async () => {
  await using said = await makeLoopDisk(folder, { serial: 'SAID', bytes: 24 * MIB })
  const file = join(folder, 'other')
  run('sh', '-c', 'openssl rand 25165824 > "$1"', 'sh', file)
  const stamp = run('sh', '-c', 'tail -c +"$2" "$1" | head -c "$3" | sha256sum', 'sh', file, String(STAMP_AREA.start + 1), String(STAMP_AREA.bytes))
  await using disk = await open(file, 'r+')
  // The kernel zeroes one disk, and what is read is another one.
  const options = { name: said.name, bytes: 24 * MIB, signal: AbortSignal.timeout(60_000) }
  const done: number[] = []
  await zeroDisk({ ...options, disk, onProgress: (bytes) => done.push(bytes) })
  expect(done).toEqual([24 * MIB - STAMP_AREA.bytes])
  expect(run('sh', '-c', 'tail -c +"$2" "$1" | head -c "$3" | sha256sum', 'sh', file, String(STAMP_AREA.start + 1), String(STAMP_AREA.bytes))).toBe(stamp)
  await disk.write(Buffer.alloc(STAMP_AREA.bytes), 0, STAMP_AREA.bytes, STAMP_AREA.start)
  expect(run('sha256sum', file).slice(0, 64)).toBe(zeros(24 * MIB))
  await disk.write(Buffer.from('x'), 0, 1, 24 * MIB - 1)
  const forgetful = new Proxy(disk, { get: (of, key) => (key === 'write' ? (_: Buffer, __: number, bytes: number) => Promise.resolve({ bytesWritten: bytes }) : key === 'sync' ? () => Promise.resolve() : Reflect.get(of, key).bind(of)) })
  await expect(zeroDisk({ ...options, disk: forgetful, onProgress: () => undefined })).rejects.toMatchObject({ code: 'DISK_NOT_ERASED' })
})
