import { suggest } from '../../schemas/cel/suggest.ts'

/** Names that a sentence can hold. */
const MOST = 8

/** The fix for a name that is none: the one that was probably meant, else those there are. */
export function knownNames(name: string, names: Iterable<string>): string {
  const known = [...names]
  const near = suggest(name, known)
  if (near !== undefined) return `Did you mean ${near}?`
  if (known.length === 0) return 'There is none to name: add one.'
  const listed = known.slice(0, MOST).join(', ')
  return known.length > MOST ? `Known: ${listed} and ${known.length - MOST} more.` : `Known: ${listed}.`
}
