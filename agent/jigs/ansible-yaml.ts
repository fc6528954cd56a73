import type { Json } from '../../schemas/shape.ts'

/** Strings that Ansible would take for templates. */
const TEMPLATE = /\{\{|\{%|\{#/

/**
 * A value as YAML that Ansible reads as exactly that value: strings that look like templates are `!unsafe`, so that a
 * password with `{{` in it stays one. One line, in flow style; keys are not templated by Ansible.
 */
export function ansibleYaml(value: Json): string {
  if (value === null || typeof value === 'boolean') return String(value)
  if (typeof value === 'number') return numberText(value)
  if (typeof value === 'string') return TEMPLATE.test(value) ? `!unsafe ${quoted(value)}` : quoted(value)
  if (Array.isArray(value)) return `[${(value as readonly Json[]).map(ansibleYaml).join(', ')}]`
  return `{${Object.entries(value).map(([key, child]) => `${quoted(key)}: ${ansibleYaml(child)}`).join(', ')}}`
}

/** YAML 1.1 takes `1e21` for a string: it wants a point and a sign. */
function numberText(value: number): string {
  if (Number.isSafeInteger(value)) return String(value)
  const [mantissa = '', exponent] = String(value).split('e')
  if (exponent === undefined) return mantissa.includes('.') ? mantissa : `${mantissa}.0`
  return `${mantissa.includes('.') ? mantissa : `${mantissa}.0`}e${exponent.startsWith('-') ? '' : '+'}${exponent.replace('+', '')}`
}

/** Double quoted, in characters that every YAML reader takes as they are. */
function quoted(text: string): string {
  return JSON.stringify(text).replaceAll(/[^\x20-\x7e]/gu, (character) => {
    const code = character.codePointAt(0) ?? 0
    return code > 0xffff ? `\\U${code.toString(16).padStart(8, '0')}` : `\\u${code.toString(16).padStart(4, '0')}`
  })
}
