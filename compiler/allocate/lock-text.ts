import { byCodePoint, canonical } from '../../schemas/canonical.ts'
import type { Lock } from '../../schemas/lock.ts'
import type { Json } from '../../schemas/shape.ts'

const SECTIONS = ['claims', 'nodes', 'bindings', 'addresses', 'disks', 'barclamps', 'artifacts'] as const

/** `site.lock.json` as it is committed: one entry a line, keys in code point order, so that git merges it line by line. */
export function lockText(lock: Lock): string {
  const sections = SECTIONS.map((section) => {
    const entries = (lock[section] ?? {}) as Readonly<Record<string, Json>>
    const lines = Object.keys(entries).toSorted(byCodePoint).map((key) => `    ${JSON.stringify(key)}: ${canonical(entries[key] as Json)}`)
    return `  ${JSON.stringify(section)}: {${lines.length === 0 ? '' : `\n${lines.join(',\n')}\n  `}}`
  })
  return `{\n  "kind": "lock",\n  "version": 1,\n${sections.join(',\n')}\n}\n`
}
