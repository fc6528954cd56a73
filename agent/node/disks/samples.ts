import { createHash } from 'node:crypto'
import type { Area, ReadAt } from './area.ts'

const MIB = 1024 * 1024
const GIB = 1024 * MIB
const EDGE = 16 * MIB
const PAGE = 4096

/** What the samples of an area showed. */
export interface Sampled {
  readonly zero: boolean
  /** SHA-256 over offset, length and bytes of each sample, hex. */
  readonly hash: string
}

/**
 * Where an area is looked at: its first and last 16 MiB and one MiB of every GiB between them. The place within the GiB
 * hangs on the disk and the area, so that it is the same each time and not the same for each disk.
 */
export function samplePlaces(area: Area, key: string): Area[] {
  if (area.bytes <= 2 * EDGE) return pieces(area)
  const middle: Area = { start: area.start + EDGE, bytes: area.bytes - 2 * EDGE }
  const places: Area[] = [...pieces({ start: area.start, bytes: EDGE })]
  for (let index = 0; index * GIB < middle.bytes; index++) {
    const room = Math.min(GIB, middle.bytes - index * GIB)
    const bytes = Math.min(MIB, room)
    const choices = Math.floor((room - bytes) / PAGE) + 1
    places.push({ start: middle.start + index * GIB + (number(`${key} ${area.start} ${area.bytes} ${index}`) % choices) * PAGE, bytes })
  }
  return [...places, ...pieces({ start: area.start + area.bytes - EDGE, bytes: EDGE })]
}

/**
 * Reads the samples of an area. What cannot be read counts as not zero, and as itself: a disk that begins to fail has
 * another hash.
 *
 * @param key names the disk.
 */
export async function sampleArea(read: ReadAt, area: Area, { key, signal }: { readonly key: string; readonly signal: AbortSignal }): Promise<Sampled> {
  const hash = createHash('sha256')
  let zero = true
  for (const { start, bytes } of samplePlaces(area, key)) {
    signal.throwIfAborted()
    hash.update(`${start - area.start} ${bytes}\n`)
    try {
      const data = await read(start, bytes)
      zero &&= isZero(data)
      hash.update(data)
    } catch (error) {
      zero = false
      hash.update(`unreadable ${(error as NodeJS.ErrnoException).code ?? ''}`)
    }
  }
  return { zero, hash: hash.digest('hex') }
}

function pieces({ start, bytes }: Area): Area[] {
  const all: Area[] = []
  for (let at = 0; at < bytes; at += MIB) all.push({ start: start + at, bytes: Math.min(MIB, bytes - at) })
  return all
}

function number(text: string): number {
  return createHash('sha256').update(text).digest().readUIntBE(0, 6)
}

const ZEROS = Buffer.alloc(MIB)

function isZero(data: Buffer): boolean {
  return data.equals(data.length === ZEROS.length ? ZEROS : ZEROS.subarray(0, data.length))
}
