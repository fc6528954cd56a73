import type { Json } from '../../schemas/shape.ts'
import type { Resolved } from '../parse/scalar.ts'
import type { YamlDialect } from '../parse/yaml.ts'

const NULL = /^(?:~|null|Null|NULL|)$/
const TRUE = /^(?:yes|Yes|YES|true|True|TRUE|on|On|ON)$/
const FALSE = /^(?:no|No|NO|false|False|FALSE|off|Off|OFF)$/
const INTEGER = /^[-+]?(?:0b[01_]+|0[0-7_]+|0|[1-9][0-9_]*|0x[0-9a-fA-F_]+|[1-9][0-9_]*(?::[0-5]?[0-9])+)$/
const FLOAT = /^(?:[-+]?[0-9][0-9_]*\.[0-9_]*(?:[eE][-+][0-9]+)?|\.[0-9][0-9_]*(?:[eE][-+][0-9]+)?|[-+]?[0-9][0-9_]*(?::[0-5]?[0-9])+\.[0-9_]*)$/
const NOT_FINITE = /^(?:[-+]?\.(?:inf|Inf|INF)|\.(?:nan|NaN|NAN))$/

/** What a plain scalar means to PyYAML, which knows YAML 1.1: `yes` is true, `010` eight, `1:30` ninety. Dates stay text. */
function pyYamlPlain(text: string): Resolved {
  if (NULL.test(text)) return { value: null }
  if (TRUE.test(text)) return { value: true }
  if (FALSE.test(text)) return { value: false }
  if (INTEGER.test(text)) return whole(text.replaceAll('_', ''))
  if (FLOAT.test(text)) {
    const value = sexagesimal(text.replaceAll('_', ''))
    return Number.isFinite(value) ? { value: value === 0 ? 0 : value } : { problem: 'too-large' }
  }
  if (NOT_FINITE.test(text)) return { problem: 'not-a-number' }
  return { value: text }
}

function whole(text: string): Resolved {
  const sign = text.startsWith('-') ? -1 : 1
  const digits = text.replace(/^[-+]/, '')
  const value = /^0[0-7]/.test(digits) ? Number.parseInt(digits, 8) : digits.includes(':') ? sexagesimal(digits) : Number(digits)
  return Number.isSafeInteger(value) ? { value: value === 0 ? 0 : sign * value } : { problem: 'too-large' }
}

function sexagesimal(text: string): number {
  const sign = text.startsWith('-') ? -1 : 1
  return sign * text.replace(/^[-+]/, '').split(':').reduce((sum, part) => sum * 60 + Number(part), 0)
}

/** Most keys are text, and seen to be. */
const MAYBE_NO_TEXT = /^(?:[-+.~0-9]|(?:null|yes|no|true|false|on|off)$)/i

/** Keys that are no text, as JSON has them: `on` is `true`, `010` is `8`. */
function keyOf(text: string, plain: (text: string) => Resolved): string {
  if (!MAYBE_NO_TEXT.test(text)) return text
  const resolved = plain(text)
  if (!('value' in resolved)) return text
  const { value } = resolved
  return value === null || typeof value === 'boolean' || (typeof value === 'number' && !text.includes('.')) ? String(value) : text
}

function pyYamlKey(text: string): string {
  return keyOf(text, pyYamlPlain)
}

function saltPlain(text: string): Resolved {
  return pyYamlPlain(/^0[0-9]+$/.test(text) ? text.replace(/^0+(?=.)/, '') : text)
}

/** YAML as Ansible reads it. What is encrypted, or marked as no template, becomes what Ansible writes into JSON for it. */
export const ANSIBLE_YAML: YamlDialect = {
  plain: pyYamlPlain,
  key: pyYamlKey,
  tagged(tag, text): Json | undefined {
    if (tag === '!vault' || tag === '!vault-encrypted') return { __ansible_vault: text }
    if (tag === '!!timestamp') return text
    return tag === '!unsafe' ? { __ansible_unsafe: text } : undefined
  },
  classes: /^!unsafe$/,
}

/** YAML as Salt reads it: PyYAML, but a number that begins with 0 is decimal. */
export const SALT_YAML: YamlDialect = {
  plain: saltPlain,
  key: (text) => keyOf(text, saltPlain),
  tagged: (tag, text) => (tag === '!!python/unicode' || tag === '!!python/str' ? text : undefined),
}

/** YAML as Ruby reads it, near enough: what Crowbar 1 was written in. */
export const RUBY_YAML: YamlDialect = { plain: pyYamlPlain, key: pyYamlKey, tagged: (tag, text) => (tag === '!ruby/sym' || tag === '!ruby/symbol' ? text : undefined), classes: /^!ruby\/(?:object|hash|array)/ }
