import type { Range, Report } from '../../schemas/diagnostic.ts'
import { error } from '../diagnostics/diagnostic.ts'
import type { InjectedSite } from '../inject/injected-site.ts'
import { arrange } from './arrange.ts'
import { draftSteps } from './needs.ts'
import type { Draft } from './needs.ts'
import type { OrderedSite } from './ordered-site.ts'

/** Finds every step with what it needs, and puts them into their one order. A circle is one diagnostic. */
export function order(injected: InjectedSite, report: Report): OrderedSite {
  const { steps, cycle } = arrange(draftSteps(injected))
  if (steps !== null) return { injected, steps }
  report(circle(cycle))
  return { injected, steps: [] }
}

function circle(cycle: readonly Draft[]) {
  const edges = cycle.map((step, i) => {
    const next = cycle[(i + 1) % cycle.length] as Draft
    const need = step.needs.find((each) => each.step === next.id)
    return { message: `${step.id} needs ${next.id} (${need?.kind ?? 'lifecycle'})`, range: rangeAt(need?.at ?? '') }
  })
  const ids = [...cycle, cycle[0] as Draft].map((step) => step.id)
  return error('CYCLE', edges[0]?.range, `Steps need each other in a circle: ${ids.join(' → ')}.`, { related: edges, fix: 'Take one of these needs away.' })
}

/** The place that a need's `at` names. */
function rangeAt(at: string): Range {
  const [, path = '', line = '1', column = '1'] = /^(.*):([0-9]+):([0-9]+)$/.exec(at) ?? []
  const start = { line: Number(line), column: Number(column) }
  return { path, start, end: { line: start.line, column: start.column + 1 } }
}
