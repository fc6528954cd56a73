import { mustRun, runProgram } from '../run-program.ts'
import type { Area } from './area.ts'

/** Something that libblkid knows: a filesystem, a RAID or LVM member, LUKS, swap, a partition table. */
export interface Known {
  readonly type: string
  /** Empty when it has none. */
  readonly uuid: string
  readonly label: string
}

/** Every signature on a whole disk, as `wipefs` finds them; also those of tables and of what an earlier life left. */
export async function probeDisk(path: string, { signal }: { readonly signal: AbortSignal }): Promise<(Known & { readonly offset: number })[]> {
  const text = await mustRun(['wipefs', '--json', path], { signal })
  if (text.trim() === '') return []
  const { signatures = [] } = JSON.parse(text) as { signatures?: { type: string; offset: string; uuid: string | null; label: string | null }[] }
  return signatures.map(({ type, offset, uuid, label }) => ({ type, offset: Number(offset), uuid: uuid ?? '', label: label ?? '' }))
}

/** Exit codes of `blkid -p` (blkid(8)). */
const NOTHING_FOUND = 2
const AMBIVALENT = 8

/**
 * What is in a partition, read at its place on the disk: it does not matter whether the kernel knows the partition.
 * `ambivalent` stands for an area with the signatures of several things; undefined for one with none.
 */
export async function probePartition(path: string, { start, bytes }: Area, { signal }: { readonly signal: AbortSignal }): Promise<Known | undefined> {
  const argv = ['blkid', '-p', '-o', 'export', '-O', String(start), '-S', String(bytes), path] as const
  const { exitCode, stdout, stderr } = await runProgram(argv, { signal })
  if (exitCode === NOTHING_FOUND) return undefined
  if (exitCode === AMBIVALENT) return { type: 'ambivalent', uuid: '', label: '' }
  if (exitCode !== 0) throw new Error(`${argv.join(' ')} ended with ${exitCode}: ${stderr.trim()}`)
  const fields = new Map(stdout.split('\n').map((line) => [line.slice(0, line.indexOf('=')), line.slice(line.indexOf('=') + 1)] as const))
  const type = fields.get('TYPE') ?? fields.get('PTTYPE')
  if (type === undefined) return undefined
  return { type, uuid: fields.get('UUID') ?? fields.get('PTUUID') ?? '', label: fields.get('LABEL') ?? '' }
}
