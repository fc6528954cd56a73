import type { Json } from '../../schemas/shape.ts'

/** What a plain scalar means, or why JSON cannot say it. */
export type Resolved = { readonly value: Json } | { readonly problem: 'not-a-number' | 'too-large' }

const NULL = /^(?:null|Null|NULL|~|)$/
const TRUE = /^(?:true|True|TRUE)$/
const FALSE = /^(?:false|False|FALSE)$/
const DECIMAL = /^[-+]?[0-9]+$/
const OCTAL = /^0o[0-7]+$/
const HEXADECIMAL = /^0x[0-9a-fA-F]+$/
const FLOAT = /^[-+]?(?:\.[0-9]+|[0-9]+(?:\.[0-9]*)?)(?:[eE][-+]?[0-9]+)?$/
const NOT_FINITE = /^(?:[-+]?(?:\.inf|\.Inf|\.INF)|\.nan|\.NaN|\.NAN)$/

/**
 * The value of a plain scalar in the core schema of YAML 1.2.2 §10.3.2: `0755` is 755, `yes`, `1_000` and dates are
 * text. Whole numbers beyond 2^53 - 1 and those that are no numbers are problems: they would not survive JSON.
 */
export function resolvePlain(text: string): Resolved {
  const first = text.charCodeAt(0)
  const numeric = (first >= 0x30 && first <= 0x39) || first === 0x2d || first === 0x2b || first === 0x2e
  if (!numeric) {
    if (NULL.test(text)) return { value: null }
    if (TRUE.test(text)) return { value: true }
    if (FALSE.test(text)) return { value: false }
    return { value: text }
  }
  if (DECIMAL.test(text) || OCTAL.test(text) || HEXADECIMAL.test(text)) {
    const number = Number(text)
    return Number.isSafeInteger(number) ? { value: number === 0 ? 0 : number } : { problem: 'too-large' }
  }
  if (FLOAT.test(text)) {
    const number = Number(text)
    return Number.isFinite(number) ? { value: number } : { problem: 'too-large' }
  }
  if (NOT_FINITE.test(text)) return { problem: 'not-a-number' }
  return { value: text }
}
