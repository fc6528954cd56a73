import type { Json } from './shape.ts'

/**
 * What cf-agent would change of a value on the way, as `it …`: it expands references in values and names, again and again, and
 * there is no way to quote one; it takes escapes out of strings twice and knows none of most control characters; it keeps
 * integers in 32 bits, and writes two digits after the point where it makes text of a number.
 *
 * @param name what the value is called in the map that it stands in.
 * @returns undefined for a value that it keeps; what is in lists and maps is asked one by one.
 */
export function cfengineProblem(value: Json, name?: string): string | undefined {
  const called = name === undefined ? undefined : textProblem(name) ?? (/["\n\r\t\b\f]/.test(name) ? 'holds a quote or an end of line, which cf-agent writes as it is where it makes JSON' : undefined)
  if (called !== undefined) return `has a name that ${called}`
  if (typeof value === 'number' && !fits(value)) return `is ${value}, which cf-agent does not keep (integers of 32 bits, two digits after the point): make it a string`
  return typeof value === 'string' ? textProblem(value) : undefined
}

function textProblem(text: string): string | undefined {
  if (text.includes('\\')) return 'holds a backslash, which cf-agent takes for the beginning of an escape'
  // oxlint-disable-next-line no-control-regex
  if (/[\0-\x07\x0b\x0e-\x1f]/.test(text)) return 'holds a control character, which cf-agent does not read'
  return /[$@][({]/.test(text) ? 'holds a reference in the language of CFEngine ($( or ${), which cf-agent would expand' : undefined
}

function fits(value: number): boolean {
  return Number.isInteger(value) ? value >= -(2 ** 31) && value < 2 ** 31 : /^-?[0-9]{1,9}\.[0-9]{1,2}$/.test(String(value))
}
