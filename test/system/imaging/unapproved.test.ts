import { createHash } from 'node:crypto'
import { cp, mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { bundleNodeAgent } from '../../../agent/image/bundle-node-agent.ts'
import { change } from '../../../compiler/change/change.ts'
import type { Plan } from '../../../schemas/plan.ts'
import type { InstallTask, Task, TaskResult } from '../../../schemas/protocol.ts'
import type { Json } from '../../../schemas/shape.ts'
import { openLife } from '../../agent/engine/agent-life.ts'
import type { AgentLife } from '../../agent/engine/agent-life.ts'
import { planOf, step } from '../../agent/engine/build-work.ts'
import { machineSessions } from '../../agent/engine/machine-sessions.ts'
import { openLoopback, startAgent } from '../../agent/nodes/loopback.ts'
import type { Loopback } from '../../agent/nodes/loopback.ts'
import { needDebianPackages } from '../debian-packages.ts'
import { DISK_PACKAGES, makeLoopDisk, run } from './loop-disk.ts'
import type { LoopDisk } from './loop-disk.ts'
import { serveFile } from './range-server.ts'

/**
 * The engine with its real drivers, and a real node agent over TLS with disks of its own, in front of a person who
 * approves what the first disk holds. No root filesystem is right, so that each installation breaks off half-way.
 */
const MIB = 1024 * 1024
const STEP = 'install@n1'
let folder = ''
let bundle = ''
let archive = { sha256: '', bytes: 0, file: '' }

beforeAll(async () => {
  await needDebianPackages(DISK_PACKAGES)
  folder = await mkdtemp(join(tmpdir(), 'crowbar-unapproved-'))
  bundle = join(folder, 'node-agent.mjs')
  await writeFile(bundle, await bundleNodeAgent())
  await mkdir(join(folder, 'root'))
  run('tar', '--zstd', '-cf', join(folder, 'root.tar.zst'), '-C', join(folder, 'root'), '.')
  const data = await readFile(join(folder, 'root.tar.zst'))
  archive = { file: join(folder, 'root.tar.zst'), sha256: createHash('sha256').update('another one').digest('hex'), bytes: data.length }
})
afterAll(async () => {
  await rm(folder, { recursive: true, force: true })
})

interface Scene {
  readonly loopback: Loopback
  readonly system: LoopDisk
  /** What the agent sent to the node. */
  readonly sent: Task[]
  readonly data: string
  /** A life of the admin agent on its data folder; `away`: the machine is not connected. */
  readonly open: (options?: { readonly away?: boolean; readonly data?: string }) => Promise<AgentLife>
  /** @param second the machine of a second node; without it there is one node. */
  readonly plan: (once: string, second?: string | null) => Plan
}

/** Begins the run that installs, up to where it waits. */
async function begin(life: AgentLife, plan: Plan): Promise<void> {
  await life.ledger.upToDate()
  await life.engine.start({ commit: 'c', plan, changes: change(life.ledger.current, plan) }, { reason: 'apply' })
  await over(life)
}

async function over(life: AgentLife): Promise<void> {
  await life.engine.idle({ signal: AbortSignal.timeout(300_000) }).catch(async (cause: unknown) => {
    throw new Error(`the run goes on: ${JSON.stringify([...(life.engine.state.run?.steps ?? [])].map(([id, { status, reason }]) => [id, status, reason]))}; ${JSON.stringify((await life.store.outputs({ attempt: `1/${STEP}/1`, limit: 100 })).map(({ text }) => text))}`, { cause })
  })
}

/** Approves exactly what the step says that it would overwrite, as a person does who has read it. */
async function approve(life: AgentLife): Promise<void> {
  const approval = life.engine.state.run?.steps.get(STEP)?.approval
  if (approval === null || approval === undefined) throw new Error(`nothing waits: ${JSON.stringify(life.engine.state.run?.steps.get(STEP))}`)
  await life.engine.approve(approval, { by: 'a person' })
  await over(life)
}

const waits = (life: AgentLife): unknown => {
  const { status = '', on = '', reason = '' } = life.engine.state.run?.steps.get(STEP) ?? {}
  return [status, on, reason]
}
const WAITS_ANEW = ['waiting', 'person', expect.stringContaining('it overwrites serial:SYSTEM')]

async function result({ loopback }: Scene, attempt: string): Promise<TaskResult> {
  const found = await loopback.until((event): event is Extract<typeof event, { type: 'result' }> => event.type === 'result' && event.result.attempt === attempt, loopback.events.length)
  return found.result
}

interface Row {
  readonly what: string
  /** Whether the system disk is to be as it was when all is over, byte for byte. The others always are. */
  readonly kept: boolean
  readonly act: (scene: Scene) => Promise<void>
}

const ROWS: readonly Row[] = [
  {
    what: 'an approved installation writes the disk that it names, and no other',
    kept: false,
    async act({ open, plan }) {
      await using life = await open()
      await begin(life, plan('once'))
      expect(waits(life)).toEqual(WAITS_ANEW)
      await approve(life)
      expect(life.engine.state.run?.steps.get(STEP)).toMatchObject({ status: 'failed', code: 'CONTENT_MISMATCH' })
      expect(life.sessions.session('m1')?.disks.find(({ id }) => id === 'serial:SYSTEM')?.stamp).toMatch(/./)
    },
  },
  {
    what: 'what was altered after it was approved is refused by the node and asked for anew',
    kept: false,
    async act({ open, plan, system, sent }) {
      await using life = await open()
      await begin(life, plan('once'))
      run('tune2fs', '-U', '11111111-2222-4333-8444-555555555555', system.path)
      const altered = await system.hash()
      await approve(life)
      expect([sent.map(({ kind }) => kind), waits(life)]).toEqual([['install'], WAITS_ANEW])
      expect(await system.hash()).toBe(altered)
    },
  },
  {
    what: 'a disk of the same name and size that was put in after the approval is refused by the node',
    kept: true,
    async act({ open, plan, system, sent }) {
      await using life = await open()
      await begin(life, plan('once'))
      const other = join(folder, 'other.img')
      run('cp', '--sparse=always', system.file, other)
      run('losetup', '--detach', system.path)
      run('mkfs.ext4', '-q', '-F', '-L', 'other', other)
      run('losetup', '--partscan', system.path, other)
      const before = run('sha256sum', other)
      await approve(life)
      expect([sent.map(({ kind }) => kind), waits(life)]).toEqual([['install'], ['waiting', 'person', expect.stringContaining('ext4 "other"')]])
      run('losetup', '--detach', system.path)
      expect(run('sha256sum', other)).toBe(before)
      run('losetup', '--partscan', system.path, system.file)
    },
  },
  {
    what: 'a command that comes twice is carried out once, and under a new number it is refused',
    kept: false,
    async act(scene) {
      await using life = await scene.open()
      await begin(life, scene.plan('once'))
      await approve(life)
      const [first] = scene.sent as InstallTask[]
      if (first === undefined) throw new Error('nothing was sent')
      const written = await scene.system.hash()
      const session = scene.loopback.server.sessions.session('m1')
      for (const attempt of [first.attempt, `${first.attempt}9`]) {
        const answer = result(scene, attempt)
        session?.send({ ...first, attempt })
        expect(await answer).toMatchObject({ outcome: 'failed', code: attempt === first.attempt ? 'CONTENT_MISMATCH' : 'DISK_CHANGED' })
        expect(await scene.system.hash()).toBe(written)
      }
    },
  },
  {
    what: 'an agent that is restored from a copy of before does not use its approval a second time',
    kept: false,
    async act({ open, plan, data, system, sent }) {
      {
        await using before = await open()
        await begin(before, plan('once'))
      }
      {
        // Approved while the machine is away: nothing is sent.
        await using approving = await open({ away: true })
        await approving.engine.resume()
        await approving.engine.approve(approving.engine.state.run?.steps.get(STEP)?.approval as NonNullable<NonNullable<ReturnType<NonNullable<typeof approving.engine.state.run>['steps']['get']>>['approval']>, { by: 'a person' })
      }
      const copy = `${data}-copy`
      await cp(data, copy, { recursive: true })
      {
        await using life = await open()
        await life.engine.resume()
        await over(life)
        expect([sent.length, life.engine.state.run?.steps.get(STEP)?.status]).toEqual([1, 'failed'])
      }
      const written = await system.hash()
      await using restored = await open({ data: copy })
      await restored.engine.resume()
      await over(restored)
      expect([sent.length, waits(restored)]).toEqual([1, WAITS_ANEW])
      expect(restored.engine.state.approvals.size).toBe(0)
      expect(await system.hash()).toBe(written)
    },
  },
  {
    what: 'going back to what was there before, after a wipe that failed, is another wipe to approve',
    kept: false,
    async act({ open, plan, system, sent }) {
      await using life = await open()
      await begin(life, plan('once-2'))
      await approve(life)
      const written = await system.hash()
      await begin(life, plan('once-1'))
      expect([sent.length, waits(life)]).toEqual([1, WAITS_ANEW])
      expect(life.engine.work?.changes.changes.find(({ step: { id } }) => id === STEP)).toMatchObject({ consequence: 'wipe', needsApproval: true })
      expect(await system.hash()).toBe(written)
    },
  },
  {
    what: 'a second node that claims the machine, after two clean merges, gets nothing of it although somebody approves',
    kept: false,
    async act({ open, plan, system, sent }) {
      await using life = await open()
      await begin(life, plan('once'))
      await approve(life)
      const written = await system.hash()
      const both = plan('once', 'm1')
      await life.ledger.upToDate()
      const changes = change(life.ledger.current, both)
      expect(changes.changes.find(({ step: { id } }) => id === 'install@n2')).toMatchObject({ consequence: 'wipe', heldBy: 'n1' })
      await life.engine.start({ commit: 'c2', plan: both, changes: { ...changes, changes: changes.changes.filter(({ step: { node } }) => node === 'n2') } }, { reason: 'apply' })
      await over(life)
      expect([sent.length, life.engine.schedule?.blocked.get('install@n2')?.map(({ code }) => code)]).toEqual([1, ['REFUSED']])
      expect(await system.hash()).toBe(written)
    },
  },
]

test.for(ROWS.map((row) => [row.what, row] as const))('%s', async ([, { act, kept }]) => {
  await using loopback = await openLoopback({ patienceMs: 300_000 })
  await using system = await makeLoopDisk(folder, { serial: 'SYSTEM', bytes: 320 * MIB })
  run('mkfs.ext4', '-q', '-L', 'precious', '-U', '99999999-2222-4333-8444-555555555555', system.path)
  await using random = await makeLoopDisk(folder, { serial: 'RANDOM', bytes: 24 * MIB })
  run('sh', '-c', 'openssl rand 25165824 | dd of="$1" bs=1M status=none conv=fsync', 'sh', random.path)
  await using plain = await makeLoopDisk(folder, { serial: 'PLAIN', bytes: 24 * MIB })
  run('mkfs.ext4', '-q', plain.path)
  await using table = await makeLoopDisk(folder, { serial: 'TABLE', bytes: 24 * MIB })
  run('sh', '-c', 'echo "label: gpt\n,4M\n,8M" | sed "s/\\\\n/\\n/g" | sfdisk --quiet --no-reread --no-tell-kernel "$1"', 'sh', table.path)
  const disks = [system, random, plain, table]
  const before = await Promise.all(disks.map((disk) => disk.hash()))
  // A node agent that is killed while it writes leaves its mounts behind.
  using _mounts = { [Symbol.dispose]: () => void run('sh', '-c', 'grep -o "$1[^ ]*" /proc/self/mounts | sort -r | xargs -r umount', 'sh', loopback.folder) }
  await using server = await serveFile(archive.file)
  await using _agent = await startAgent(loopback, { main: bundle, loopDisks: disks.map(({ name, serial }) => `${name}=${serial}`).join(',') })
  await loopback.until((event): event is typeof event => event.type === 'connected' && 'session' in event)
  const data = await mkdtemp(join(folder, 'data-'))
  const sent: Task[] = []
  const open: Scene['open'] = async ({ away = false, data: of = data } = {}) => {
    const life = await openLife(of, machineSessions(loopback.server.sessions, { machine: 'm1', onSend: (task) => sent.push(task), away }), {
      stager: { locate: () => Promise.resolve({ kind: 'file', url: server.url, sha256: archive.sha256, bytes: archive.bytes }) },
    })
    life.sessions.connectAll()
    return life
  }
  const install = { method: 'image', machine: 'm1', hostname: 'n1', domain: 'example.com', os: 'debian-12', architecture: 'amd64', firmware: 'bios', rootfs: 'rootfs-debian-12', targets: [{ entry: 'system', id: 'serial:SYSTEM', serial: 'SYSTEM', bytes: 320 * MIB }], layout: [], attachments: [], generation: 0 }
  const plan: Scene['plan'] = (once, second = null) => planOf(
    (second === null ? ['n1'] : ['n1', 'n2']).map((node) => step({ id: `install@${node}`, destructive: true, once: `${once} ${node}`, document: { install: { ...install, hostname: node } as unknown as Json } })),
    { artifacts: { 'rootfs-debian-12': { kind: 'rootfs', os: 'debian-12', packages: [] } }, nodes: { n1: { machine: 'm1' }, ...(second === null ? {} : { n2: { machine: second } }) } },
  )
  await act({ loopback, system, sent, data, open, plan })
  // The node agent may still be looking.
  await sleep(100)
  const after = await Promise.all(disks.map((disk) => disk.hash()))
  expect(after.slice(1)).toEqual(before.slice(1))
  expect(after[0] === before[0]).toBe(kept)
})
