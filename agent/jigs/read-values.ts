import type { Json } from '../../schemas/shape.ts'
import type { JigOutcome } from './jig.ts'

/** What a program left that cannot be read; `readOutcome` turns it into a failed outcome. */
export class ResultError extends Error {}

/** What a run means, as `read` says it; what cannot be read fails with JIG_RESULT. */
export function readOutcome<T = JigOutcome>(entry: string, read: () => T): T | Extract<JigOutcome, { kind: 'failed' }> {
  try {
    return read()
  } catch (error) {
    if (!(error instanceof ResultError)) throw error
    return { kind: 'failed', code: 'JIG_RESULT', message: `${entry}: ${error.message}` }
  }
}

/**
 * The values that a program left in `<folder>/` of its results: `<name>` is a string, `<name>.json` any JSON value.
 *
 * @throws {ResultError}
 */
export function readValues(files: ReadonlyMap<string, Uint8Array>, folder: string): Record<string, Json> {
  const values: Record<string, Json> = {}
  for (const [path, bytes] of files) {
    if (!path.startsWith(`${folder}/`)) continue
    const file = path.slice(folder.length + 1)
    const match = /^([A-Za-z_][A-Za-z0-9_]*)(\.json)?$/.exec(file)
    const name = match?.[1]
    if (name === undefined || name === '__proto__') throw new ResultError(`${folder}/${file} is not a name; use letters, digits and _`)
    if (Object.hasOwn(values, name)) throw new ResultError(`${folder}/${name} is there both as a string and as JSON`)
    const text = readText(bytes, path)
    values[name] = match?.[2] === undefined ? text : readValue(text, path)
  }
  return values
}

/** @throws {ResultError} not UTF-8. */
export function readText(bytes: Uint8Array, path: string): string {
  try {
    return new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(bytes)
  } catch {
    throw new ResultError(`${path} is not UTF-8`)
  }
}

/** @throws {ResultError} not JSON. */
export function readJson(text: string, path: string): Json {
  try {
    return JSON.parse(text) as Json
  } catch {
    // The parser's message quotes the text, which may be what nobody is to see.
    throw new ResultError(`${path} is not JSON`)
  }
}

/**
 * A value that a program hands on, as it wrote it.
 *
 * @throws {ResultError} not JSON, or something that would be another value on the other side: a whole number beyond 2^53
 *   that is rounded, a number that is none, half a surrogate pair, a key called `__proto__`.
 */
export function readValue(text: string, path: string): Json {
  const value = readJson(text, path)
  let change: string | undefined
  JSON.parse(text, (key: string, one: unknown, context?: { readonly source?: string }): unknown => {
    if (typeof one === 'number' && !isKept(one, context?.source ?? '')) change ??= 'a number that is too large to be kept exactly: make it a string'
    if (!key.isWellFormed() || (typeof one === 'string' && !one.isWellFormed())) change ??= 'half of a surrogate pair, which is no character'
    if (key === '__proto__') change ??= 'a key called __proto__'
    return one
  })
  if (change !== undefined) throw new ResultError(`${path} holds ${change}`)
  return value
}

function isKept(value: number, source: string): boolean {
  if (!Number.isFinite(value)) return false
  return Number.isSafeInteger(value) || !/^-?[0-9]+$/.test(source) || BigInt(source) === BigInt(value)
}
