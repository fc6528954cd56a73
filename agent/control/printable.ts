/** What moves a cursor, rings a bell or turns the direction of text: C0, C1, line and paragraph separators, bidi marks. */
// eslint-disable-next-line no-control-regex
const UNPRINTABLE = /[\u0000-\u0009\u000b-\u001f\u007f-\u009f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069]/g

/**
 * A copy of a document in which no text can do anything on a terminal but stand there. Serial numbers, labels of disks
 * and messages come from machines that may lie, and a person reads them to approve what is overwritten.
 */
export function printable<T>(value: T): T {
  if (typeof value === 'string') return value.replaceAll(UNPRINTABLE, '?') as T
  if (Array.isArray(value)) return value.map((item: unknown) => printable(item)) as T
  if (value === null || typeof value !== 'object') return value
  return Object.fromEntries(Object.entries(value).map(([key, item]) => [printable(key), printable(item as unknown)])) as T
}
