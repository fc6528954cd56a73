import type { Json } from '../../schemas/shape.ts'
import { isMap } from './fields.ts'

/** A minion as targets see it. */
export interface Targeted {
  readonly id: string
  /** Undefined when they are not among the files. */
  readonly grains: Json | undefined
}

/** Whether a target means a minion; undefined when that hangs on grains that are not known. */
export type Matcher = (minion: Targeted) => boolean | undefined

/**
 * A target of a top file. Without `match` it is compound, as all of Salt's are: globs, `L@` and `G@` with `and`, `or`, `not`
 * and parentheses between spaces.
 *
 * @returns what is not understood, as text.
 */
export function matcherOf(pattern: string, match: string): Matcher | string {
  if (match === 'glob') return ({ id }) => glob(pattern, id)
  if (match === 'list') return ({ id }) => pattern.split(/[\s,]+/).includes(id)
  if (match === 'grain') return grainMatcher(pattern)
  return match === 'compound' ? compoundMatcher(pattern) : `targets by ${match} are not understood`
}

/** Names of minions that a target says as they are. */
export function namesIn(pattern: string, match: string): readonly string[] {
  if (match === 'list') return pattern.split(/[\s,]+/).filter((name) => name !== '')
  return match === 'grain' || /[*?[\]\s@()]/.test(pattern) ? [] : [pattern]
}

function compoundMatcher(pattern: string): Matcher | string {
  const words = pattern.split(/\s+/).filter((word) => word !== '')
  let problem: string | undefined
  let at = 0
  const both = (one: boolean | undefined, other: boolean | undefined): boolean | undefined => (one === false || other === false ? false : one === undefined || other === undefined ? undefined : true)
  const not = (value: boolean | undefined): boolean | undefined => (value === undefined ? undefined : !value)
  const either = (depth: number): Matcher => {
    let left = all(depth)
    while (words[at] === 'or') {
      at++
      const [one, other] = [left, all(depth)]
      left = (minion) => not(both(not(one(minion)), not(other(minion))))
    }
    return left
  }
  const all = (depth: number): Matcher => {
    let left = single(depth)
    while (words[at] === 'and') {
      at++
      const [one, other] = [left, single(depth)]
      left = (minion) => both(one(minion), other(minion))
    }
    return left
  }
  const single = (depth: number): Matcher => {
    const word = words[at++]
    const none: Matcher = () => undefined
    if (word === undefined || word === 'and' || word === 'or' || word === ')' || depth > 50) {
      problem ??= 'this target is not understood'
      return none
    }
    if (word === 'not') {
      const inner = single(depth + 1)
      return (minion) => not(inner(minion))
    }
    if (word === '(') {
      const inner = either(depth + 1)
      if (words[at++] !== ')') problem ??= 'this target is not understood'
      return inner
    }
    const [, kind = '', rest = ''] = /^([A-Z])(?:[^@\w\s])?@(.*)$/.exec(word) ?? []
    if (kind === '') return ({ id }) => glob(word, id)
    if (kind === 'L') return ({ id }) => rest.split(',').includes(id)
    if (kind === 'G' && word.startsWith('G@')) return grainMatcher(rest)
    problem ??= `targets with \`${word.slice(0, word.indexOf('@') + 1)}\` are not understood`
    return none
  }
  const matcher = either(0)
  return problem ?? (at === words.length ? matcher : 'this target is not understood')
}

function grainMatcher(pattern: string): Matcher {
  const parts = pattern.toLowerCase().split(':')
  return ({ grains }) => (grains === undefined ? undefined : hasGrain(lowered(grains), parts))
}

/** A key, keys inside it, and a glob for the value, whatever the case. */
function hasGrain(value: Json, parts: readonly string[]): boolean {
  if (Array.isArray(value)) return (value as readonly Json[]).some((item) => hasGrain(item, parts))
  if (!isMap(value)) return glob(parts.join(':'), value === null ? 'none' : typeof value === 'string' ? value : JSON.stringify(value))
  if (parts.length === 0 || (parts.length === 1 && parts[0] === '*')) return true
  return parts.some((_, i) => {
    const key = parts.slice(0, i + 1).join(':')
    const rest = parts.slice(i + 1)
    const child = Object.hasOwn(value, key) ? value[key] : undefined
    return child !== undefined && (rest.length === 0 || hasGrain(child, rest))
  })
}

function lowered(value: Json): Json {
  if (typeof value === 'string') return value.toLowerCase()
  if (Array.isArray(value)) return (value as readonly Json[]).map(lowered)
  return isMap(value) ? Object.fromEntries(Object.entries(value).map(([key, child]) => [key.toLowerCase(), lowered(child)])) : value
}

/** Shell patterns, without going back more than once a star. */
export function glob(pattern: string, text: string): boolean {
  const parts = pattern.match(/\*+|\?|\[!?[^\]]+\]|[\s\S]/g) ?? []
  const characters = Array.from(text)
  let [next, from, star, mark] = [0, 0, -1, 0]
  while (from < characters.length) {
    const part = parts[next]
    if (part?.startsWith('*') === true) {
      star = next++
      mark = from
    } else if (part !== undefined && one(part, characters[from] ?? '')) {
      next++
      from++
    } else if (star >= 0) {
      next = star + 1
      from = ++mark
    } else return false
  }
  return parts.slice(next).every((part) => part.startsWith('*'))
}

function one(part: string, character: string): boolean {
  if (part === '?') return true
  if (!part.startsWith('[') || part.length < 3) return part === character
  const negated = part[1] === '!'
  const body = part.slice(negated ? 2 : 1, -1)
  const inside = [...body.matchAll(/([\s\S])-([\s\S])|([\s\S])/g)].some(([, first, last, single]) => (single === undefined ? character >= (first ?? '') && character <= (last ?? '') : single === character))
  return inside !== negated
}
