import type { Json } from '../../schemas/shape.ts'
import { childrenOf, scalarText } from './value-files.ts'

/**
 * A document as assignments that any POSIX shell can source.
 *
 * A leaf's variable is its path with `_` between the keys and for each character that is not a letter, digit or `_`
 * (`web.http-port` → `web_http_port`; a leading digit gets a `_` before it). A list of scalars is also one variable of
 * lines. Null is the empty string. Where two paths would give one name, neither is set and a comment says so; the same
 * goes for strings with a NUL and for names without `_`, which could be a variable of the shell's own.
 */
export function shellAttributes(document: { readonly [key: string]: Json }): string {
  const found = new Map<string, { readonly path: string; readonly text: string }[]>()
  const add = (path: readonly string[], text: string): void => {
    const name = variableName(path)
    found.set(name, [...(found.get(name) ?? []), { path: path.join('.'), text }])
  }
  const visit = (value: Json, path: readonly string[]): void => {
    if (value === null || typeof value !== 'object') {
      add(path, scalarText(value))
      return
    }
    if (Array.isArray(value) && value.every((item) => item === null || typeof item !== 'object')) {
      add(path, value.map((item) => scalarText(item as string)).join('\n'))
    }
    for (const [key, child] of childrenOf(value)) visit(child, [...path, key])
  }
  for (const [key, value] of childrenOf(document)) visit(value, [key])
  return [...found].map(([name, leaves]) => assignment(name, leaves)).join('')
}

/** A path as the name of a shell variable. */
export function variableName(path: readonly string[]): string {
  const name = path.map((key) => key.replaceAll(/[^A-Za-z0-9_]/gu, '_')).join('_')
  return /^[0-9]/.test(name) ? `_${name}` : name
}

/** A string as one word of a POSIX shell. */
export function shellQuote(text: string): string {
  return `'${text.replaceAll("'", String.raw`'\''`)}'`
}

function assignment(name: string, leaves: readonly { readonly path: string; readonly text: string }[]): string {
  const [leaf] = leaves
  const paths = leaves.map(({ path }) => path.replaceAll(/[^\x20-\x7e]/gu, '?')).join(', ')
  if (leaf === undefined || leaves.length > 1) return `# ${name} is not set: it would be ${paths}\n`
  if (leaf.text.includes('\0')) return `# ${name} is not set: ${paths} holds a NUL\n`
  if (!name.includes('_')) return `# ${name} is not set: ${paths} could be a variable of the shell's own\n`
  return `${name}=${shellQuote(leaf.text)}\n`
}
