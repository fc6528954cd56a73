import { flowYaml, quoted } from '../../schemas/flow-yaml.ts'
import type { Unsafe } from '../../schemas/flow-yaml.ts'
import type { Json } from '../../schemas/shape.ts'
import type { Pointer } from '../parse/document.ts'

export interface CommentedYamlOptions {
  readonly unsafe: Unsafe
  /** What to say behind a leaf. */
  readonly comment: (pointer: Pointer) => string | undefined
}

/** A map as YAML in block style, a leaf or a list a line, each with a comment. Ends with a newline; `{}` when it is empty. */
export function commentedYaml(value: { readonly [key: string]: Json }, options: CommentedYamlOptions): string {
  const lines: string[] = []
  write(value, [], options, lines)
  return lines.length === 0 ? '{}\n' : `${lines.join('\n')}\n`
}

function write(value: { readonly [key: string]: Json }, pointer: Pointer, options: CommentedYamlOptions, lines: string[]): void {
  for (const [key, child] of Object.entries(value)) {
    const at = [...pointer, key]
    const name = `${'  '.repeat(pointer.length)}${/^[A-Za-z_][A-Za-z0-9_]*$/.test(key) && !WORDS.has(key.toLowerCase()) ? key : quoted(key)}:`
    if (child !== null && typeof child === 'object' && !Array.isArray(child) && Object.keys(child).length > 0) {
      lines.push(name)
      write(child as { readonly [key: string]: Json }, at, options, lines)
    } else {
      const comment = options.comment(at)
      lines.push(`${name} ${flowYaml(child, options.unsafe)}${comment === undefined ? '' : `  # ${comment.replaceAll(/[^\x20-\x7e]/gu, '?')}`}`)
    }
  }
}

/** What YAML 1.1 takes for something else than a string. */
const WORDS: ReadonlySet<string> = new Set(['y', 'n', 'yes', 'no', 'on', 'off', 'true', 'false', 'null'])
