import type { Change, Changes } from '../../schemas/changes.ts'
import type { Diagnostic, Range } from '../../schemas/diagnostic.ts'
import { refusalOf } from '../../schemas/refusal.ts'
import { foldNames } from '../print/fold-names.ts'
import { renderGithub } from '../diagnostics/render-github.ts'

/** What needs a reviewer's eye as annotations on the lines that cause it: everything from `remove` upwards. */
export function changesGithub(changes: Changes): string {
  const serious = changes.changes.filter(({ consequence }) => ['wipe', 'reinstall', 'release', 'remove', 'reboot', 'network'].includes(consequence))
  const renamed = changes.renamed.map(({ from, to, at }) => ({ code: 'RENAME', severity: 'warning' as const, summary: `${from} becomes ${to}`, ...placed(at), related: [] }))
  return renderGithub([...folded(serious).map(annotationOf), ...renamed, ...changes.violations.map(({ policy, level, message, at }) => ({ code: 'POLICY', severity: level === 'deny' ? ('error' as const) : ('warning' as const), summary: `${policy}: ${message}`, ...placed(at), related: [] }))])
}

interface Folded {
  readonly change: Change
  readonly nodes: readonly string[]
}

/** The same work on many nodes, for one line of the site, as one; what writes disks node by node. */
function folded(changes: readonly Change[]): readonly Folded[] {
  const groups = new Map<string, { readonly change: Change; readonly nodes: string[] }>()
  for (const change of changes) {
    const { step, consequence, certain, disks } = change
    const alone = disks.length > 0 || refusalOf(change) !== null || step.node === null
    const key = alone ? step.id : JSON.stringify([step.id.replace(`@${step.node ?? ''}`, ''), consequence, certain, placeOfCause(change)])
    const group = groups.get(key)
    if (group === undefined) groups.set(key, { change, nodes: [step.node ?? ''] })
    else group.nodes.push(step.node ?? '')
  }
  return [...groups.values()]
}

/** What removed a role is no longer there to be pointed at. */
function placeOfCause({ causes }: Change): string | null {
  return causes.find((cause) => cause.at !== null && cause.kind !== 'removed')?.at ?? null
}

function annotationOf({ change, nodes }: Folded): Diagnostic {
  const { step, consequence, certain, disks, needsApproval } = change
  const refusal = refusalOf(change)
  const wiped = disks.filter(({ fate }) => fate === 'wiped').map(({ serial, id, summary }) => `${serial === '' ? id : serial} (${summary})`)
  const subject = nodes.length === 1 ? step.id : `${step.id.replace(`@${step.node ?? ''}`, '')} on ${foldNames(nodes)}`
  const words = [`${subject}: ${certain ? '' : 'may be '}${consequence}`, ...wiped.map((disk) => `wipes ${disk}`), ...(needsApproval ? ['needs an approval'] : []), ...(refusal === null ? [] : [`refused: ${refusal}`])]
  const at = placeOfCause(change)
  return { code: consequence.toUpperCase(), severity: refusal === null ? 'warning' : 'error', summary: words.join(', '), ...placed(at), related: [] }
}

function placed(at: string | null): { readonly range?: Range } {
  const found = at === null ? null : /^(.*):(\d+):(\d+)$/.exec(at)
  if (found === null) return {}
  const position = { line: Number(found[2]), column: Number(found[3]) }
  return { range: { path: found[1] as string, start: position, end: position } }
}
