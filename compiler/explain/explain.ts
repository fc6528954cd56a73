import { isDeferred } from '../../schemas/deferred.ts'
import type { Json } from '../../schemas/shape.ts'
import { suggest } from '../../schemas/cel/suggest.ts'
import type { InjectedSite, NodeRole } from '../inject/injected-site.ts'
import type { Pointer } from '../parse/document.ts'
import { provenance } from './provenance.ts'
import type { Provenance } from './provenance.ts'

export interface ExplainQuestion {
  readonly node: string
  /** `role` or `deployment/role`; undefined: every role on the node. */
  readonly role?: string | undefined
  /** Dotted, such as `hello.port` or `wants.token`, or the beginning of that; undefined: everything. */
  readonly path?: string | undefined
}

/** One value that a role on a node is given, and where it comes from. */
export interface ExplainedValue extends Provenance {
  readonly pointer: Pointer
  /** Dotted. */
  readonly path: string
  /** As in the plan; a deferred value stands as such. */
  readonly value: Json
}

export interface ExplainedRole {
  /** `deployment/role@node`. */
  readonly id: string
  readonly values: readonly ExplainedValue[]
}

/** What explain has to say; `problem` when there is nothing of that name, `near` what was probably meant. */
export type Explained = { readonly roles: readonly ExplainedRole[] } | { readonly problem: string; readonly near: string | undefined }

/** Says of every value that a node's roles are given which layers speak of it, which of them wins, and what it was made from. */
export function explain(injected: InjectedSite, { node, role, path }: ExplainQuestion): Explained {
  const { nodes } = injected.allocated.bound
  if (!nodes.has(node)) return { problem: `there is no node ${node}`, near: suggest(node, nodes.keys()) }
  const onNode = [...injected.nodeRoles.values()].filter((each) => each.node.name === node)
  const asked = role === undefined ? onNode : onNode.filter((each) => each.role.role.name === role || each.role.key === role)
  if (asked.length === 0 && role !== undefined) return { problem: `${node} has no role ${role}`, near: suggest(role, onNode.flatMap((each) => [each.role.role.name, each.role.key])) }
  const keys = path === undefined || path === '' ? [] : path.split('.')
  const roles = asked.map((each) => ({ id: each.id, values: leavesOf(injected, each).flatMap((leaf) => explainLeaf(injected, each, leaf)) }))
  const found = roles.map(({ id, values }) => ({ id, values: values.filter(({ pointer }) => keys.every((key, i) => String(pointer[i]) === key)) })).filter(({ values }) => keys.length === 0 || values.length > 0)
  if (found.length > 0 || keys.length === 0) return { roles: found }
  return { problem: `no role of ${node} is given ${path}`, near: suggest(path as string, roles.flatMap(({ values }) => values.map((value) => value.path))) }
}

interface Leaf {
  readonly pointer: Pointer
  readonly value: Json
}

/** Every leaf of the documents of a node role, also of one that has none yet; an empty map or list is one. */
export function leavesOf({ evaluator }: InjectedSite, { parts, subject, wants, role }: NodeRole): readonly Leaf[] {
  const leaves: Leaf[] = []
  const walk = (value: Json, pointer: Pointer): void => {
    if (value === null || typeof value !== 'object' || isDeferred(value) || Object.keys(value).length === 0) leaves.push({ pointer, value })
    else if (Array.isArray(value)) for (const [i, item] of value.entries()) walk(item as Json, [...pointer, i])
    else for (const [key, item] of Object.entries(value)) walk(item as Json, [...pointer, key])
  }
  const known = parts ?? { [role.role.barclamp.name]: evaluator.value(subject, subject.merged), wants }
  for (const [part, value] of Object.entries(known)) walk(value, [part])
  return leaves.filter(({ pointer }) => pointer.length > 1)
}

function explainLeaf(injected: InjectedSite, nodeRole: NodeRole, { pointer, value }: Leaf): readonly ExplainedValue[] {
  const found = provenance(injected, nodeRole, pointer)
  return found === undefined ? [] : [{ pointer, path: pointer.join('.'), value, ...found }]
}
