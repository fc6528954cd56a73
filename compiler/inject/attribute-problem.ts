import type { ErrorObject } from 'ajv/dist/2020.js'
import type { Json } from '../../schemas/shape.ts'
import { describeValue } from '../validate/words.ts'

/** What is wrong with an attribute, to complete "b.port …", and what to write. */
export interface AttributeProblem {
  readonly summary: string
  readonly fix: string | undefined
}

const TYPES: Readonly<Record<string, string>> = { string: 'text', integer: 'a whole number', number: 'a number', boolean: 'true or false', array: 'a list', object: 'a mapping', null: 'null' }

/** A validator's complaint in plain words. `value` is what stands there. */
export function describeProblem({ keyword, params, message }: ErrorObject, value: Json): AttributeProblem {
  const { type, limit, allowedValues, allowedValue, pattern, missingProperty, comparison } = params as Readonly<Record<string, unknown>>
  const not = `, not ${describeValue(value)}`
  switch (keyword) {
    case 'type': {
      const wanted = [type].flat().map((each) => TYPES[String(each)] ?? String(each)).join(' or ')
      return { summary: `has to be ${wanted}${not}`, fix: typeAdvice([type].flat().map(String), value) ?? `Write ${wanted}.` }
    }
    case 'enum':
    case 'const': {
      const words = ((allowedValues ?? [allowedValue]) as readonly Json[]).map((each) => JSON.stringify(each)).join(', ')
      return { summary: `has to be ${keyword === 'enum' ? `one of ${words}` : words}${not}`, fix: `Write ${keyword === 'enum' ? `one of ${words}` : words}.` }
    }
    case 'minimum':
    case 'maximum':
    case 'exclusiveMinimum':
    case 'exclusiveMaximum':
      return { summary: `has to be ${String(comparison)} ${String(limit)}${not}`, fix: `Write a number ${String(comparison)} ${String(limit)}.` }
    case 'minLength':
    case 'maxLength':
      return { summary: `has to have ${String(limit)} characters ${keyword === 'minLength' ? 'or more' : 'at most'}`, fix: 'Write another text.' }
    case 'minItems':
    case 'maxItems':
      return { summary: `has to have ${String(limit)} ${limit === 1 ? 'entry' : 'entries'} ${keyword === 'minItems' ? 'or more' : 'at most'}`, fix: keyword === 'minItems' ? 'Add what is missing.' : 'Take some away.' }
    case 'uniqueItems':
      return { summary: 'holds the same entry twice', fix: 'Take one of them away.' }
    case 'pattern':
      return { summary: `has to be text that matches ${String(pattern)}${not}`, fix: `Write text that matches ${String(pattern)}.` }
    case 'required':
      return { summary: `needs ${String(missingProperty)}`, fix: `Set ${String(missingProperty)} in the site, the deployment or the node.` }
    default:
      return { summary: message ?? 'is wrong', fix: 'Write what the schema asks for.' }
  }
}

/** What was probably meant, when the same words in another type would do. */
function typeAdvice(types: readonly string[], value: Json): string | undefined {
  if (typeof value === 'string') {
    if (types.some((type) => type === 'integer' || type === 'number') && /^-?[0-9]+(?:\.[0-9]+)?$/.test(value)) return `Write ${value} without quotes.`
    if (types.includes('boolean') && /^(?:true|false)$/i.test(value)) return `Write ${value.toLowerCase()} without quotes.`
  }
  if (value === null || typeof value === 'object') return undefined
  if (types.includes('string')) return `Put it in quotes: ${JSON.stringify(String(value))}.`
  return types.includes('array') ? `Write a list: [${String(value)}].` : undefined
}
