import { execFileSync } from 'node:child_process'
import { createHash } from 'node:crypto'
import { copyFileSync } from 'node:fs'
import { mkdir, mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { basename, join } from 'node:path'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { bundleNodeAgent } from '../../../agent/image/bundle-node-agent.ts'
import { buildDiscoveryImage } from '../../../agent/image/discovery/discovery.ts'
import { provideHostNeeds } from '../../../agent/image/needs.ts'
import { hashDiskFile, makeDiskFile } from '../../../agent/rack/disk-file.ts'
import { digestBytes } from '../../../schemas/canonical.ts'
import type { TaskResult } from '../../../schemas/protocol.ts'
import { openLoopback } from '../../agent/nodes/loopback.ts'
import type { Loopback } from '../../agent/nodes/loopback.ts'
import { needDebianPackages } from '../debian-packages.ts'
import { HANDS, HOST, openHands, startGuest } from '../imaging/guest.ts'
import type { Guest, GuestDisk, Hands } from '../imaging/guest.ts'
import { serveFile } from '../imaging/range-server.ts'
import { BOOKWORM, openImageStore } from './image-store.ts'

/** A machine in the discovery image, on which somebody started all that lay on its disks, before they are erased. */
const BYTES = 64 * 1024 * 1024
const SERIALS = ['PAIR-A', 'PAIR-B', 'HALF', 'SPAN', 'SPAN-KEPT', 'GROUP', 'GROUP-KEPT', 'RANDOM'] as const
type Serial = (typeof SERIALS)[number]

/** Programs that the discovery image does not have. */
const BROUGHT = ['lvm', 'cryptsetup'] as const
const TOOLS = `set -e
disk() { for one in /sys/block/vd*; do if [ "$(cat $one/serial)" = "$1" ]; then echo "/dev/\${one##*/}"; fi; done; }
brought() { env LVM_SYSTEM_DIR=/tmp/tools LVM_SUPPRESS_FD_WARNINGS=1 /tmp/tools/ld.so --library-path /tmp/tools "/tmp/tools/$@"; }
lvm() { brought lvm "$@" --config 'devices { use_devicesfile = 0 } activation { udev_sync = 0 udev_rules = 0 monitoring = 0 } backup { backup = 0 archive = 0 }' > /dev/null; }
array() { mdadm --create "$@" --run --metadata=1.2 2> /dev/null; mdadm --wait "$1" 2> /dev/null || true; }
`
const PREPARE = `${TOOLS}
modprobe -a md_mod raid1 dm_mod dm_crypt
mkdir -p /run/lock/lvm /run/cryptsetup
# LUKS on LVM on a mirror.
array /dev/md1 --level=1 --raid-devices=2 $(disk PAIR-A) $(disk PAIR-B)
lvm pvcreate /dev/md1
lvm vgcreate pair /dev/md1
lvm lvcreate --yes --size 40m --name data pair
printf secret | brought cryptsetup luksFormat --batch-mode --type luks1 --cipher aes-cbc-plain64 --pbkdf-force-iterations 1000 --key-file - /dev/pair/data
printf secret | brought cryptsetup open --key-file - /dev/pair/data secret
mkfs.ext4 -q -E lazy_itable_init=0,lazy_journal_init=0 /dev/mapper/secret
mkdir -p /tmp/secret
mount -o ro /dev/mapper/secret /tmp/secret
# Half of a mirror on half of a mirror: an array on LVM on an array on a partition.
printf 'label: gpt\\nstart=2048\\n' | sfdisk --quiet $(disk HALF)
partx --update $(disk HALF)
array /dev/md2 --level=1 --raid-devices=2 missing $(disk HALF)1
lvm pvcreate /dev/md2
lvm vgcreate half /dev/md2
lvm lvcreate --yes --size 20m --name data half
array /dev/md3 --level=1 --raid-devices=2 missing /dev/half/data
# A mirror and a volume over two disks each, of which one is to be kept.
array /dev/md4 --level=1 --raid-devices=2 $(disk SPAN) $(disk SPAN-KEPT)
lvm pvcreate $(disk GROUP) $(disk GROUP-KEPT)
lvm vgcreate group $(disk GROUP) $(disk GROUP-KEPT)
lvm lvcreate --yes --size 80m --name data group
sync
sleep 2
echo ready
`
/** What runs, as `dm-0=group-data` and `md1`. */
const RUNNING = 'for one in /sys/block/md* /sys/block/dm-*; do if [ -e $one/dm/name ]; then cat $one/dm/name; elif [ -e $one ]; then echo ${one##*/}; fi; done'

let folder = ''
let disks: readonly GuestDisk[] = []
let loopback: Loopback
let hands: Hands
let guest: Guest
let attempts = 0

beforeAll(async () => {
  await provideHostNeeds({ signal: AbortSignal.timeout(600_000), onProgress: () => undefined })
  await needDebianPackages(['qemu-system-x86', 'lvm2', 'cryptsetup-bin'])
  folder = await mkdtemp(join(tmpdir(), 'crowbar-stacks-'))
  disks = await Promise.all(SERIALS.map(async serial => {
    const file = join(folder, `${serial}.img`)
    await makeDiskFile(file, { disk: { bytes: BYTES, bus: 'virtio', serial, content: serial === 'RANDOM' ? 'random' : 'blank', canary: false }, signal: AbortSignal.timeout(60_000) })
    return { file, serial }
  }))
  await using tools = await serveFile(await packTools())
  const store = await openImageStore()
  const image = await buildDiscoveryImage({ os: BOOKWORM, runtime: process.execPath, agentBundle: Buffer.concat([await bundleNodeAgent(), Buffer.from(HANDS)]), store, signal: AbortSignal.timeout(600_000), onProgress: () => undefined })
  loopback = await openLoopback({ patienceMs: 300_000, names: [HOST] })
  hands = await openHands()
  guest = await startGuest({ folder, kernel: store.path(image.kernel), initrd: store.path(image.initrd), loopback, disks, words: [hands.word] })
  await loopback.until((event): event is typeof event => event.type === 'connected' && 'session' in event)
  expect(await hands.run(`mkdir /tmp/tools && wget -q -O - ${tools.url.replace('127.0.0.1', HOST)} | tar -x -C /tmp/tools && (${PREPARE}) 2>&1`)).toMatch(/ready\n$/)
})
afterAll(async () => {
  await guest?.[Symbol.asyncDispose]()
  await hands?.[Symbol.asyncDispose]()
  await loopback?.[Symbol.asyncDispose]()
  await rm(folder, { recursive: true, force: true })
})

/** Programs of this machine with their loader and libraries, in one archive. */
async function packTools(): Promise<string> {
  const tools = join(folder, 'tools')
  await mkdir(tools)
  for (const program of BROUGHT) {
    const path = execFileSync('sh', ['-c', `PATH=/usr/sbin:/sbin:$PATH; command -v ${program}`], { encoding: 'utf8' }).trim()
    copyFileSync(path, join(tools, program))
    for (const [, library = ''] of execFileSync('ldd', [path], { encoding: 'utf8' }).matchAll(/(\/\S+) \(/g)) {
      copyFileSync(library, join(tools, library.includes('ld-linux') ? 'ld.so' : basename(library)))
    }
  }
  execFileSync('tar', ['-cf', join(folder, 'tools.tar'), '-C', tools, '.'])
  return join(folder, 'tools.tar')
}

async function hashes(serials: readonly Serial[] = SERIALS): Promise<Readonly<Record<string, string>>> {
  await hands.run('sync')
  return Object.fromEntries(await Promise.all(disks.filter(({ serial }) => serials.some(one => one === serial)).map(async ({ serial, file }) => [serial, await hashDiskFile(file)] as const)))
}

const zeros = createHash('sha256').update(Buffer.alloc(BYTES)).digest('hex')
const running = async (): Promise<string[]> => (await hands.run(RUNNING)).split('\n').filter(line => line !== '').toSorted()
const nameOf = async (serial: Serial): Promise<string> => (await hands.run(`${TOOLS} disk ${serial}`)).trim().slice('/dev/'.length)

/** Looks at the disks, and has some erased as they are. */
async function erase(serials: readonly Serial[]): Promise<TaskResult> {
  const session = loopback.server.sessions.session('m1')
  const step = 'operation/gone/erase@n1'
  const attempt = `1/${step}/${++attempts}`
  session?.send({ kind: 'inspect', attempt: `${attempt}/look`, step, timeout: 120 })
  expect(await resultOf(`${attempt}/look`)).toMatchObject({ outcome: 'succeeded' })
  session?.send({
    kind: 'erase', attempt, step, timeout: 300, stamp: 'approved by a test',
    targets: serials.map(serial => ({ entry: 'data', id: `serial:${serial}`, serial, bytes: BYTES })),
    expect: serials.map(serial => ({ id: `serial:${serial}`, signature: digestBytes(session.disks.find(one => one.serial === serial)?.signature ?? ''), orStamp: null })),
  })
  const result = await resultOf(attempt)
  // The stamp goes when the result is known to be kept.
  session?.acknowledge(attempt)
  return result
}

async function resultOf(attempt: string): Promise<TaskResult> {
  const { result } = await loopback.until((event): event is Extract<typeof event, { type: 'result' }> => event.type === 'result' && event.result.attempt === attempt)
  return result
}

test('all of it runs, one thing on another', async () => {
  expect(await running()).toEqual(['group-data', 'half-data', 'md1', 'md2', 'md3', 'md4', 'pair-data', 'secret'])
})

test('an array and a volume that lie on a kept disk, too, are named with it and refused: nothing is stopped, not a byte changes', async () => {
  const [before, were] = [await hashes(), await running()]
  expect(await erase(['PAIR-A', 'PAIR-B', 'HALF', 'SPAN'])).toMatchObject({
    outcome: 'failed', code: 'DISK_BUSY', message: `the array md4 runs, and lies on ${await nameOf('SPAN-KEPT')}, too, which is to be left as it is: stop it by hand (mdadm --stop /dev/md4)`,
  })
  expect(await erase(['GROUP'])).toMatchObject({ outcome: 'failed', code: 'DISK_BUSY', message: expect.stringMatching(new RegExp(`the volume group-data \\(dm-\\d\\) runs, and lies on ${await nameOf('GROUP-KEPT')}, too, .*\\(dmsetup remove `)) as string })
  expect(await running()).toEqual(were)
  expect(await hashes()).toEqual(before)
})

test('stopped by hand, their named halves are overwritten, and the kept ones stay byte for byte', async () => {
  await hands.run('mdadm --stop /dev/md4; dmsetup remove --noudevsync group-data')
  const kept = await hashes(['SPAN-KEPT', 'GROUP-KEPT', 'RANDOM'])
  expect(await erase(['SPAN', 'GROUP'])).toMatchObject({ outcome: 'succeeded' })
  await expect.poll(() => hashes(['SPAN', 'GROUP']), { timeout: 60_000 }).toEqual({ SPAN: zeros, GROUP: zeros })
  expect(await hashes(['SPAN-KEPT', 'GROUP-KEPT', 'RANDOM'])).toEqual(kept)
})

test('half of an array of which the other half is not named is refused, and so is what is mounted', async () => {
  const before = await hashes()
  expect(await erase(['PAIR-A'])).toMatchObject({ outcome: 'failed', code: 'DISK_BUSY', message: expect.stringContaining(`lies on ${await nameOf('PAIR-B')}, too`) as string })
  expect(await erase(['PAIR-A', 'PAIR-B'])).toMatchObject({ outcome: 'failed', code: 'DISK_BUSY', message: expect.stringMatching(/^the volume secret \(dm-\d\) cannot be stopped: .*busy/i) as string })
  expect(await running()).toEqual(['half-data', 'md1', 'md2', 'md3', 'pair-data', 'secret'])
  expect(await hashes()).toEqual(before)
})

test('LUKS on LVM on a mirror, and half of a mirror on LVM on half of a mirror, are stopped from the top and overwritten', async () => {
  const kept = await hashes(['SPAN-KEPT', 'GROUP-KEPT', 'RANDOM'])
  await hands.run('umount /tmp/secret')
  expect(await erase(['PAIR-A', 'PAIR-B', 'HALF'])).toMatchObject({ outcome: 'succeeded' })
  expect(await running()).toEqual([])
  await expect.poll(() => hashes(['PAIR-A', 'PAIR-B', 'HALF']), { timeout: 60_000 }).toEqual({ 'PAIR-A': zeros, 'PAIR-B': zeros, HALF: zeros })
  expect(await hashes(['SPAN-KEPT', 'GROUP-KEPT', 'RANDOM'])).toEqual(kept)
})
