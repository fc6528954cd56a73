import { createCipheriv, createHash } from 'node:crypto'
import { createReadStream } from 'node:fs'
import { open } from 'node:fs/promises'
import type { VirtualDisk } from './machines.ts'

const BLOCK = 1024 * 1024

/**
 * Makes the file behind a virtual disk: sparse zeros, or for a canary bytes that look like nothing known and that the
 * serial alone decides, so that a rehearsal can be repeated.
 *
 * @returns SHA-256 of a canary's bytes, hex; null for a blank disk.
 */
export async function makeDiskFile(path: string, disk: VirtualDisk): Promise<string | null> {
  await using file = await open(path, 'wx', 0o600)
  await file.truncate(disk.bytes)
  if (!disk.canary) return null
  const key = createHash('sha256').update(`canary ${disk.serial}`).digest()
  const cipher = createCipheriv('aes-256-ctr', key, Buffer.alloc(16))
  const hash = createHash('sha256')
  const zeros = Buffer.alloc(BLOCK)
  for (let offset = 0; offset < disk.bytes; offset += BLOCK) {
    const block = cipher.update(offset + BLOCK <= disk.bytes ? zeros : zeros.subarray(0, disk.bytes - offset))
    hash.update(block)
    await file.write(block, 0, block.length, offset)
  }
  return hash.digest('hex')
}

/** SHA-256 of a disk's bytes as they are now, hex. */
export async function hashDiskFile(path: string): Promise<string> {
  const hash = createHash('sha256')
  for await (const chunk of createReadStream(path, { highWaterMark: BLOCK })) hash.update(chunk as Buffer)
  return hash.digest('hex')
}
