import { crc32 } from 'node:zlib'
import { expect, test } from 'vitest'
import { readGpt } from '../../../../agent/node/disks/partition-table.ts'

const SECTOR = 512
const BYTES = 1024 * 1024

/** A disk with one GPT header at its start, right in its checksums whatever it says. */
function diskWith({ first = 64n, last = 127n, entriesAt = 2n }: { readonly first?: bigint; readonly last?: bigint; readonly entriesAt?: bigint }): Buffer {
  const disk = Buffer.alloc(BYTES)
  const entries = Buffer.alloc(128 * 128)
  entries.fill(0x11, 0, 32)
  entries.writeBigUInt64LE(first, 32)
  entries.writeBigUInt64LE(last, 40)
  entries.copy(disk, 2 * SECTOR)
  const header = disk.subarray(SECTOR, 2 * SECTOR)
  header.write('EFI PART', 'latin1')
  header.writeUInt32LE(92, 12)
  header.writeBigUInt64LE(entriesAt, 72)
  header.writeUInt32LE(128, 80)
  header.writeUInt32LE(128, 84)
  header.writeUInt32LE(crc32(entries), 88)
  header.writeUInt32LE(crc32(header.subarray(0, 92)), 16)
  return disk
}

const read = (disk: Buffer) => (start: number, bytes: number): Promise<Buffer> =>
  start < 0 || start + bytes > disk.length ? Promise.reject(new RangeError(`cannot read ${bytes} bytes at ${start}`)) : Promise.resolve(disk.subarray(start, start + bytes))
const tableOf = (disk: Buffer) => readGpt(read(disk), { bytes: BYTES, sector: SECTOR })

test('a sound table is read', async () => {
  expect((await tableOf(diskWith({})))?.partitions).toMatchObject([{ number: 1, start: 64 * SECTOR, bytes: 64 * SECTOR }])
})

test.each([
  ['ends before it begins', { first: 64n, last: 5n }],
  ['ends beyond the disk', { last: 9_999_999_999n }],
  ['has its entries beyond the disk', { entriesAt: 99_999_999n }],
])('a table that %s is damaged, and not a reason to see nothing of the disk', async (_, wrong) => {
  expect(await tableOf(diskWith(wrong))).toBeUndefined()
})
