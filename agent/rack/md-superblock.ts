import { createHash } from 'node:crypto'

/** Where version 1.2 has its superblock; version 1.0 has it so far before the end, bytes. */
export const MD_SUPERBLOCK_AT = 4096
const MD_SUPERBLOCK_BEFORE_END = 8192
/** Where the data of our arrays begins, bytes; in version 1.0 it begins with the disk, and leaves as much at the end. */
const DATA_AT = 1024 * 1024
const SECTOR = 512
const LENGTH = 256

/**
 * The superblock of a mirror of one disk (version 1.2 or, `atEnd`, 1.0; the kernel's `include/uapi/linux/raid/md_p.h`): complete by itself, so
 * whatever assembles arrays unasked assembles it at first sight, and writes to the disk.
 *
 * @param serial decides every identifier.
 * @param bytes size of the disk.
 */
export function mdSuperblock({ serial, bytes, atEnd = false }: { readonly serial: string; readonly bytes: number; readonly atEnd?: boolean }): Buffer {
  const block = Buffer.alloc(SECTOR)
  const sectors = (length: number): bigint => BigInt(length / SECTOR)
  const hash = (text: string): Buffer => createHash('sha256').update(text).digest()
  block.writeUInt32LE(0xa92b4efc, 0)
  block.writeUInt32LE(1, 4)
  hash(`array ${serial}`).copy(block, 16, 0, 16)
  block.write('canary', 32, 'latin1')
  block.writeInt32LE(1, 72) // level
  block.writeBigUInt64LE(sectors(bytes - DATA_AT), 80)
  block.writeUInt32LE(1, 92) // disks
  block.writeBigUInt64LE(sectors(atEnd ? 0 : DATA_AT), 128)
  block.writeBigUInt64LE(sectors(bytes - DATA_AT), 136)
  block.writeBigUInt64LE(sectors(atEnd ? bytes - MD_SUPERBLOCK_BEFORE_END : MD_SUPERBLOCK_AT), 144)
  hash(`member ${serial}`).copy(block, 168, 0, 16)
  block.writeBigUInt64LE(1n, 200) // events
  block.writeBigUInt64LE(0xffffffffffffffffn, 208) // in sync to the end
  block.writeUInt32LE(1, 220) // roles that follow: the first disk is the first
  block.writeUInt32LE(checksum(block.subarray(0, LENGTH + 2)), 216)
  return block
}

/** All 32-bit words and what is left, with carries added in. */
function checksum(block: Buffer): number {
  let sum = 0
  for (let at = 0; at + 4 <= block.length; at += 4) sum += block.readUInt32LE(at)
  if (block.length % 4 === 2) sum += block.readUInt16LE(block.length - 2)
  return (sum % 2 ** 32) + Math.floor(sum / 2 ** 32)
}
