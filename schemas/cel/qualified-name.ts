import type { Expression } from './ast.ts'

/** `a.b.c` of a name and plain selections on it, undefined for any other expression. */
export function qualifiedName(node: Expression): string | undefined {
  const path = memberPath(node)
  return path?.join('.')
}

/** The parts of the same. */
export function memberPath(node: Expression): readonly string[] | undefined {
  const path: string[] = []
  let at = node
  while (at.kind === 'select' && !at.optional) {
    path.push(at.field)
    at = at.operand
  }
  if (at.kind !== 'name') return undefined
  path.push(at.name)
  return path.reverse()
}
