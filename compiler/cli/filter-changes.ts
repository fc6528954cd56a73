import { suggest } from '../../schemas/cel/suggest.ts'
import type { Changes } from '../../schemas/changes.ts'
import type { Plan } from '../../schemas/plan.ts'

/** Leaves only changes whose step or node some target matches and no exclusion does. `*` stands for anything. */
export function filterChanges(changes: Changes, { target, exclude }: { readonly target?: readonly string[]; readonly exclude?: readonly string[] }): Changes {
  if (target === undefined && exclude === undefined) return changes
  const wanted = target?.map(globMatcher)
  const unwanted = (exclude ?? []).map(globMatcher)
  const kept = changes.changes.filter(({ step }) => {
    const names = step.node === null ? [step.id] : [step.id, step.node]
    const hit = (match: (name: string) => boolean): boolean => names.some(match)
    return (wanted === undefined || wanted.some(hit)) && !unwanted.some(hit)
  })
  return { ...changes, changes: kept }
}

/** The first glob that is no name of a step or node, of the plan or of the changes, with the nearest that is one; undefined: each is. */
export function unmatched(globs: readonly string[], { plan, changes }: { readonly plan: Plan; readonly changes: Changes }): { readonly glob: string; readonly near: string | undefined } | undefined {
  const steps = [...plan.steps, ...changes.changes.map(({ step }) => step)]
  const names = new Set([...Object.keys(plan.nodes), ...steps.flatMap(({ id, node }) => (node === null ? [id] : [node, id]))])
  const glob = globs.find((each) => !names.values().some(globMatcher(each)))
  return glob === undefined ? undefined : { glob, near: suggest(glob, names) }
}

/** Whether a name reads as the parts of a glob in their order, with anything between them. */
export function globMatcher(glob: string): (name: string) => boolean {
  const [first = '', ...rest] = glob.split('*')
  return (name) => {
    if (rest.length === 0) return name === first
    const last = rest.at(-1) as string
    if (!name.startsWith(first) || !name.endsWith(last) || name.length < first.length + last.length) return false
    let at = first.length
    for (const part of rest.slice(0, -1)) {
      const found = name.indexOf(part, at)
      if (found < 0) return false
      at = found + part.length
    }
    return at <= name.length - last.length
  }
}
