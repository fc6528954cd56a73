import { byCodePoint, canonical } from '../../schemas/canonical.ts'
import type { Lock } from '../../schemas/lock.ts'
import type { Json } from '../../schemas/shape.ts'

/** The sections of a lock in the order in which they are written. */
export const LOCK_SECTIONS = ['claims', 'nodes', 'bindings', 'addresses', 'disks', 'barclamps', 'artifacts'] as const
export type LockSection = (typeof LOCK_SECTIONS)[number]

/** Entries that two sides of a merge want otherwise: each side's `[key, value]`, which may be none. */
export interface Disagreement {
  readonly section: LockSection
  readonly ours: readonly (readonly [key: string, value: Json])[]
  readonly theirs: readonly (readonly [key: string, value: Json])[]
}

/**
 * `site.lock.json` as it is committed: one entry a line, keys in code point order, so that git merges it line by line.
 *
 * @param disagreements entries that stand between git's marks, each side's below its own. Such a text is no JSON until
 * somebody has chosen; whichever side is taken, what remains can be read, also with a comma too many.
 */
export function lockText(lock: Lock, disagreements: readonly Disagreement[] = []): string {
  const sections = LOCK_SECTIONS.map((section) => {
    const entries = (lock[section] ?? {}) as Readonly<Record<string, Json>>
    const marked = disagreements.filter((each) => each.section === section)
    const blocks = [
      ...Object.keys(entries).map((key) => ({ key, lines: [line(key, entries[key] as Json)] })),
      ...marked.map(({ ours, theirs }) => ({ key: [...ours, ...theirs].map(([key]) => key).toSorted(byCodePoint)[0] ?? '', lines: ['<<<<<<< ours', ...ours.map(([key, value]) => line(key, value)), '=======', ...theirs.map(([key, value]) => line(key, value)), '>>>>>>> theirs'] })),
    ]
    const lines = blocks.toSorted((a, b) => byCodePoint(a.key, b.key)).flatMap((block) => block.lines)
    return `  ${JSON.stringify(section)}: {${lines.length === 0 ? '' : `\n${withCommas(lines).join('\n')}\n  `}}`
  })
  return `{\n  "kind": "lock",\n  "version": 1,\n${sections.join(',\n')}\n}\n`
}

function line(key: string, value: Json): string {
  return `    ${JSON.stringify(key)}: ${canonical(value)}`
}

/** A comma behind every entry but the last line: what stands before a mark may come to have something behind it. */
function withCommas(lines: readonly string[]): readonly string[] {
  return lines.map((text, i) => (text.startsWith('    ') && i < lines.length - 1 ? `${text},` : text))
}
