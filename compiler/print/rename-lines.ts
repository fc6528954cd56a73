import type { Changes } from '../../schemas/changes.ts'
import type { DiffOptions } from './diff-options.ts'
import { count, edges, safe, WIDTH, wrap } from './layout.ts'

/** Renames that are told one by one when not everything is asked for. */
const TOLD = 6

/** Which node has which name from now on, where that is written, and what it does. */
export function renameLines({ renamed }: Changes, { full }: DiffOptions): readonly string[] {
  if (renamed.length === 0) return []
  const told = full === true ? renamed : renamed.slice(0, TOLD)
  const lines = told.flatMap(({ from, to, at }) => edges(`RENAME  ${safe(from)} becomes ${safe(to)}`, at))
  if (told.length < renamed.length) lines.push(`  ... and ${count(renamed.length - told.length, 'node')} more: --full`)
  return [...lines, ...wrap('First of all, and nothing is installed again: host name and /etc/hosts follow, and what mentions the name runs below.', WIDTH - 2).map((line) => `  ${line}`)]
}
