import type { Json, JsonSchema } from '../../schemas/shape.ts'
import type { Pointer } from '../parse/document.ts'
import { DURATION, MAC, NAME, PAUSE, SHARE } from '../../schemas/documents/words.ts'

type Word = string | number | boolean | null

/** What text of a pattern is called by people. */
const FORMS: Readonly<Record<string, string>> = {
  [NAME]: 'a name: lower-case letters, digits and inner hyphens, at most 63',
  '^[a-z][a-z0-9-]{0,62}$': 'a name: a lower-case letter, then letters, digits and hyphens, at most 63',
  '^[a-z][a-z0-9_-]{0,62}$': 'a name: a lower-case letter, then letters, digits, hyphens and underscores, at most 63',
  [MAC]: 'a MAC address such as 52:54:00:12:4d:01',
  [DURATION]: 'a duration such as 30s, 20m, 2h or 1d, longer than nothing',
  [PAUSE]: 'a duration such as 0s, 30s, 20m, 2h or 1d',
  [SHARE]: 'a count or a share such as 3 or 10%',
  '^[0-9a-fA-F:.]+/[0-9]{1,3}$': 'a subnet such as 192.168.124.0/24',
  '^[0-9a-fA-F:.]+-[0-9a-fA-F:.]+$': 'a range of addresses such as 192.168.124.81-192.168.124.160',
  '^age1': 'an age recipient, which begins with age1',
  '^/': 'an absolute path',
  '^([0-9]+(MiB|GiB|TiB)|[0-9]{1,3}%|rest)$': 'a size such as 512MiB, 20GiB, 50% or rest',
  '^[0-9]+(MiB|GiB)$': 'a size such as 512MiB or 20GiB',
  '^[0-9]+\\.[0-9]+\\.[0-9]+([-+][0-9A-Za-z.-]+)?$': 'a version of three numbers such as 1.2.0',
  '^[a-z0-9]([a-z0-9.-]{0,251}[a-z0-9])?$': 'a domain name in lower case such as austin.example.com',
  '^[A-Za-z_][A-Za-z0-9_]*$': 'a name: letters, digits and underscores',
  '^(https?|git|ssh|file)://': 'a URL',
  '^[0-9a-f]{64}$': 'a SHA-256 in hexadecimal',
  '^[0-9]+(m|g)\\+?$': 'a speed such as 1g or 10g+',
}

/** What a schema asks for, as the end of "… has to be". */
export function describeSchema(schema: JsonSchema): string {
  if (schema['const'] !== undefined) return `\`${String(schema['const'] as Word)}\``
  const words = schema['enum'] as readonly Word[] | undefined
  if (words !== undefined) return words.length === 1 ? `\`${String(words[0])}\`` : `one of ${words.map((word) => String(word)).join(', ')}`
  const alternatives = schema['anyOf'] as readonly JsonSchema[] | undefined
  if (alternatives !== undefined) return [...new Set(alternatives.map(describeSchema))].join(', or ')
  switch (schema['type']) {
    case 'string': {
      const pattern = schema['pattern'] as string | undefined
      if (pattern !== undefined) return FORMS[pattern] ?? `text that matches ${pattern}`
      return schema['minLength'] === undefined ? 'text' : 'text that is not empty'
    }
    case 'integer':
      return `a whole number${bounds(schema['minimum'] as number | undefined, schema['maximum'] as number | undefined)}`
    case 'number':
      return `a number${bounds(schema['minimum'] as number | undefined, schema['maximum'] as number | undefined)}`
    case 'boolean':
      return 'true or false'
    case 'array':
      return schema['minItems'] === undefined ? 'a list' : 'a list that is not empty'
    case 'object':
      return 'a mapping'
    case 'null':
      return 'null'
    default:
      return 'a value'
  }
}

/** What somebody wrote, short enough for a sentence. */
export function describeValue(value: Json): string {
  if (value === null) return 'null'
  if (Array.isArray(value)) return value.length === 0 ? 'an empty list' : 'a list'
  if (typeof value === 'object') return 'a mapping'
  const text = JSON.stringify(value)
  return text.length > 60 ? `${text.slice(0, 57)}…` : text
}

/** A place in a document, as people write it: `subnets[0].cidr`. */
export function pathText(pointer: Pointer): string {
  return pointer.map((key, index) => (typeof key === 'number' ? `[${key}]` : index === 0 ? key : `.${key}`)).join('')
}

function bounds(min: number | undefined, max: number | undefined): string {
  if (min !== undefined && max !== undefined) return ` from ${min} to ${max}`
  if (min !== undefined) return min === 0 ? ', 0 or more' : `, ${min} or more`
  return max === undefined ? '' : `, ${max} at most`
}
