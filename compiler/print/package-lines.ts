import type { Changes } from '../../schemas/changes.ts'
import type { PackageDifference } from '../change/package-causes.ts'
import { count, cut, labelHead, safe, WIDTH, wrap } from './layout.ts'

/** Packages of one set that are told one by one, when not everything is asked for. */
const PACKAGES_TOLD = 20

/** Packages of an artifact set that are otherwise than they were. */
export interface PackageUpdate {
  readonly set: string
  readonly packages: readonly PackageDifference[]
}

/** What is staged otherwise than before, a block for each artifact set. It happens on no node by itself. */
export function packageLines(changes: Changes, options: { readonly full?: boolean }): readonly (readonly string[])[] {
  return changes.changes.flatMap(({ step, causes }) => {
    const packages = causes.flatMap(({ kind, path, before, after }) => (kind === 'packages' && path !== null ? [{ name: path, before: asText(before), after: asText(after) }] : []))
    return step.kind !== 'stage' || packages.length === 0 ? [] : [packageBlock({ set: step.id.slice('stage/'.length), packages }, options)]
  })
}

/** Old version and new one of each package, then those that came and went. */
export function packageBlock({ set, packages }: PackageUpdate, { full }: { readonly full?: boolean }): readonly string[] {
  const most = full === true ? Infinity : PACKAGES_TOLD
  const changed = packages.filter(({ before, after }) => before !== null && after !== null)
  const added = packages.filter(({ before }) => before === null)
  const removed = packages.filter(({ after }) => after === null)
  const lines = changed.slice(0, most).flatMap(({ name, before, after }) => versionLines(name, safe(before ?? ''), safe(after ?? '')).map((line) => cut(line, full === true ? Infinity : WIDTH)))
  if (changed.length > most) lines.push(`  ... and ${count(changed.length - most, 'package')} more: --full`)
  return [
    `PACKAGES  ${safe(set)}: ${count(changed.length, 'version')} changed, ${added.length} added, ${removed.length} removed`, ...lines,
    ...names('+', added.map(({ name, after }) => `${name} ${after ?? ''}`), most), ...names('-', removed.map(({ name, before }) => `${name} ${before ?? ''}`), most),
  ]
}

/** On one line, or on two where that is too long: versions that name a commit are. */
function versionLines(name: string, before: string, after: string): readonly string[] {
  const head = labelHead(safe(name))
  const one = `${head}${before} -> ${after}`
  return one.length <= WIDTH ? [one] : [`${head}${before}`, `${' '.repeat(Math.max(0, head.length - 3))}-> ${after}`]
}

function names(sign: string, packages: readonly string[], most: number): readonly string[] {
  if (packages.length === 0) return []
  const rest = packages.length > most ? [`and ${packages.length - most} more: --full`] : []
  return wrap([...packages.slice(0, most).map(safe), ...rest].join(', '), WIDTH - 4).map((line, index) => `${index === 0 ? `  ${sign} ` : '    '}${line}`)
}

function asText(value: unknown): string | null {
  return typeof value === 'string' ? value : null
}
