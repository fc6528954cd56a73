import { createHash } from 'node:crypto'
import { byCodePoint, digest } from '../../schemas/canonical.ts'
import type { BarclampDocument } from '../../schemas/documents/barclamp.ts'
import type { Report } from '../../schemas/diagnostic.ts'
import { error } from '../diagnostics/diagnostic.ts'
import { rangeOf } from '../parse/document.ts'
import type { Tree } from '../tree/tree.ts'
import type { Located } from '../validate/site.ts'
import type { BarclampFile, ResolvedBarclamp, ResolvedRole } from './resolved-site.ts'

/** One tree in which barclamps may stand. */
export interface BarclampTree {
  readonly origin: 'builtin' | 'site'
  readonly tree: Tree
  /** By path of the barclamp.yaml. */
  readonly barclamps: ReadonlyMap<string, Located<BarclampDocument>>
}

/** Loads the barclamps that are found, by name. One of the site stands in for a builtin one of the same name. */
export function loadBarclamps(trees: readonly BarclampTree[], report: Report): ReadonlyMap<string, ResolvedBarclamp> {
  const found = new Map<string, ResolvedBarclamp>()
  for (const { origin, tree, barclamps } of trees) {
    for (const [path, document] of barclamps) {
      const earlier = found.get(document.value.name)
      if (earlier !== undefined && earlier.origin === origin) {
        report(error('BARCLAMP_DUPLICATE', rangeOf(document.source, ['name']), `There is a barclamp ${document.value.name} already.`, { related: [{ message: 'the other one', range: rangeOf(earlier.document.source, ['name']) }], fix: 'Rename one of them, or take its folder out of `barclamps` in the site document.' }))
        continue
      }
      const files = filesOf(tree, path.slice(0, path.length - 'barclamp.yaml'.length), barclamps)
      const content = digest([...files].map(([name, file]) => [name, file.mode, file.sha256]))
      found.set(document.value.name, { name: document.value.name, document, origin, content, files })
    }
  }
  return new Map([...found].toSorted(([a], [b]) => byCodePoint(a, b)))
}

/** Collects the roles of all barclamps and checks that the files which they name are there. */
export function collectRoles(barclamps: ReadonlyMap<string, ResolvedBarclamp>, report: Report): ReadonlyMap<string, ResolvedRole> {
  const roles = new Map<string, ResolvedRole>()
  for (const barclamp of barclamps.values()) {
    for (const [name, declaration] of Object.entries(barclamp.document.value.roles ?? {})) {
      const { source } = barclamp.document
      const earlier = roles.get(name)
      if (earlier !== undefined) {
        report(error('ROLE_DUPLICATE', rangeOf(source, ['roles', name], 'key'), `The barclamps ${earlier.barclamp.name} and ${barclamp.name} both offer a role ${name}.`, { related: [{ message: 'the other one', range: rangeOf(earlier.barclamp.document.source, ['roles', name], 'key') }], fix: 'Rename one of the two.' }))
        continue
      }
      roles.set(name, { name, barclamp, declaration })
      for (const field of ['run', 'remove', 'check', 'drain', 'resume', 'upgrade'] as const) {
        const value = declaration[field]
        if (value === undefined) continue
        const nested = typeof value !== 'string'
        const entry = nested ? value.run : value
        const range = rangeOf(source, ['roles', name, field, ...(nested ? ['run'] : [])])
        const folder = source.path.slice(0, -'barclamp.yaml'.length)
        if (!barclamp.files.has(entry)) report(error('ENTRY_MISSING', range, `The barclamp ${barclamp.name} has no file ${entry}.`, { fix: `Add ${folder}${entry}, or name a file that is there.` }))
      }
      const jig = declaration.jig ?? 'noop'
      if (jig !== 'noop' && jig !== 'test' && declaration.run === undefined) {
        report(error('ENTRY_MISSING', rangeOf(source, ['roles', name], 'key'), `The role ${name} has the jig ${jig}, but does not say what to run.`, { fix: 'Add `run` with a file of the barclamp, or take `jig: noop`.' }))
      }
    }
  }
  return new Map([...roles].toSorted(([a], [b]) => byCodePoint(a, b)))
}

/** A barclamp is its folder, without the folders of barclamps inside it. */
function filesOf(tree: Tree, folder: string, barclamps: BarclampTree['barclamps']): ReadonlyMap<string, BarclampFile> {
  const inner = [...barclamps.keys()].map((path) => path.slice(0, -'barclamp.yaml'.length)).filter((other) => other !== folder && other.startsWith(folder))
  const files: [string, BarclampFile][] = []
  for (const [path, file] of tree.files) {
    if (!path.startsWith(folder) || inner.some((other) => path.startsWith(other))) continue
    const content = file.bytes()
    files.push([path.slice(folder.length), { mode: file.mode, bytes: content.length, sha256: createHash('sha256').update(content).digest('hex'), content }])
  }
  return new Map(files.toSorted(([a], [b]) => byCodePoint(a, b)))
}
