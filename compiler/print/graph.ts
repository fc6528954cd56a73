import { byCodePoint } from '../../schemas/canonical.ts'
import type { NeedKind, Plan, Step } from '../../schemas/plan.ts'
import { foldNames } from './fold-names.ts'
import { safe } from './layout.ts'

/** Steps of a plan that differ only in their node. */
export interface GraphNode {
  /** `deployment/role`, `install debian-12`, `discover`; else the id of its one step. */
  readonly id: string
  readonly kind: Step['kind']
  readonly steps: number
  /** By code point; empty for steps that have no node. */
  readonly nodes: readonly string[]
  readonly destructive: boolean
}

/** `from` comes first. */
export interface GraphEdge {
  readonly from: string
  readonly to: string
  readonly kinds: readonly NeedKind[]
  /** Needs that it stands for. */
  readonly needs: number
}

export interface Graph {
  readonly nodes: readonly GraphNode[]
  readonly edges: readonly GraphEdge[]
}

/** The steps of a plan and their needs, folded by role: as large as the site's ideas, however many nodes it has. */
export function graphOf(plan: Plan): Graph {
  const groupOf = new Map<string, string>()
  const groups = new Map<string, { readonly kind: Step['kind']; destructive: boolean; steps: number; readonly nodes: Set<string> }>()
  for (const step of plan.steps) {
    const id = groupId(step, plan)
    groupOf.set(step.id, id)
    const group = groups.get(id) ?? { kind: step.kind, destructive: false, steps: 0, nodes: new Set() }
    groups.set(id, group)
    group.steps++
    group.destructive ||= step.destructive
    if (step.node !== null) group.nodes.add(step.node)
  }
  const edges = new Map<string, { readonly from: string; readonly to: string; readonly kinds: Set<NeedKind>; needs: number }>()
  for (const step of plan.steps) {
    const to = groupOf.get(step.id) as string
    for (const need of step.needs) {
      const from = groupOf.get(need.step)
      if (from === undefined || from === to) continue
      const edge = edges.get(`${from}\n${to}`) ?? { from, to, kinds: new Set(), needs: 0 }
      edges.set(`${from}\n${to}`, edge)
      edge.kinds.add(need.kind)
      edge.needs++
    }
  }
  return {
    nodes: [...groups].map(([id, { nodes, ...group }]) => ({ id, ...group, nodes: [...nodes].toSorted(byCodePoint) })),
    edges: [...edges.values()].map((edge) => ({ ...edge, kinds: [...edge.kinds].toSorted(byCodePoint) })),
  }
}

function groupId({ id, kind, node }: Step, plan: Plan): string {
  if (node === null) return id
  const os = plan.nodes[node]?.os
  const head = id.replace(`@${node}`, '')
  return kind === 'install' && typeof os === 'string' ? `${head} ${os}` : head
}

const SHAPES: { readonly [kind in Step['kind']]?: string } = { install: 'box3d', barrier: 'point', stage: 'cylinder', discover: 'ellipse', gate: 'diamond' }

/** For Graphviz. */
export function graphDot({ nodes, edges }: Graph): string {
  const lines = nodes.map((node) => `  ${quoted(node.id)} [shape=${SHAPES[node.kind] ?? 'box'}, label=${quoted(labelOf(node).join('\n'))}${node.destructive ? ', color=red' : ''}];`)
  const arrows = edges.map(({ from, to, kinds }) => `  ${quoted(from)} -> ${quoted(to)}${kinds.join() === 'lifecycle' ? '' : ` [label=${quoted(kinds.join(', '))}]`};`)
  return `${['digraph plan {', '  rankdir=LR; node [shape=box, fontname="monospace"];', ...lines, ...arrows, '}'].join('\n')}\n`
}

/** For Mermaid, which repositories show in Markdown. */
export function graphMermaid({ nodes, edges }: Graph): string {
  const names = new Map(nodes.map(({ id }, i) => [id, `s${i}`]))
  const text = (lines: readonly string[]): string => `"${lines.map((line) => line.replaceAll('&', '&amp;').replaceAll('"', '&quot;').replaceAll('<', '&lt;')).join('<br>')}"`
  const boxes = nodes.map((node) => `  ${names.get(node.id)}${node.kind === 'barrier' ? `{{${text(labelOf(node))}}}` : `[${text(labelOf(node))}]`}`)
  const arrows = edges.map(({ from, to, kinds }) => `  ${names.get(from)} -->${kinds.join() === 'lifecycle' ? '' : `|${kinds.join(', ')}|`} ${names.get(to)}`)
  return `${['flowchart LR', ...boxes, ...arrows].join('\n')}\n`
}

function labelOf({ id, steps, nodes }: GraphNode): readonly string[] {
  return [safe(id), ...(nodes.length === 0 ? [] : [safe(steps === 1 ? (nodes[0] ?? '') : `${steps}: ${foldNames(nodes)}`)])]
}

function quoted(text: string): string {
  return `"${text.replaceAll('\\', '\\\\').replaceAll('"', '\\"').replaceAll('\n', '\\n')}"`
}
