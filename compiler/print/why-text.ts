import type { Need } from '../../schemas/plan.ts'
import type { Link, Why } from '../explain/why.ts'
import { foldNames } from './fold-names.ts'
import { safe, WIDTH, wrap } from './layout.ts'

/** What `crowbar why` prints of one step. @param held why nothing runs on its node. */
export function whyText({ step, needs, chain }: Why, held?: string): string {
  const stop = held === undefined ? [] : wrap(`held: ${held}`, WIDTH - 2).map((line) => `  ${line}`)
  const lines = needs.length === 0 ? [`${step} needs nothing: it is among the first.`, ...stop] : [`${step} needs`, ...needGroups(needs), ...stop, '', 'the longest chain of needs behind it', ...chainLines(chain)]
  return `${lines.map(safe).join('\n')}\n`
}

/** What `crowbar why --before` prints. */
export function chainText(chain: readonly Link[]): string {
  return `${chainLines(chain).map(safe).join('\n')}\n`
}

/** Needs of one kind from one place are one line. */
function needGroups(needs: readonly Need[]): readonly string[] {
  const groups = new Map<string, { readonly need: Need; readonly steps: string[] }>()
  for (const need of needs) {
    const key = `${need.kind} ${need.at} ${need.step.slice(0, (`${need.step}@`).indexOf('@'))}`
    const group = groups.get(key)
    if (group === undefined) groups.set(key, { need, steps: [need.step] })
    else group.steps.push(need.step)
  }
  return [...groups.values()].map(({ need, steps }) => `  ${foldNames(steps)}  ${reason(need)}`)
}

function chainLines(chain: readonly Link[]): readonly string[] {
  return chain.map(({ step, kind, at }) => (kind === null ? `  ${step}` : `  after ${step}  ${reason({ kind, at: at ?? '' })}`))
}

function reason({ kind, at }: Pick<Need, 'kind' | 'at'>): string {
  return at === '' ? kind : `${kind}, ${at}`
}
