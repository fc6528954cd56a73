import { byCodePoint } from '../../schemas/canonical.ts'
import type { Plan, Step } from '../../schemas/plan.ts'
import { shortCommit } from './diff-summary.ts'
import { foldNames } from './fold-names.ts'
import { count, cut, labelled, safe, WIDTH, wrap } from './layout.ts'
import { missingLines } from './missing-lines.ts'

/**
 * A plan for people: its nodes, its steps by cohort with what they come after, what is missing, what is warned of. Steps
 * of the same work on many nodes are one line. Ends with a newline.
 *
 * @param options.full no line is cut.
 */
export function planText(plan: Plan, options: { readonly full?: boolean } = {}): string {
  const state = plan.complete ? 'complete' : `not complete: ${plan.missing.length} missing`
  const cohorts = new Set(plan.steps.map((step) => step.cohort)).size
  const blocks: (readonly string[])[] = [
    [
      `${safe(plan.site.name)}  plan ${plan.id.replace('sha256:', '').slice(0, 8)} of ${shortCommit(plan.source.commit)}, ${state}`,
      `  ${count(Object.keys(plan.nodes).length, 'node')}, ${count(plan.steps.length, 'step')} in ${count(cohorts, 'cohort')}.`,
    ],
    nodeLines(plan, options.full === true),
    stepLines(plan, options.full === true),
    operationLines(plan, options.full === true),
    rolloutLines(plan),
  ]
  if (plan.missing.length > 0) blocks.push(['MISSING', ...missingLines(plan.missing).flat()])
  if (plan.warnings.length > 0) blocks.push(['WARNINGS', ...plan.warnings.flatMap((one) => wrap(safe(one), WIDTH - 2).map((line) => `  ${line}`))])
  return `${blocks.filter((lines) => lines.length > 0).map((lines) => lines.join('\n')).join('\n\n')}\n`
}

/** The first forty nodes, a line each; all with --full. */
function nodeLines(plan: Plan, full: boolean): readonly string[] {
  const rows = Object.entries(plan.nodes)
    .toSorted(([a], [b]) => byCodePoint(a, b))
    .map(([name, node]) => {
      const machine = node.admin ? 'admin node' : (node.machine ?? `no machine yet: ${safe(node.selector)}`)
      const addresses = Object.entries(node.addresses).map(([network, address]) => `${network} ${address}`)
      return [name, node.os ?? '-', [...addresses, machine].join(', ')] as const
    })
  const most = full ? rows.length : 40
  const [first, second] = [widest(rows.map((row) => row[0])), widest(rows.map((row) => row[1]))]
  const lines = rows.slice(0, most).map(([name, os, rest]) => cut(`  ${name.padEnd(first)}  ${os.padEnd(second)}  ${rest}`, full ? Infinity : WIDTH))
  if (rows.length > most) lines.push(`  ... and ${count(rows.length - most, 'node')} more: --full`)
  return rows.length === 0 ? [] : ['NODES', ...lines]
}

function stepLines(plan: Plan, full: boolean): readonly string[] {
  const groups = new Map<string, { readonly cohort: number; readonly subject: string; readonly after: string; readonly nodes: string[] }>()
  for (const step of plan.steps) {
    const subject = subjectOf(step)
    const after = afterOf(step)
    const key = JSON.stringify([step.cohort, subject, after])
    const group = groups.get(key) ?? { cohort: step.cohort, subject, after, nodes: [] }
    groups.set(key, group)
    if (step.node !== null) group.nodes.push(step.node)
  }
  const lines: string[] = []
  let cohort = -1
  for (const group of groups.values()) {
    const number = group.cohort === cohort ? '' : String(group.cohort)
    cohort = group.cohort
    const nodes = group.nodes.length === 0 ? '' : ` on ${foldNames(group.nodes)}`
    const head = `  ${number.padStart(3)}  `
    const text = `${group.subject}${nodes}${group.after === '' ? '' : `  after ${group.after}`}`
    const wrapped = wrap(text, WIDTH - head.length - 2)
    const shown = full ? wrapped : wrapped.slice(0, 3)
    lines.push(...shown.map((line, index) => (index === 0 ? `${head}${line}` : `${' '.repeat(head.length + 2)}${line}`)))
    if (shown.length < wrapped.length) lines.push(`${' '.repeat(head.length + 2)}...`)
  }
  return lines.length === 0 ? [] : ['STEPS', ...lines]
}

/** Work to do once, with the nodes that it is for. */
function operationLines(plan: Plan, full: boolean): readonly string[] {
  const lines = plan.operations.flatMap((operation) => {
    const nodes = foldNames(operation.steps.map((step) => step.node ?? ''))
    return labelled(safe(operation.name), `${operation.do.join(', ')} on ${nodes === '' ? 'no node that has a machine' : cut(nodes, full ? Infinity : WIDTH * 2)}`, operation.at)
  })
  return lines.length === 0 ? [] : ['OPERATIONS', ...lines]
}

/** How what changes goes out, as it is declared. */
function rolloutLines(plan: Plan): readonly string[] {
  const lines = plan.rollouts.flatMap(({ id, batches, maxFailures, spreadBy, gate, pause, at }) => {
    const words = [`batches ${batches.join(', ')}`, `${maxFailures} may fail`, ...(spreadBy === null ? [] : [`spread by ${safe(spreadBy)}`]), ...(gate === null ? [] : [`gate ${gate.role}#check`]), ...(pause === 'never' ? [] : [`pause ${pause}`])]
    return labelled(id.replace('rollout/', ''), words.join('; '), at)
  })
  return lines.length === 0 ? [] : ['ROLLOUTS', ...lines]
}

/** What a step is, without its node. */
function subjectOf(step: Step): string {
  return step.node === null ? step.id : step.id.replace(`@${step.node}`, '')
}

/** What a step comes after: steps of its own node without the node's name, others with it. */
function afterOf(step: Step): string {
  const own: string[] = []
  const others = new Map<string, string[]>()
  for (const { step: id } of step.needs) {
    const at = id.lastIndexOf('@')
    const [work, node] = at === -1 ? [id, null] : [id.slice(0, at), id.slice(at + 1)]
    if (node === null || node === step.node) own.push(work)
    else others.set(work, [...(others.get(work) ?? []), node])
  }
  return [...own, ...[...others].map(([work, nodes]) => `${work}@${cut(foldNames(nodes), WIDTH)}`)].join(', ')
}

function widest(texts: readonly string[]): number {
  return texts.reduce((most, text) => Math.max(most, text.length), 0)
}
