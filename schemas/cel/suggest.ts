/** Longer names are nobody's typing mistake, and comparing them takes too long. */
const LONGEST = 200

/**
 * The candidate nearest to a misspelt name, undefined if none is near: at most max(1, length / 3) typing mistakes
 * (insert, delete, replace, swap); else the only candidate that it is the beginning of. Ties go to the first by code unit.
 */
export function suggest(name: string, candidates: Iterable<string>): string | undefined {
  const known = [...new Set(candidates)]
  const wanted = name.toLowerCase()
  let best: string | undefined
  let least = Math.max(1, Math.floor(name.length / 3)) + 1
  for (const candidate of known) {
    if (name.length > LONGEST || Math.abs(candidate.length - name.length) > least) continue
    const found = distance(wanted, candidate.toLowerCase(), least)
    if (found < least || (best !== undefined && found === least && candidate < best)) {
      best = candidate
      least = found
    }
  }
  if (best !== undefined || name.length < 3) return best
  const longer = known.filter((candidate) => candidate.toLowerCase().startsWith(wanted))
  return longer.length === 1 ? longer[0] : undefined
}

/** Damerau–Levenshtein, optimal string alignment; more than `limit` as soon as it must be. */
function distance(a: string, b: string, limit: number): number {
  let before: readonly number[] = []
  let above: readonly number[] = Array.from({ length: b.length + 1 }, (_, j) => j)
  for (let i = 1; i <= a.length; i++) {
    const row = [i]
    let lowest = i
    for (let j = 1; j <= b.length; j++) {
      const same = a.charCodeAt(i - 1) === b.charCodeAt(j - 1)
      let least = Math.min((above[j] as number) + 1, (row[j - 1] as number) + 1, (above[j - 1] as number) + (same ? 0 : 1))
      if (i > 1 && j > 1 && a.charCodeAt(i - 1) === b.charCodeAt(j - 2) && a.charCodeAt(i - 2) === b.charCodeAt(j - 1)) least = Math.min(least, (before[j - 2] as number) + 1)
      row.push(least)
      if (least < lowest) lowest = least
    }
    // A swap may come back from the row before the last one, at a cost of one.
    if (lowest > limit + 1) return limit + 1
    before = above
    above = row
  }
  return above[b.length] as number
}
