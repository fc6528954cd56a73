/**
 * The word nearest to a misspelt one: at most a third of its letters (at least one) wrong, missing, extra or swapped;
 * else the only one that it is the beginning of.
 */
export function didYouMean(word: string, words: Iterable<string>): string | undefined {
  const candidates = [...new Set(words)]
  let best: string | undefined
  let least = Math.max(1, Math.floor(word.length / 3)) + 1
  for (const candidate of candidates) {
    if (Math.abs(candidate.length - word.length) >= least) continue
    const distance = editDistance(word.toLowerCase(), candidate.toLowerCase(), least)
    if (distance < least) {
      least = distance
      best = candidate
    }
  }
  if (best !== undefined || word.length < 3) return best
  const longer = candidates.filter((candidate) => candidate.toLowerCase().startsWith(word.toLowerCase()))
  return longer.length === 1 ? longer[0] : undefined
}

/** Damerau-Levenshtein distance with adjacent swaps; `limit` or more when it is not below the limit. */
function editDistance(a: string, b: string, limit: number): number {
  if (a.length > 200 || b.length > 200) return a === b ? 0 : limit
  let before: number[] = []
  let above = Array.from({ length: b.length + 1 }, (_, j) => j)
  for (let i = 1; i <= a.length; i++) {
    const row = [i]
    for (let j = 1; j <= b.length; j++) {
      const same = a[i - 1] === b[j - 1]
      let least = Math.min((above[j] as number) + 1, (row[j - 1] as number) + 1, (above[j - 1] as number) + (same ? 0 : 1))
      if (i > 1 && j > 1 && a[i - 1] === b[j - 2] && a[i - 2] === b[j - 1]) least = Math.min(least, (before[j - 2] as number) + 1)
      row.push(least)
    }
    before = above
    above = row
  }
  return Math.min(above[b.length] as number, limit)
}
