import type { Json } from './shape.ts'

/** What Ansible would take for a template. A first line `#jinja2:` says what begins one, from 2.19 on in values too. */
const TEMPLATE = /\{\{|\{%|\{#|^#jinja2:/

/** Which strings get the tag `!unsafe`, by which Ansible knows that they are no templates. No other reader knows it. */
export type Unsafe = 'templates' | 'none'

/**
 * A value as one line of YAML in flow style, which every YAML reader, 1.1 or 1.2, takes for exactly that value: printable
 * ASCII only, every string and key quoted.
 */
export function flowYaml(value: Json, unsafe: Unsafe = 'templates'): string {
  if (value === null || typeof value === 'boolean') return String(value)
  if (typeof value === 'number') return numberText(value)
  if (typeof value === 'string') return unsafe === 'templates' && TEMPLATE.test(value) ? `!unsafe ${quoted(value)}` : quoted(value)
  if (Array.isArray(value)) return `[${(value as readonly Json[]).map((item) => flowYaml(item, unsafe)).join(', ')}]`
  return `{${Object.entries(value).map(([key, child]) => `${quoted(key)}: ${flowYaml(child, unsafe)}`).join(', ')}}`
}

/** YAML 1.1 takes `1e21` for a string: it wants a point and a sign. */
function numberText(value: number): string {
  if (Number.isSafeInteger(value)) return String(value)
  const [mantissa = '', exponent] = String(value).split('e')
  const pointed = mantissa.includes('.') ? mantissa : `${mantissa}.0`
  if (exponent === undefined) return pointed
  return `${pointed}e${exponent.startsWith('-') ? '' : '+'}${exponent.replace('+', '')}`
}

/** Double quoted, in characters that every YAML reader takes as they are. */
export function quoted(text: string): string {
  return JSON.stringify(text).replaceAll(/[^\x20-\x7e]/gu, (character) => {
    const code = character.codePointAt(0) ?? 0
    return code > 0xffff ? `\\U${code.toString(16).padStart(8, '0')}` : `\\u${code.toString(16).padStart(4, '0')}`
  })
}
