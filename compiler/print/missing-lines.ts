import type { Missing } from '../../schemas/plan.ts'
import { foldNames } from './fold-names.ts'
import { labelled, safe } from './layout.ts'

/**
 * What is not known, for whom and why, an entry for all that lack the same for the same reason: forty nodes without a
 * machine are one, `node/compute-[01-40]`. Each entry is its lines.
 */
export function missingLines(missing: readonly Missing[]): readonly (readonly string[])[] {
  const groups = new Map<string, { readonly what: string; readonly whose: string; readonly because: string; readonly names: string[] }>()
  for (const { what, for: subject, because } of missing) {
    const at = Math.max(subject.lastIndexOf('/'), subject.lastIndexOf('@')) + 1
    const [whose, name] = [subject.slice(0, at), subject.slice(at)]
    const key = JSON.stringify([what, whose, because])
    const group = groups.get(key)
    if (group === undefined) groups.set(key, { what, whose, because, names: [name] })
    else group.names.push(name)
  }
  return [...groups.values()].map(({ what, whose, because, names }) => labelled(safe(what), `of ${safe(whose)}${safe(foldNames(names))}: ${safe(because)}`))
}
