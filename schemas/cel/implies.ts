import type { Expression } from './ast.ts'

/** Comparisons of parts before two expressions count as unrelated. */
const MAX_STEPS = 10_000

/**
 * Whether whatever makes one condition true makes another one true too, as far as their form shows it: they are the
 * same, or one is `&&` or `||` of the other. False means that nothing is known.
 */
export function implies(a: Expression, b: Expression): boolean {
  let steps = 0
  const follow = (from: Expression, to: Expression): boolean => {
    if (++steps > MAX_STEPS) return false
    if ((to.kind === 'literal' && to.value === true) || (from.kind === 'literal' && from.value === false) || sameExpression(from, to)) return true
    if (to.kind === 'logical' && to.operator === '&&') return follow(from, to.left) && follow(from, to.right)
    if (from.kind === 'logical' && from.operator === '||') return follow(from.left, to) && follow(from.right, to)
    if (to.kind === 'logical' && (follow(from, to.left) || follow(from, to.right))) return true
    return from.kind === 'logical' && from.operator === '&&' && (follow(from.left, to) || follow(from.right, to))
  }
  return follow(a, b)
}

/** Whether two expressions are written alike, whatever the space between their parts. */
export function sameExpression(a: Expression, b: Expression): boolean {
  return same(a, b)
}

const PLACES: ReadonlySet<string> = new Set(['offset', 'length', 'fieldSpan', 'nameSpan', 'operatorSpan'])

function same(a: unknown, b: unknown): boolean {
  if (a === b) return true
  if (typeof a !== 'object' || typeof b !== 'object' || a === null || b === null) return false
  if (Object.getPrototypeOf(a) !== Object.getPrototypeOf(b)) return false
  if (Array.isArray(a) || a instanceof Uint8Array) {
    const other = b as ArrayLike<unknown>
    return a.length === other.length && Array.from<unknown>(a).every((item, i) => same(item, other[i]))
  }
  const keys = (value: object): readonly string[] => Object.keys(value).filter((key) => !PLACES.has(key))
  const own = keys(a)
  return own.length === keys(b).length && own.every((key) => Object.hasOwn(b, key) && same((a as Record<string, unknown>)[key], (b as Record<string, unknown>)[key]))
}
