import type { Change, Changes } from '../../schemas/changes.ts'
import type { Diagnostic, Range } from '../../schemas/diagnostic.ts'
import { refusalOf } from '../../schemas/refusal.ts'
import { renderGithub } from '../diagnostics/render-github.ts'

/** What needs a reviewer's eye as annotations on the lines that cause it: everything from `remove` upwards. */
export function changesGithub(changes: Changes): string {
  const serious = changes.changes.filter(({ consequence }) => ['wipe', 'reinstall', 'release', 'remove', 'reboot', 'network'].includes(consequence))
  return renderGithub([...serious.map(annotationOf), ...changes.violations.map(({ policy, level, message, at }) => ({ code: 'POLICY', severity: level === 'deny' ? ('error' as const) : ('warning' as const), summary: `${policy}: ${message}`, ...placed(at), related: [] }))])
}

function annotationOf(change: Change): Diagnostic {
  const { step, consequence, certain, disks, needsApproval, causes } = change
  const refusal = refusalOf(change)
  const wiped = disks.filter(({ fate }) => fate === 'wiped').map(({ serial, id, summary }) => `${serial === '' ? id : serial} (${summary})`)
  const words = [`${step.id}: ${certain ? '' : 'may be '}${consequence}`, ...wiped.map((disk) => `wipes ${disk}`), ...(needsApproval ? ['needs an approval'] : []), ...(refusal === null ? [] : [`refused: ${refusal}`])]
  // What removed a role is no longer there to be pointed at.
  const at = causes.find((cause) => cause.at !== null && cause.kind !== 'removed')?.at ?? null
  return { code: consequence.toUpperCase(), severity: refusal === null ? 'warning' : 'error', summary: words.join(', '), ...placed(at), related: [] }
}

function placed(at: string | null): { readonly range?: Range } {
  const found = at === null ? null : /^(.*):(\d+):(\d+)$/.exec(at)
  if (found === null) return {}
  const position = { line: Number(found[2]), column: Number(found[3]) }
  return { range: { path: found[1] as string, start: position, end: position } }
}
