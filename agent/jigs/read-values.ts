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
    if (name === undefined) throw new ResultError(`${folder}/${file} is not a name; use letters, digits and _`)
    if (Object.hasOwn(values, name)) throw new ResultError(`${folder}/${name} is there both as a string and as JSON`)
    const text = readText(bytes, path)
    values[name] = match?.[2] === undefined ? text : readJson(text, path)
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
