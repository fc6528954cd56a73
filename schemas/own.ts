/**
 * What a record itself holds under a key that people chose. A plain `record[key]` would find `constructor` in every
 * object.
 */
export function own<T>(record: { readonly [key: string]: T } | null | undefined, key: string): T | undefined {
  return record !== null && record !== undefined && Object.hasOwn(record, key) ? record[key] : undefined
}
