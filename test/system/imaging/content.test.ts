import { execFileSync } from 'node:child_process'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { inspectDisk } from '../../../agent/node/disks/inspect.ts'
import { inspectedDevice } from '../../../agent/node/disks/inspect-all.ts'
import { STAMP_AREA, formatStamp } from '../../../agent/node/disks/stamp.ts'
import { openSystemFiles } from '../../../agent/node/facts/system-files.ts'
import type { DiskState } from '../../../schemas/inventory.ts'
import { needDebianPackages } from '../debian-packages.ts'
import { DISK_PACKAGES, makeLoopDisk, run } from './loop-disk.ts'
import type { LoopDisk } from './loop-disk.ts'

const MIB = 1024 * 1024
let folder = ''

beforeAll(async () => {
  await needDebianPackages(DISK_PACKAGES)
  folder = await mkdtemp(join(tmpdir(), 'crowbar-disks-'))
})
afterAll(async () => {
  await rm(folder, { recursive: true, force: true })
})

function look(disk: LoopDisk): Promise<DiskState> {
  return inspectDisk(inspectedDevice(disk.device, openSystemFiles('/')), { signal: AbortSignal.timeout(60_000) })
}

test('a disk of zeros is blank, and looking at it changes nothing', async () => {
  await using disk = await makeLoopDisk(folder, { serial: 'ZERO', bytes: 200 * MIB })
  const before = await disk.hash()
  const state = await look(disk)
  expect(state).toMatchObject({ id: 'serial:ZERO', serial: 'ZERO', bytes: 200 * MIB, blank: true, summary: 'blank', stamp: null })
  expect(await disk.hash()).toBe(before)
})

test('an ext4 without a partition table is named with its UUID and label', async () => {
  await using disk = await makeLoopDisk(folder, { serial: 'EXT4', bytes: 64 * MIB })
  run('mkfs.ext4', '-q', '-L', 'canary', '-U', '11111111-2222-3333-4444-555555555555', disk.path)
  const state = await look(disk)
  expect(state).toMatchObject({ blank: false, summary: 'ext4 "canary"' })
  expect(JSON.parse(state.signature)).toMatchObject({ table: null, content: [{ at: 0, type: 'ext4', uuid: '11111111-2222-3333-4444-555555555555' }], unknown: [] })
  expect((await look(disk)).signature).toBe(state.signature)
})

test('a header of LVM is named, though nothing of LVM is installed here', async () => {
  await using disk = await makeLoopDisk(folder, { serial: 'LVM', bytes: 64 * MIB })
  const label = Buffer.alloc(512)
  label.write('LABELONE', 'latin1')
  label.writeBigUInt64LE(1n, 8)
  label.writeUInt32LE(32, 20)
  label.write('LVM2 001', 24, 'latin1')
  label.write('abcdefghijklmnopqrstuvwxyz012345', 32, 'latin1')
  label.writeUInt32LE(lvmCrc(label.subarray(20)), 16)
  await disk.write(512, label)
  const state = await look(disk)
  expect(state).toMatchObject({ blank: false, summary: 'LVM2_member' })
  expect(JSON.parse(state.signature)).toMatchObject({ content: [{ type: 'LVM2_member', uuid: 'abcdef-ghij-klmn-opqr-stuv-wxyz-012345' }] })
})

test('random data without a signature is not blank, and other data has another signature', async () => {
  await using disk = await makeLoopDisk(folder, { serial: 'RANDOM', bytes: 64 * MIB })
  await disk.write(0, Buffer.alloc(8 * MIB, 'nothing that libblkid knows'))
  const before = await look(disk)
  expect(before).toMatchObject({ blank: false, summary: 'unknown data' })
  await disk.write(5 * MIB, Buffer.from('changed'))
  expect((await look(disk)).signature).not.toBe(before.signature)
})

test('a single sector at the very end of a disk keeps it from being blank', async () => {
  await using disk = await makeLoopDisk(folder, { serial: 'END', bytes: 4096 * MIB })
  await disk.write(4096 * MIB - 512, Buffer.alloc(512, 1))
  expect(await look(disk)).toMatchObject({ blank: false, summary: 'unknown data' })
})

test('a GPT is read with what is in its partitions, in an unknown one, and between them', async () => {
  await using disk = await makeLoopDisk(folder, { serial: 'GPT', bytes: 256 * MIB })
  table(disk, 'label: gpt\nlabel-id: 11111111-0000-0000-0000-000000000001\nstart=2048, size=65536, type=L, uuid=11111111-0000-0000-0000-000000000002\nstart=67584, size=65536, type=L, uuid=11111111-0000-0000-0000-000000000003\nstart=200704, size=32768, type=S, uuid=11111111-0000-0000-0000-000000000004\n')
  run('mkfs.ext4', '-q', '-F', '-U', '11111111-2222-3333-4444-555555555555', '-E', `offset=${MIB}`, disk.path, '32M')
  await disk.write(33 * MIB + 4096, Buffer.from('a database without a filesystem'))
  await disk.write(70 * MIB, Buffer.from('left behind between partitions'))
  const state = await look(disk)
  expect(state).toMatchObject({ blank: false, summary: 'gpt: ext4, unknown data, empty; data outside of partitions' })
  const signature = JSON.parse(state.signature) as { unknown: { start: number; bytes: number }[] }
  expect(signature).toMatchObject({
    table: { kind: 'gpt', id: '11111111-0000-0000-0000-000000000001', partitions: [{ number: 1, start: MIB, bytes: 32 * MIB, uuid: '11111111-0000-0000-0000-000000000002' }, { number: 2 }, { number: 3 }] },
    content: [{ at: 1, type: 'ext4', uuid: '11111111-2222-3333-4444-555555555555' }],
  })
  expect(signature.unknown.map(({ start, bytes }) => [start / MIB, bytes / MIB])).toEqual([[33, 32], [65, 33]])
})

test('an MBR with logical partitions is read, and FAT without a table is not taken for one', async () => {
  await using disk = await makeLoopDisk(folder, { serial: 'MBR', bytes: 128 * MIB })
  table(disk, 'label: dos\nlabel-id: 0xcafe0001\nstart=2048, size=32768, type=83\nstart=34816, size=131072, type=5\nstart=36864, size=32768, type=83\nstart=71680, size=32768, type=83\n')
  const state = await look(disk)
  expect(JSON.parse(state.signature)).toMatchObject({
    table: { kind: 'dos', id: 'cafe0001', partitions: [{ number: 1, start: MIB }, { number: 2, type: '05' }, { number: 5, start: 18 * MIB, bytes: 16 * MIB }, { number: 6, start: 35 * MIB }] },
  })
  await using fat = await makeLoopDisk(folder, { serial: 'FAT', bytes: 64 * MIB })
  run('mkfs.vfat', '-I', '-i', 'CAFEBABE', fat.path)
  expect(await look(fat)).toMatchObject({ blank: false, summary: 'vfat' })
})

test('what only the other half of a hybrid MBR knows of is named', async () => {
  await using disk = await makeLoopDisk(folder, { serial: 'HYBRID', bytes: 128 * MIB })
  table(disk, 'label: gpt\nstart=2048, size=32768\n')
  run('mkfs.ext4', '-q', '-F', '-L', 'mac', '-E', `offset=${32 * MIB}`, disk.path, '32M')
  expect((await look(disk)).summary).toBe('gpt: empty; data outside of partitions')
  const entry = Buffer.alloc(16)
  entry.writeUInt8(0x83, 4)
  entry.writeUInt32LE((32 * MIB) / 512, 8)
  entry.writeUInt32LE((32 * MIB) / 512, 12)
  await disk.write(446 + 16, entry)
  // The same partition in both tables is one.
  const twice = Buffer.from(entry)
  twice.writeUInt32LE(2048, 8)
  twice.writeUInt32LE(32768, 12)
  await disk.write(446 + 32, twice)
  const state = await look(disk)
  expect(state).toMatchObject({ blank: false, summary: 'gpt + mbr: empty, ext4 "mac"' })
  expect(JSON.parse(state.signature)).toMatchObject({ table: { kind: 'gpt + mbr', partitions: [{ number: 1 }, { number: 1002, start: 32 * MIB, bytes: 32 * MIB, type: '83' }] }, content: [{ at: 1002, type: 'ext4' }], unknown: [] })
})

test('a damaged GPT is read from its copy at the end', async () => {
  await using disk = await makeLoopDisk(folder, { serial: 'COPY', bytes: 64 * MIB })
  table(disk, 'label: gpt\nstart=2048, size=2048, uuid=11111111-0000-0000-0000-000000000002\n')
  await disk.write(512, Buffer.alloc(92, 0xff))
  expect(JSON.parse((await look(disk)).signature)).toMatchObject({ table: { kind: 'gpt', partitions: [{ uuid: '11111111-0000-0000-0000-000000000002' }] } })
})

test('a stamp is reported and does not change what the signature says', async () => {
  await using disk = await makeLoopDisk(folder, { serial: 'STAMP', bytes: 64 * MIB })
  const before = await look(disk)
  await disk.write(STAMP_AREA.start, formatStamp('approved'))
  expect(await look(disk)).toEqual({ ...before, stamp: 'approved' })
  await disk.write(STAMP_AREA.start + 55, Buffer.from('X'))
  expect(await look(disk)).toMatchObject({ stamp: null, blank: false })
})

/** CRC of LVM's label: the polynomial of CRC-32 from another start, not inverted (lib/misc/crc.c). */
function lvmCrc(bytes: Buffer): number {
  let crc = 0xf597a6cf
  for (const byte of bytes) {
    crc ^= byte
    for (let bit = 0; bit < 8; bit++) crc = (crc >>> 1) ^ (0xedb88320 & -(crc & 1))
  }
  return crc >>> 0
}

function table(disk: LoopDisk, script: string): void {
  execFileSync('sfdisk', ['--quiet', '--no-reread', '--no-tell-kernel', disk.path], { input: script, stdio: ['pipe', 'pipe', 'pipe'] })
}
