import type { Json } from './shape.ts'

/**
 * What cf-agent would change of a value on the way, as `it …`: it expands references in values, again and again, and there is
 * no way to quote one; it takes escapes out of strings twice, keeps integers in 32 bits and four digits after the point.
 *
 * @returns undefined for a value that it keeps, and for lists and maps.
 */
export function cfengineProblem(value: Json): string | undefined {
  if (typeof value === 'number' && !fits(value)) return `is ${value}, which cf-agent does not keep (integers of 32 bits, four digits after the point): make it a string`
  if (typeof value !== 'string') return undefined
  if (value.includes('\\')) return 'holds a backslash, which cf-agent takes for the beginning of an escape'
  return /[$@][({]/.test(value) ? 'holds a reference in the language of CFEngine ($( or ${), which cf-agent would expand' : undefined
}

function fits(value: number): boolean {
  return Number.isInteger(value) ? value >= -(2 ** 31) && value < 2 ** 31 : /^-?[0-9]{1,9}\.[0-9]{1,4}$/.test(String(value))
}
