import { byCodePoint } from '../../schemas/canonical.ts'
import type { Cause } from '../../schemas/changes.ts'
import type { LedgerEntry } from '../../schemas/ledger.ts'
import type { Step } from '../../schemas/plan.ts'
import type { Json } from '../../schemas/shape.ts'
import type { Difference } from './document-diff.ts'
import { shownValue } from './shown-value.ts'

/** A cause whose place in the site has not been looked up. */
export type BareCause = Omit<Cause, 'at'>

type Listings = { readonly [digest: string]: Json }

/** Differences of documents as causes: values as reviewers may see them, secrets as versions. */
export function attributeCauses(differences: readonly Difference[]): readonly BareCause[] {
  return differences.map(({ part, path, before, after }) => ({
    kind: part === 'wants' ? 'wants' : 'attribute',
    path,
    before: shownValue(before),
    after: shownValue(after),
  }))
}

/** The files of a barclamp that differ, by path; one cause without a path when a listing is not at hand. */
export function contentCauses(before: Step, after: Step, listings: { readonly before: Listings; readonly after: Listings }): readonly BareCause[] {
  if (before.content === after.content) return []
  const was = filesOf(before.content, listings.before)
  const is = filesOf(after.content, listings.after)
  if (was === null || is === null) return [{ kind: 'content', path: null, before: before.content, after: after.content }]
  const causes: BareCause[] = []
  for (const path of [...new Set([...was.keys(), ...is.keys()])].toSorted(byCodePoint)) {
    const a = was.get(path) ?? null
    const b = is.get(path) ?? null
    if (a !== b) causes.push({ kind: 'content', path, before: a, after: b })
  }
  return causes
}

/** Artifact sets that a step uses now and did not, or did and does not. */
export function artifactCauses(before: Step, after: Step): readonly BareCause[] {
  const was = [...before.artifacts].toSorted(byCodePoint)
  const is = [...after.artifacts].toSorted(byCodePoint)
  return was.join('\n') === is.join('\n') ? [] : [{ kind: 'artifacts', path: null, before: was, after: is }]
}

/** That a step is new, or that it was sent and did not succeed. */
export function entryCauses(entry: LedgerEntry | null, attempted: string | null): readonly BareCause[] {
  const causes: BareCause[] = []
  if (attempted !== null) causes.push({ kind: 'unfinished', path: null, before: null, after: null })
  else if (entry === null) causes.push({ kind: 'new', path: null, before: null, after: null })
  return causes
}

/** File → what identifies its bytes and mode. */
function filesOf(content: string | null, listings: Listings): ReadonlyMap<string, string> | null {
  if (content === null) return new Map()
  const listing = listings[content]
  if (listing === undefined || listing === null || typeof listing !== 'object' || Array.isArray(listing)) return null
  return new Map(Object.entries(listing as { readonly [path: string]: { readonly sha256: string; readonly mode: string } }).map(([path, file]) => [path, `${file.mode} ${file.sha256.slice(0, 12)}`]))
}
