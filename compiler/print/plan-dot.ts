import type { Plan, StepKind } from '../../schemas/plan.ts'
import { safe } from './layout.ts'

const SHAPES: { readonly [kind in StepKind]?: string } = { install: 'box3d', barrier: 'point', stage: 'cylinder', discover: 'ellipse', gate: 'diamond' }

/** A plan's steps and needs as a graph in Graphviz' language: arrows lead from what comes first; destructive steps are red. */
export function planDot(plan: Plan): string {
  const lines = ['digraph plan {', '  rankdir=LR; node [shape=box, fontname="monospace"];']
  for (const step of plan.steps) {
    const color = step.destructive ? ', color=red' : ''
    lines.push(`  ${quoted(step.id)} [shape=${SHAPES[step.kind] ?? 'box'}${color}];`)
  }
  for (const step of plan.steps) {
    for (const need of step.needs) lines.push(`  ${quoted(need.step)} -> ${quoted(step.id)}${need.kind === 'lifecycle' ? '' : ` [label=${quoted(need.kind)}]`};`)
  }
  return `${lines.join('\n')}\n}\n`
}

function quoted(text: string): string {
  return `"${safe(text).replaceAll('\\', '\\\\').replaceAll('"', '\\"')}"`
}
