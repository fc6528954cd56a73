import type { FileHandle } from 'node:fs/promises'
import { gapsBetween } from '../disks/area.ts'
import type { Area } from '../disks/area.ts'
import { STAMP_AREA } from '../disks/stamp.ts'
import { NodeError } from '../node-error.ts'
import { mustRun, runProgram } from '../run-program.ts'

/** What is overwritten and read back at a time, bytes. */
const PIECE = 1024 * 1024 * 1024
const BLOCK = 4 * 1024 * 1024
const ZEROS = Buffer.alloc(BLOCK)
/** Milliseconds between two words about how far it is. */
const SAY = 30_000

export interface ZeroOptions {
  /** Kernel name. */
  readonly name: string
  readonly bytes: number
  /** The disk, open for reading and writing and for nobody else. */
  readonly disk: FileHandle
  /** How many bytes are zeros and were read back; now and then, and at the end. */
  readonly onProgress: (done: number) => void
  readonly signal: AbortSignal
}

/**
 * Overwrites a whole disk with zeros, but for the stamp, which is the last to go.
 *
 * The kernel is asked to do it (BLKZEROOUT), which many disks do by themselves and quickly. Nobody's word is taken for it:
 * every byte is read back from the disk, and written as it is where it is not zero.
 *
 * @throws {NodeError} DISK_NOT_ERASED when a place cannot be written, or read back as zeros.
 */
export async function zeroDisk(options: ZeroOptions): Promise<void> {
  const { bytes, onProgress, signal } = options
  let done = 0
  let said = performance.now()
  let helps = true
  for (const area of gapsBetween({ start: 0, bytes }, [{ start: STAMP_AREA.start, bytes: STAMP_AREA.bytes }])) {
    for (let start = area.start; start < area.start + area.bytes; start += PIECE) {
      signal.throwIfAborted()
      const piece = { start, bytes: Math.min(PIECE, area.start + area.bytes - start) }
      helps = helps && (await zeroOut(piece, options))
      if (!helps || !(await readsZero(piece, options))) await overwrite(piece, options)
      done += piece.bytes
      if (performance.now() - said < SAY) continue
      said = performance.now()
      onProgress(done)
    }
  }
  onProgress(done)
}

/** Whether the kernel says that it did. `--force`: the disk is held by us. */
async function zeroOut({ start, bytes }: Area, { name, signal }: ZeroOptions): Promise<boolean> {
  const { exitCode } = await runProgram(['blkdiscard', '--force', '--zeroout', '--offset', String(start), '--length', String(bytes), `/dev/${name}`], { signal })
  return exitCode === 0
}

async function overwrite(piece: Area, options: ZeroOptions): Promise<void> {
  const { disk, name, signal } = options
  const end = piece.start + piece.bytes
  try {
    for (let at = piece.start; at < end;) {
      signal.throwIfAborted()
      const { bytesWritten } = await disk.write(ZEROS, 0, Math.min(BLOCK, end - at), at)
      at += bytesWritten
    }
    await disk.sync()
  } catch (error) {
    signal.throwIfAborted()
    throw new NodeError('DISK_NOT_ERASED', `${name} cannot be overwritten between ${piece.start} and ${end} bytes: ${String(error)}`, { cause: error })
  }
  if (!(await readsZero(piece, options))) throw new NodeError('DISK_NOT_ERASED', `${name} was overwritten with zeros between ${piece.start} and ${end} bytes, and does not read as zeros`)
}

/** From the disk, and not from what this machine remembers of it. */
async function readsZero({ start, bytes }: Area, { disk, name, signal }: ZeroOptions): Promise<boolean> {
  await mustRun(['blockdev', '--flushbufs', `/dev/${name}`], { signal })
  const buffer = Buffer.alloc(BLOCK)
  const end = start + bytes
  try {
    for (let at = start; at < end;) {
      signal.throwIfAborted()
      const { bytesRead } = await disk.read(buffer, 0, Math.min(BLOCK, end - at), at)
      if (bytesRead === 0 || !buffer.subarray(0, bytesRead).equals(ZEROS.subarray(0, bytesRead))) return false
      at += bytesRead
    }
  } catch {
    signal.throwIfAborted()
    // A place that cannot be read may be readable once it was written.
    return false
  }
  return true
}
