/** A stretch of a disk, bytes. */
export interface Area {
  readonly start: number
  readonly bytes: number
}

/** Reads a disk, a file in tests. Past the end, and where the disk cannot be read, it throws. */
export type ReadAt = (start: number, bytes: number) => Promise<Buffer>

/** What of `whole` is in none of the areas, in order; areas may overlap and come in any order. */
export function gapsBetween(whole: Area, areas: readonly Area[]): Area[] {
  const gaps: Area[] = []
  let at = whole.start
  const end = whole.start + whole.bytes
  for (const area of areas.toSorted((a, b) => a.start - b.start)) {
    if (area.start > at) gaps.push({ start: at, bytes: Math.min(area.start, end) - at })
    at = Math.max(at, area.start + area.bytes)
  }
  if (at < end) gaps.push({ start: at, bytes: end - at })
  return gaps.filter((gap) => gap.bytes > 0)
}
