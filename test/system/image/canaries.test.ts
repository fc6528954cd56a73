import { execFileSync } from 'node:child_process'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { bundleNodeAgent } from '../../../agent/image/bundle-node-agent.ts'
import { buildDiscoveryImage } from '../../../agent/image/discovery/discovery.ts'
import { provideHostNeeds } from '../../../agent/image/needs.ts'
import { hashDiskFile, makeDiskFile } from '../../../agent/rack/disk-file.ts'
import { digestBytes } from '../../../schemas/canonical.ts'
import type { InstallTask, TaskResult } from '../../../schemas/protocol.ts'
import { openLoopback } from '../../agent/nodes/loopback.ts'
import type { Loopback } from '../../agent/nodes/loopback.ts'
import { needDebianPackages } from '../debian-packages.ts'
import { HANDS, HOST, openHands, startGuest } from '../imaging/guest.ts'
import type { Guest, Hands } from '../imaging/guest.ts'
import { CANARY_PACKAGES, makeCanaryDisks } from './canary-disks.ts'
import type { CanaryDisk } from './canary-disks.ts'
import { BOOKWORM, openImageStore } from './image-store.ts'

/** What a mirror would be put on: one disk with somebody's filesystem, one with half of somebody's array. */
const TARGETS = [
  { serial: 'TARGET-A', content: 'ext4', summary: 'ext4 "old-data"' },
  { serial: 'TARGET-B', content: 'mdraid', summary: 'linux_raid_member "canary"' },
] as const
/** Room for what a machine starts from, and a system. */
const TARGET_BYTES = 320 * 1024 * 1024

let folder = ''
let disks: readonly CanaryDisk[] = []
let hashes: ReadonlyMap<string, string>
let loopback: Loopback
let hands: Hands
let guest: Guest

beforeAll(async () => {
  await provideHostNeeds({ signal: AbortSignal.timeout(600_000), onProgress: () => undefined })
  await needDebianPackages(['qemu-system-x86', ...CANARY_PACKAGES])
  folder = await mkdtemp(join(tmpdir(), 'crowbar-canaries-'))
  const targets: CanaryDisk[] = []
  for (const { serial, content: held, summary } of TARGETS) {
    const file = join(folder, `${serial}.img`)
    await makeDiskFile(file, { disk: { bytes: TARGET_BYTES, bus: 'virtio', serial, content: held, canary: false }, signal: AbortSignal.timeout(60_000) })
    targets.push({ file, serial, summary })
  }
  disks = [...targets, ...(await makeCanaryDisks(folder))]
  hashes = await hashAll()
  const store = await openImageStore()
  const image = await buildDiscoveryImage({ os: BOOKWORM, runtime: process.execPath, agentBundle: Buffer.concat([await bundleNodeAgent(), Buffer.from(HANDS)]), store, signal: AbortSignal.timeout(600_000), onProgress: () => undefined })
  loopback = await openLoopback({ patienceMs: 300_000, names: [HOST] })
  hands = await openHands()
  guest = await startGuest({ folder, kernel: store.path(image.kernel), initrd: store.path(image.initrd), loopback, disks, words: [hands.word] })
  await loopback.until((event): event is typeof event => event.type === 'connected' && 'session' in event)
})
afterAll(async () => {
  await guest?.[Symbol.asyncDispose]()
  await hands?.[Symbol.asyncDispose]()
  await loopback?.[Symbol.asyncDispose]()
  await rm(folder, { recursive: true, force: true })
})

async function hashAll(): Promise<ReadonlyMap<string, string>> {
  const found = new Map<string, string>()
  for (const { serial, file } of disks) found.set(serial, await hashDiskFile(file))
  return found
}

function signatureOf(serial: string): string {
  return digestBytes(loopback.server.sessions.session('m1')?.disks.find(disk => disk.serial === serial)?.signature ?? '')
}

/** A mirror on both targets, under what the agent says was approved. */
function mirror(attempt: number, expect_: readonly string[], over: Partial<InstallTask['install']> = {}): InstallTask {
  return {
    kind: 'install', attempt: `1/install@n1/${attempt}`, step: 'install@n1', rootfs: { url: `http://${HOST}:9/`, sha256: 'ab'.repeat(32), bytes: 1 }, stamp: 'approved by a test', timeout: 120,
    install: {
      method: 'image', machine: 'm1', hostname: 'n1', domain: 'example.com', os: 'debian-12', architecture: 'amd64', firmware: 'bios', rootfs: 'rootfs-debian-12', generation: 0,
      targets: TARGETS.map(({ serial }) => ({ entry: 'data', id: `serial:${serial}`, serial, bytes: TARGET_BYTES })), raid: { data: 1 },
      layout: [{ on: 'data', mount: '/', fs: 'ext4', size: 'rest' }], attachments: [], ...over,
    },
    expect: TARGETS.map(({ serial }, index) => ({ id: `serial:${serial}`, signature: expect_[index] ?? '', orStamp: null })),
    enrolment: { url: 'wss://192.0.2.10:8443/node', ca: 'ab'.repeat(32), token: 'secret', node: 'n1', incarnation: 'i1' },
  }
}

async function sent(task: Parameters<NonNullable<ReturnType<Loopback['server']['sessions']['session']>>['send']>[0]): Promise<TaskResult> {
  loopback.server.sessions.session('m1')?.send(task)
  const { result } = await loopback.until((event): event is Extract<typeof event, { type: 'result' }> => event.type === 'result' && event.result.attempt === task.attempt)
  return result
}

test('the discovery image sees what is on each disk, and none of it is blank', () => {
  const seen = loopback.server.sessions.session('m1')?.disks ?? []
  expect(Object.fromEntries(seen.map(({ serial, summary }) => [serial, summary]))).toEqual(Object.fromEntries(disks.map(({ serial, summary }) => [serial, summary])))
  expect(seen.filter(({ blank }) => blank)).toEqual([])
})

test('nothing of them is assembled or activated, and after a look at all of them every byte is as it was', async () => {
  expect(await hands.run('modprobe -a md_mod raid1 dm_mod dm_crypt; ls /sys/block | grep -E "^(md|dm-)"; grep active /proc/mdstat; mdadm --assemble --scan; ls /sys/block | grep -E "^(md|dm-)"; echo over')).toBe('over\n')
  expect(await sent({ kind: 'inspect', attempt: '1/install@n1/1/look', step: 'install@n1', timeout: 120 })).toMatchObject({ outcome: 'succeeded' })
  expect(await hashAll()).toEqual(hashes)
})

test('the node does not write what the agent says may be written: another content, and half of a mirror that was altered since', async () => {
  const blank = digestBytes('a blank disk')
  expect(await sent(mirror(1, [blank, blank]))).toMatchObject({ outcome: 'failed', code: 'DISK_CHANGED' })
  expect(await sent(mirror(2, [signatureOf('TARGET-A'), blank]))).toMatchObject({ outcome: 'failed', code: 'DISK_CHANGED', message: expect.stringContaining('serial:TARGET-B') as string })
  expect(await hashAll()).toEqual(hashes)

  // Approved as they are; then one of the two is written to by somebody else, or is another disk.
  const approved = TARGETS.map(({ serial }) => signatureOf(serial))
  const [a, b] = disks
  execFileSync('wipefs', ['--all', '--quiet', b?.file ?? ''], { stdio: 'pipe' })
  const altered = new Map([...hashes, ['TARGET-B', await hashDiskFile(b?.file ?? '')]])
  expect(altered.get('TARGET-B')).not.toBe(hashes.get('TARGET-B'))
  expect(await sent(mirror(3, approved))).toMatchObject({ outcome: 'failed', code: 'DISK_CHANGED', message: expect.stringContaining('it now holds: unknown data') as string })
  const other = mirror(4, approved)
  expect(await sent({ ...other, install: { ...other.install, targets: other.install.targets.map(one => (one.serial === 'TARGET-A' ? { ...one, serial: 'SWAPPED' } : one)) } })).toMatchObject({ outcome: 'failed', code: 'DISK_CHANGED' })
  expect(await hashAll()).toEqual(altered)
  expect(await hashDiskFile(a?.file ?? '')).toBe(hashes.get('TARGET-A'))
})

test('the arrays among them are real: told to, the same mdadm assembles them, and a byte changes', async () => {
  const said = await hands.run('mdadm --assemble --scan --run --config=partitions > /dev/null 2>&1; for array in /dev/md[0-9]*; do mdadm --readwrite $array; dd if=/dev/zero of=$array bs=4096 count=1 conv=fsync; done > /dev/null 2>&1; grep -c active /proc/mdstat; mdadm --stop --scan 2> /dev/null; sync')
  expect(said).toBe('3\n')
  const after = await hashAll()
  expect([...after].flatMap(([serial, hash]) => (hash === hashes.get(serial) ? [] : [serial]))).toEqual(['TARGET-B', 'MD-12', 'MD-10', 'MD-09-PART'])
})

test('an install that is killed with its arrays running goes on by its stamp; an array that a person assembled is left to him', async () => {
  const mine = `mdadm --assemble --config=partitions /dev/md77 $(grep -lx MD-12 /sys/block/vd*/serial | sed 's,/sys/block/\\(.*\\)/serial,/dev/\\1,') 2> /dev/null; sed -n 's/^\\(md[0-9]*\\) : active.*/\\1/p' /proc/mdstat`
  expect(await hands.run(mine)).toBe('md77\n')
  expect(await sent({ kind: 'inspect', attempt: '1/install@n1/5/look', step: 'install@n1', timeout: 120 })).toMatchObject({ outcome: 'succeeded' })
  const approved = TARGETS.map(({ serial }) => signatureOf(serial))
  await unpacking(mirror(5, approved))
  expect((await hands.run("grep -c '^md.* : active' /proc/mdstat"))).toBe('2\n')
  const from = loopback.events.length
  void hands.run('kill -9 $PPID')
  await loopback.until((event): event is typeof event => event.type === 'connected' && 'session' in event, from)
  expect(await hands.run("sed -n 's/^\\(md[0-9]*\\) : active.*/\\1/p' /proc/mdstat; grep -c /run/crowbar/work /proc/mounts")).toBe('md77\n0\n')
  const seen = loopback.server.sessions.session('m1')
  expect(seen?.journal.get('1/install@n1/5')).toMatchObject({ state: 'started' })
  expect(TARGETS.map(({ serial }) => seen?.disks.find(disk => disk.serial === serial)?.stamp)).toEqual(['approved by a test', 'approved by a test'])
  const again = mirror(6, approved)
  await unpacking({ ...again, expect: again.expect.map(one => ({ ...one, orStamp: 'approved by a test' })) })
})

/** Sends an install and waits until all is made that the system is unpacked onto; the system itself is never had. */
async function unpacking(task: InstallTask): Promise<void> {
  const from = loopback.events.length
  loopback.server.sessions.session('m1')?.send(task)
  await loopback.until((event): event is typeof event => event.type === 'output' && event.attempt === task.attempt && event.text.includes('unpacking the root filesystem'), from)
}
