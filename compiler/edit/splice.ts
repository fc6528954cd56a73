/** Text that takes the place of a part of a file. Offsets are UTF-16 units into the text; everything around it stays as it is. */
export interface Splice {
  readonly path: string
  readonly start: number
  readonly end: number
  /** null: the file goes. */
  readonly text: string | null
}

/**
 * Carries out splices. Of two that overlap, as two documents that go and stand side by side do, the first ends where the
 * second begins.
 *
 * @param read the text of a file.
 * @returns the new text of each file that changes; null: it goes.
 */
export function applySplices(splices: readonly Splice[], read: (path: string) => string): ReadonlyMap<string, string | null> {
  const files = new Map<string, string | null>()
  for (const [path, own] of Map.groupBy(splices, (splice) => splice.path)) {
    if (own.some(({ text }) => text === null)) {
      files.set(path, null)
      continue
    }
    let text = read(path)
    let limit = text.length
    for (const splice of own.toSorted((a, b) => b.start - a.start)) {
      text = text.slice(0, splice.start) + splice.text + text.slice(Math.min(splice.end, limit))
      limit = splice.start
    }
    files.set(path, text)
  }
  return files
}
