import { byCodePoint } from '../../schemas/canonical.ts'
import type { Change, Override } from '../../schemas/changes.ts'
import { own } from '../../schemas/own.ts'
import type { Plan } from '../../schemas/plan.ts'

/**
 * Members of roles that change on which a value stands that changes on most others, because something nearer to them
 * sets it. Only values that one place in the site changed for all, and only while those that stand are the fewer: what
 * was changed for a few is not missing on everybody else.
 */
export function overridesOf(changes: readonly Change[], plan: Plan, at: ((step: string, path: string | null) => string | null) | undefined): readonly Override[] {
  if (at === undefined) return []
  const byRole = new Map<string, Change[]>()
  for (const change of changes) {
    const { step } = change
    if (step.kind !== 'role' || step.action === 'remove') continue
    const key = `${step.deployment ?? ''}/${step.role ?? ''}`
    const there = byRole.get(key)
    if (there === undefined) byRole.set(key, [change])
    else there.push(change)
  }
  const overrides: Override[] = []
  for (const [role, changed] of [...byRole].toSorted(([a], [b]) => byCodePoint(a, b))) {
    const members = own(plan.roles, role)?.members ?? []
    const touched = new Set(changed.map(({ step }) => step.node))
    const standing = members.map(({ node }) => node).filter((node) => !touched.has(node))
    if (standing.length === 0 || standing.length > changed.length) continue
    for (const [path, place] of sharedPaths(changed)) {
      const nodes = new Map<string, string[]>()
      for (const node of standing) {
        const nearer = at(`${role}@${node}`, path)
        if (nearer !== null && nearer !== place) nodes.set(nearer, [...(nodes.get(nearer) ?? []), node])
      }
      for (const [nearer, names] of nodes) overrides.push({ role, path, nodes: names, at: nearer })
    }
  }
  return overrides
}

/** Attributes that changed, and the one place that changed each. */
function sharedPaths(changed: readonly Change[]): ReadonlyMap<string, string> {
  const places = new Map<string, Set<string>>()
  for (const { causes } of changed) {
    for (const { kind, path, at } of causes) {
      if (kind === 'attribute' && path !== null && at !== null) places.set(path, (places.get(path) ?? new Set()).add(at))
    }
  }
  return new Map([...places].flatMap(([path, found]) => (found.size === 1 ? [[path, [...found][0] ?? ''] as const] : [])))
}
