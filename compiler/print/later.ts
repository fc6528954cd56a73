import { byCodePoint } from '../../schemas/canonical.ts'
import type { Changes } from '../../schemas/changes.ts'
import { CONSEQUENCES } from '../../schemas/documents/words.ts'
import type { Consequence } from '../../schemas/documents/words.ts'
import { own } from '../../schemas/own.ts'
import type { Plan } from '../../schemas/plan.ts'
import { onChangeOf } from '../change/consequence.ts'
import { foldNames } from './fold-names.ts'
import { count, cut, labelled, WIDTH } from './layout.ts'

/** Work that is no change yet, and becomes one when a node that is waited for gets its machine. */
export interface Later {
  readonly consequence: Consequence
  /** deployment/role */
  readonly role: string
  /** Members that have a machine. */
  readonly nodes: readonly string[]
  /** Nodes that have none yet. */
  readonly waitedFor: readonly string[]
  /** The wants that list them: members now, and with those. */
  readonly wants: readonly { readonly name: string; readonly before: number; readonly after: number }[]
}

/** Roles that list the members of a role with a new node that has no machine yet; worst first. */
export function laterWork(changes: Changes, plan: Plan): readonly Later[] {
  const waited = new Set(changes.changes.flatMap(({ step }) => (step.kind === 'install' && step.node !== null && own(plan.nodes, step.node)?.machine === null ? [step.node] : [])))
  if (waited.size === 0) return []
  const claimed = (key: string): readonly string[] => (own(plan.roles, key)?.members ?? []).flatMap(({ node }) => ((own(plan.nodes, node)?.machine ?? null) === null ? [] : [node]))
  const found: Later[] = []
  for (const [role, { lists = [] }] of Object.entries(plan.roles).toSorted(([a], [b]) => byCodePoint(a, b))) {
    const nodes = claimed(role)
    const reached = lists.flatMap(({ want, role: other }) => {
      const coming = (own(plan.roles, other)?.members ?? []).flatMap(({ node }) => (waited.has(node) ? [node] : []))
      const before = claimed(other).length
      return coming.length === 0 ? [] : [{ name: `wants.${want}`, before, after: before + coming.length, coming }]
    })
    const like = plan.steps.find((step) => step.id === `${role}@${nodes[0] ?? ''}`)
    if (reached.length === 0 || like === undefined) continue
    const worst = reached.map(({ name }) => onChangeOf(like, name)).toSorted((a, b) => CONSEQUENCES.indexOf(a) - CONSEQUENCES.indexOf(b))[0] ?? 'run'
    found.push({ consequence: worst, role, nodes, waitedFor: [...new Set(reached.flatMap(({ coming }) => coming))], wants: reached.map(({ name, before, after }) => ({ name, before, after })) })
  }
  return found.toSorted((a, b) => CONSEQUENCES.indexOf(a.consequence) - CONSEQUENCES.indexOf(b.consequence))
}

/** `MAY RUN  storage/server on storage-[01-12], once storage-13 has a machine`, and what changes then. */
export function laterLines({ consequence, role, nodes, waitedFor, wants }: Later): readonly string[] {
  const names = foldNames(nodes)
  const whom = names.length > 30 ? count(nodes.length, 'node') : names
  const title = `MAY ${consequence.toUpperCase()}  ${role} on ${whom}, once ${waited(waitedFor)}`
  return [title.length <= WIDTH ? title : `MAY ${consequence.toUpperCase()}  ${role} on ${whom}`, ...(title.length <= WIDTH ? [] : labelled('once', waited(waitedFor))), ...wants.flatMap(({ name, before, after }) => labelled(name, `${before} -> ${count(after, 'member')}`))]
}

/** `storage-13 has a machine`. */
export function waited(nodes: readonly string[]): string {
  return `${cut(foldNames(nodes), 40)} ${nodes.length === 1 ? 'has a machine' : 'have machines'}`
}
