import { createHash } from 'node:crypto'
import { mkdir, mkdtemp, open, readFile, rm, stat, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { bundleNodeAgent } from '../../../agent/image/bundle-node-agent.ts'
import { provideHostNeeds } from '../../../agent/image/needs.ts'
import { buildRootfs } from '../../../agent/image/rootfs/rootfs.ts'
import { digestBytes } from '../../../schemas/canonical.ts'
import type { DiskState } from '../../../schemas/inventory.ts'
import type { InstallTask, TaskResult } from '../../../schemas/protocol.ts'
import { openLoopback, startAgent } from '../../agent/nodes/loopback.ts'
import type { AgentProcess, Loopback } from '../../agent/nodes/loopback.ts'
import { needDebianPackages } from '../debian-packages.ts'
import { BOOKWORM, openImageStore } from '../image/image-store.ts'
import { DISK_PACKAGES, makeLoopDisk, run } from './loop-disk.ts'
import type { LoopDisk } from './loop-disk.ts'
import { serveFile } from './range-server.ts'
import type { RangeServer } from './range-server.ts'

const MIB = 1024 * 1024
const MAC = '52:54:00:00:00:01'
let folder = ''
let bundle = ''

beforeAll(async () => {
  await provideHostNeeds({ signal: AbortSignal.timeout(600_000), onProgress: () => undefined })
  await needDebianPackages(DISK_PACKAGES)
  folder = await mkdtemp(join(tmpdir(), 'crowbar-install-'))
  bundle = join(folder, 'node-agent.mjs')
  await writeFile(bundle, await bundleNodeAgent())
})
afterAll(async () => {
  await rm(folder, { recursive: true, force: true })
})

function disksOf(loopback: Loopback): readonly DiskState[] {
  return loopback.server.sessions.session('m1')?.disks ?? []
}

function stateOf(loopback: Loopback, disk: LoopDisk): DiskState {
  const state = disksOf(loopback).find(({ id }) => id === disk.device.id)
  if (state === undefined) throw new Error(`the node does not report ${disk.serial}`)
  return state
}

interface Order {
  readonly attempt: number
  readonly disk: LoopDisk
  readonly signature: string
  readonly orStamp?: string
  readonly rootfs: { readonly url: string; readonly sha256: string; readonly bytes: number }
}

function install({ attempt, disk, signature, orStamp, rootfs }: Order): InstallTask {
  return {
    kind: 'install', attempt: `1/install@n1/${attempt}`, step: 'install@n1', rootfs, stamp: 'approved by a test', timeout: 600,
    install: {
      method: 'image', machine: 'm1', hostname: 'n1', domain: 'example.com', os: 'debian-12', architecture: 'amd64', firmware: 'bios', rootfs: 'rootfs-debian-12', generation: 0,
      targets: [{ entry: 'system', id: disk.device.id, serial: disk.serial, bytes: disk.device.fact.bytes }],
      layout: [{ on: 'system', mount: '/', fs: 'ext4', size: 'rest' }, { on: 'system', mount: 'swap', fs: 'swap', size: '128MiB' }, { on: 'system', mount: '/var/log', fs: 'ext4', size: '10%' }],
      attachments: [{ network: 'admin', addresses: [{ address: '192.0.2.81', prefix: 24, gateway: '192.0.2.1', dns: ['192.0.2.10'] }], ports: [MAC], bond: null, vlan: 0, mtu: 1500, bridge: null }],
    },
    expect: [{ id: disk.device.id, signature: digestBytes(signature), orStamp: orStamp ?? null }],
    enrolment: { url: 'wss://192.0.2.10:8443/node', ca: 'ab'.repeat(32), token: 'secret', node: 'n1', incarnation: 'i1' },
  }
}

async function resultOf(loopback: Loopback, attempt: number): Promise<TaskResult> {
  const { result } = await loopback.until((event): event is Extract<typeof event, { type: 'result' }> => event.type === 'result' && event.result.attempt === `1/install@n1/${attempt}`)
  return result
}

async function connected(loopback: Loopback, from = 0): Promise<void> {
  await loopback.until((event): event is typeof event => event.type === 'connected' && 'session' in event, from)
}

function mountsBelow(agent: AgentProcess): string[] {
  return run('cat', '/proc/self/mounts').split('\n').filter((line) => line.includes(agent.state))
}

/** A root filesystem of one file, as an archive. */
async function tinyRootfs(): Promise<{ readonly file: string; readonly sha256: string; readonly bytes: number }> {
  const root = join(folder, 'tiny')
  await mkdir(join(root, 'etc'), { recursive: true })
  await writeFile(join(root, 'etc/os-release'), 'ID=tiny\n')
  const file = join(folder, 'tiny.tar.zst')
  run('tar', '--zstd', '-cf', file, '-C', root, '.')
  const data = await readFile(file)
  return { file, sha256: createHash('sha256').update(data).digest('hex'), bytes: data.length }
}

test('a disk that does not hold what was approved is refused, and not a byte of it changes', async () => {
  await using loopback = await openLoopback({ patienceMs: 120_000 })
  await using disk = await makeLoopDisk(folder, { serial: 'CHANGED', bytes: 512 * MIB })
  await using agent = await startAgent(loopback, { main: bundle, loopDisks: `${disk.name}=${disk.serial}` })
  await connected(loopback)
  const seen = stateOf(loopback, disk)
  expect(seen.blank).toBe(true)
  run('mkfs.ext4', '-q', '-L', 'precious', disk.path)
  const before = await disk.hash()
  const tiny = await tinyRootfs()
  loopback.server.sessions.session('m1')?.send(install({ attempt: 1, disk, signature: seen.signature, rootfs: { url: 'http://127.0.0.1:9/', ...tiny } }))
  expect(await resultOf(loopback, 1)).toMatchObject({ outcome: 'failed', code: 'DISK_CHANGED', message: expect.stringContaining('ext4 "precious"') as string })
  expect(await disk.hash()).toBe(before)
  // The engine is told what is there now, so that a person can approve exactly that.
  expect(stateOf(loopback, disk).summary).toBe('ext4 "precious"')
  expect(agent.log()).not.toContain('secret')
})

test.each([
  ['neither has a serial number', ''],
  ['both say that they are serial:TWICE', 'TWICE'],
])('one disk over two paths is refused, though approved by one of them: %s', async (why, serial) => {
  await using loopback = await openLoopback({ patienceMs: 120_000 })
  await using disk = await makeLoopDisk(folder, { serial: `PATH-A${serial}`, bytes: 512 * MIB })
  run('mkfs.ext4', '-q', disk.path)
  // The same file by another name is the same disk over another path.
  const file = join(folder, `PATH-B${serial}.img`)
  run('ln', disk.file, file)
  const second = run('losetup', '--find', '--show', file).trim()
  try {
    await using _agent = await startAgent(loopback, { main: bundle, loopDisks: `${disk.name}=${serial},${second.slice('/dev/'.length)}=${serial}` })
    await connected(loopback)
    const states = disksOf(loopback)
    expect(states.map(({ id }) => id)).toEqual([`path:loop-PATH-A${serial}.img`, `path:loop-PATH-B${serial}.img`])
    const before = await disk.hash()
    const order = install({ attempt: 1, disk, signature: states[0]?.signature ?? '', rootfs: { url: 'http://127.0.0.1:9/', ...(await tinyRootfs()) } })
    const id = states[0]?.id ?? ''
    const [target] = order.install.targets
    loopback.server.sessions.session('m1')?.send({ ...order, install: { ...order.install, targets: target === undefined ? [] : [{ ...target, id, serial: '' }] }, expect: order.expect.map((one) => ({ ...one, id })) })
    expect(await resultOf(loopback, 1)).toMatchObject({ outcome: 'failed', code: 'DISK_AMBIGUOUS', message: expect.stringContaining(why) as string })
    expect(await disk.hash()).toBe(before)
  } finally {
    run('losetup', '--detach', second)
    await rm(file, { force: true })
  }
})

test('a disk that is mounted is refused, and so is one with another serial', async () => {
  await using loopback = await openLoopback({ patienceMs: 120_000 })
  await using disk = await makeLoopDisk(folder, { serial: 'BUSY', bytes: 512 * MIB })
  run('mkfs.ext4', '-q', disk.path)
  await using _agent = await startAgent(loopback, { main: bundle, loopDisks: `${disk.name}=${disk.serial}` })
  await connected(loopback)
  const { signature } = stateOf(loopback, disk)
  const tiny = await tinyRootfs()
  const order = install({ attempt: 1, disk, signature, rootfs: { url: 'http://127.0.0.1:9/', ...tiny } })
  const at = join(folder, 'held')
  await mkdir(at, { recursive: true })
  run('mount', '-o', 'ro,noload', disk.path, at)
  try {
    loopback.server.sessions.session('m1')?.send(order)
    expect(await resultOf(loopback, 1)).toMatchObject({ outcome: 'failed', code: 'DISK_BUSY' })
  } finally {
    run('umount', at)
  }
  const [target] = order.install.targets
  loopback.server.sessions.session('m1')?.send({ ...order, attempt: '1/install@n1/2', install: { ...order.install, targets: target === undefined ? [] : [{ ...target, serial: 'OTHER' }] } })
  expect(await resultOf(loopback, 2)).toMatchObject({ outcome: 'failed', code: 'DISK_CHANGED', message: expect.stringContaining('another disk') as string })
})

test('a root filesystem with another hash never becomes a system, and nothing stays mounted', async () => {
  await using loopback = await openLoopback({ patienceMs: 120_000 })
  await using disk = await makeLoopDisk(folder, { serial: 'HASH', bytes: 1024 * MIB })
  await using agent = await startAgent(loopback, { main: bundle, loopDisks: `${disk.name}=${disk.serial}` })
  await connected(loopback)
  const tiny = await tinyRootfs()
  await using server = await serveFile(tiny.file)
  loopback.server.sessions.session('m1')?.send(install({ attempt: 1, disk, signature: stateOf(loopback, disk).signature, rootfs: { url: server.url, bytes: tiny.bytes, sha256: 'cd'.repeat(32) } }))
  expect(await resultOf(loopback, 1)).toMatchObject({ outcome: 'failed', code: 'CONTENT_MISMATCH' })
  expect(mountsBelow(agent)).toEqual([])
  expect(stateOf(loopback, disk)).toMatchObject({ stamp: 'approved by a test', blank: false })
})

test('an install that is killed halfway resumes by its stamp alone, becomes a system, and leaves other disks alone', async () => {
  const store = await openImageStore()
  const rootfs = await buildRootfs({ os: BOOKWORM, flavour: 'virtual-machine', store, signal: AbortSignal.timeout(800_000), onProgress: () => undefined })
  await using loopback = await openLoopback({ patienceMs: 400_000 })
  await using disk = await makeLoopDisk(folder, { serial: 'SYSTEM', bytes: 3 * 1024 * MIB })
  await using canary = await makeLoopDisk(folder, { serial: 'CANARY', bytes: 128 * MIB })
  run('mkfs.ext4', '-q', '-L', 'canary', canary.path)
  await canary.write(100 * MIB, Buffer.from('do not touch'))
  const canaryBefore = await canary.hash()
  await using server: RangeServer = await serveFile(store.path(rootfs.hash))
  await using agent = await startAgent(loopback, { main: bundle, loopDisks: `${disk.name}=${disk.serial},${canary.name}=${canary.serial}` })
  await connected(loopback)
  const approved = stateOf(loopback, disk).signature
  const fetchable = { url: server.url, sha256: rootfs.hash.slice('sha256:'.length), bytes: rootfs.bytes }

  server.holdAfter(8 * MIB)
  loopback.server.sessions.session('m1')?.send(install({ attempt: 1, disk, signature: approved, rootfs: fetchable }))
  await loopback.until((event): event is typeof event => event.type === 'output' && event.text.includes('unpacking 10 %'))
  expect(mountsBelow(agent).length).toBeGreaterThan(0)
  const from = loopback.events.length
  await agent.kill()
  server.holdAfter(null)
  agent.start()
  await connected(loopback, from)
  expect(mountsBelow(agent)).toEqual([])
  expect(stateOf(loopback, disk)).toMatchObject({ stamp: 'approved by a test', blank: false })
  expect(loopback.server.sessions.session('m1')?.journal.get('1/install@n1/1')).toMatchObject({ state: 'started' })

  loopback.server.sessions.session('m1')?.send(install({ attempt: 2, disk, signature: approved, rootfs: fetchable }))
  expect(await resultOf(loopback, 2)).toMatchObject({ outcome: 'failed', code: 'DISK_CHANGED' })

  server.starts.length = 0
  server.breakAfter(16 * MIB)
  loopback.server.sessions.session('m1')?.send(install({ attempt: 3, disk, signature: approved, orStamp: 'approved by a test', rootfs: fetchable }))
  expect(await resultOf(loopback, 3)).toMatchObject({ outcome: 'succeeded', code: null })
  expect(server.starts).toHaveLength(2)
  expect(server.starts[1]).toBeGreaterThan(0)
  expect(mountsBelow(agent)).toEqual([])
  expect(await canary.hash()).toBe(canaryBefore)

  // Until the result is durable with the agent, a power cut must still find the stamp.
  expect((await head(disk)).subarray(MIB - 4096, MIB - 4096 + 13).toString('latin1')).toBe('CROWBAR STAMP')
  loopback.server.sessions.session('m1')?.acknowledge('1/install@n1/3')
  for (let i = 0; i < 200 && (await head(disk)).subarray(MIB - 4096).some((byte) => byte !== 0); i++) await new Promise((resolve) => setTimeout(resolve, 50))
  expect((await head(disk)).subarray(MIB - 4096).some((byte) => byte !== 0)).toBe(false)
  await checkSystem(disk)
})

async function head(disk: LoopDisk): Promise<Buffer> {
  await using file = await open(disk.file, 'r')
  const buffer = Buffer.alloc(MIB)
  await file.read(buffer, 0, MIB, 0)
  return buffer
}

/** Looks into the system that was written. */
async function checkSystem(disk: LoopDisk): Promise<void> {
  expect((await head(disk)).subarray(0, 446).toString('latin1')).toContain('GRUB')
  run('partx', '--update', disk.path)
  const table = JSON.parse(run('sfdisk', '--json', disk.path)) as { partitiontable: { label: string; partitions: { type: string; size: number }[] } }
  expect(table.partitiontable.label).toBe('gpt')
  expect(table.partitiontable.partitions.map(({ type, size }) => [type.slice(0, 8), (size * 512) / MIB])).toEqual([
    ['21686148', 1], ['C12A7328', 256], ['0657FD6D', 128], ['0FC63DAF', 307], ['0FC63DAF', 3072 - 2 - 1 - 256 - 128 - 307],
  ])
  const at = join(folder, 'installed')
  await mkdir(at, { recursive: true })
  run('mount', '-o', 'ro', `${disk.path}p5`, at)
  try {
    const read = (path: string): Promise<string> => readFile(join(at, path), 'utf8')
    const uuid = run('blkid', '-p', '-s', 'UUID', '-o', 'value', `${disk.path}p5`).trim()
    expect(await read('etc/hostname')).toBe('n1\n')
    expect(await read('etc/hosts')).toContain('192.0.2.81 n1.example.com n1\n')
    expect(await read('etc/fstab')).toContain(`UUID=${uuid} / ext4 errors=remount-ro 0 1\n`)
    expect(await read('etc/fstab')).toMatch(/^UUID=[0-9a-f-]{36} none swap sw 0 0$/m)
    expect(await read('etc/resolv.conf')).toBe('search example.com\nnameserver 192.0.2.10\n')
    expect(await read('etc/machine-id')).toMatch(/^[0-9a-f]{32}\n$/)
    expect(await read(`etc/systemd/network/20-crowbar-port-525400000001.network`)).toContain(`[Match]\nPermanentMACAddress=${MAC}\n`)
    expect(await read('boot/grub/grub.cfg')).toContain(`root=UUID=${uuid} ro console=tty0 console=ttyS0`)
    expect(JSON.parse(await read('etc/crowbar/agent.json'))).toMatchObject({ token: 'secret', node: 'n1', incarnation: 'i1' })
    expect((await stat(join(at, 'etc/crowbar/agent.json'))).mode & 0o777).toBe(0o600)
    expect(run('chroot', at, '/usr/lib/crowbar/node', '--version')).toBe(`${process.version}\n`)
    expect(run('chroot', at, 'systemctl', 'is-enabled', 'crowbar-node.service', 'systemd-networkd.service').trim()).toBe('enabled\nenabled')
    expect(run('readlink', join(at, 'etc/systemd/system/multi-user.target.wants/crowbar-node.service')).trim()).toBe('/etc/systemd/system/crowbar-node.service')
    expect((await stat(join(at, 'boot/grub/i386-pc/core.img'))).size).toBeGreaterThan(0)
  } finally {
    run('umount', at)
  }
}
