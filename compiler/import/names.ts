import { byCodePoint } from '../../schemas/canonical.ts'

const LONGEST = 63

/** A name in our form for each name that is given: the host part of a full name where that is one of a kind. */
export function nodeNames(originals: readonly string[]): ReadonlyMap<string, string> {
  const short = (name: string): string => (isAddress(name) ? `host-${name}` : (name.split('.')[0] ?? ''))
  const counts = new Map<string, number>()
  for (const name of new Set(originals)) counts.set(word(short(name)), (counts.get(word(short(name))) ?? 0) + 1)
  return distinct(originals, (name) => (counts.get(word(short(name))) === 1 ? word(short(name)) : word(name)), 'host')
}

/** The same for roles, which begin with a letter. */
export function roleNames(originals: readonly string[]): ReadonlyMap<string, string> {
  return distinct(originals, (name) => (/^[a-z]/.test(word(name)) ? word(name) : word(`g-${name}`)), 'group')
}

/** Lower case, digits and inner hyphens; may be empty. */
export function word(name: string): string {
  return name.toLowerCase().replaceAll(/[^a-z0-9]+/g, '-').slice(0, LONGEST).replaceAll(/^-+|-+$/g, '')
}

function isAddress(name: string): boolean {
  return /^[0-9.]+$/.test(name) || name.includes(':')
}

/** Those that are as they should be keep their names; of the others the first in order has the better one. */
function distinct(originals: readonly string[], wish: (name: string) => string, otherwise: string): ReadonlyMap<string, string> {
  const taken = new Set<string>()
  const names = new Map<string, string>()
  const sorted = [...new Set(originals)].toSorted((a, b) => Number(wish(a) !== a) - Number(wish(b) !== b) || byCodePoint(a, b))
  const next = new Map<string, number>()
  for (const name of sorted) {
    const wanted = wish(name) || otherwise
    let given = wanted
    for (let i = next.get(wanted) ?? 2; taken.has(given); i++) {
      given = `${wanted.slice(0, LONGEST - String(i).length - 1)}-${i}`
      next.set(wanted, i + 1)
    }
    taken.add(given)
    names.set(name, given)
  }
  return names
}
