import { createHash } from 'node:crypto'
import { byCodePoint, digest } from '../../schemas/canonical.ts'
import type { BarclampDocument } from '../../schemas/documents/barclamp.ts'
import type { Diagnostic, Report } from '../../schemas/diagnostic.ts'
import { error } from '../diagnostics/diagnostic.ts'
import { rangeOf } from '../parse/document.ts'
import { rangeOfFile } from '../tree/listing.ts'
import type { Tree } from '../tree/tree.ts'
import type { Located } from '../validate/site.ts'
import type { BarclampFile, ResolvedBarclamp, ResolvedRole } from './resolved-site.ts'

/** One tree in which barclamps may stand. */
export interface BarclampTree {
  readonly origin: 'builtin' | 'git' | 'site'
  readonly tree: Tree
  /** By path of the barclamp.yaml. */
  readonly barclamps: ReadonlyMap<string, Located<BarclampDocument>>
  /** Names of builtin barclamps that those of a git repository stand in for. */
  readonly replaces?: ReadonlySet<string>
}

/**
 * Loads the barclamps that are found, by name. One of the site's own folders stands in for any other of the same name;
 * one from git for a builtin one, when the site says so. A builtin one steps aside whole where another barclamp offers a
 * role of its: what a new Crowbar brings must not break a site.
 *
 * @param trees builtin first, then git, then the site's own.
 */
export function loadBarclamps(trees: readonly BarclampTree[], report: Report): ReadonlyMap<string, ResolvedBarclamp> {
  const found = new Map<string, ResolvedBarclamp>()
  for (const { origin, tree, barclamps, replaces } of trees) {
    for (const [path, document] of barclamps) {
      const { name } = document.value
      const earlier = found.get(name)
      const standsIn = earlier === undefined || (origin === 'site' ? earlier.origin !== 'site' : earlier.origin === 'builtin' && replaces?.has(name) === true)
      if (!standsIn) {
        const fix = earlier.origin === 'builtin' ? `If it is to stand in for the builtin one, say \`replaces: [${name}]\` beside its \`git\`.` : 'Rename one of them, or take its source out of `barclamps` in the site document.'
        report(error('BARCLAMP_DUPLICATE', rangeOf(document.source, ['name']), `There is a barclamp ${name} already.`, { related: [{ message: 'the other one', range: rangeOf(earlier.document.source, ['name']) }], fix }))
        continue
      }
      const files = filesOf(tree, folderOf(path), barclamps)
      found.set(name, { name, document, origin, content: contentDigest(files), files })
    }
  }
  const taken = new Set([...found.values()].filter(({ origin }) => origin !== 'builtin').flatMap(({ document }) => Object.keys(document.value.roles ?? {})))
  for (const [name, { origin, document }] of found) {
    if (origin === 'builtin' && Object.keys(document.value.roles ?? {}).some((role) => taken.has(role))) found.delete(name)
  }
  return shareLibraries(new Map([...found].toSorted(([a], [b]) => byCodePoint(a, b))))
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
      for (const field of ['run', 'remove', 'check', 'drain', 'resume', 'upgrade', 'preview'] as const) {
        const value = declaration[field]
        if (value === undefined) continue
        const nested = typeof value !== 'string'
        const entry = nested ? value.run : value
        const range = rangeOf(source, ['roles', name, field, ...(nested ? ['run'] : [])])
        const folder = source.path.slice(0, -'barclamp.yaml'.length)
        if (!barclamp.files.has(entry)) report(error('ENTRY_MISSING', range, `The barclamp ${barclamp.name} has no file ${entry}.`, { fix: /^\/|(?:^|\/)\.\.?(?:\/|$)/.test(entry) ? 'Name a file of its own folder, by the path in it.' : `Add ${folder}${entry}, or name a file that is there.` }))
      }
      const jig = declaration.jig ?? 'noop'
      if (declaration.preview !== undefined && jig !== 'script' && jig !== 'exec') {
        report(error('VALUE_INVALID', rangeOf(source, ['roles', name, 'preview'], 'key'), `The role ${name} has the jig ${jig}, which says by itself what it would do.`, { fix: 'Take `preview` away; it is for the jigs script and exec.' }))
      }
      if (jig !== 'noop' && jig !== 'test' && declaration.run === undefined) {
        report(error('ENTRY_MISSING', rangeOf(source, ['roles', name], 'key'), `The role ${name} has the jig ${jig}, but does not say what to run.`, { fix: 'Add `run` with a file of the barclamp, or take `jig: noop`.' }))
      }
    }
  }
  return new Map([...roles].toSorted(([a], [b]) => byCodePoint(a, b)))
}

/** The roles that answer to each name, by `actsAs` or because it is theirs. */
export function answeringRoles(roles: ReadonlyMap<string, ResolvedRole>): ReadonlyMap<string, readonly ResolvedRole[]> {
  const found = new Map<string, readonly ResolvedRole[]>([...roles].map(([name, role]) => [name, [role]]))
  for (const role of roles.values()) {
    for (const name of new Set(role.declaration.actsAs)) if (name !== role.name) found.set(name, [...(found.get(name) ?? []), role])
  }
  return found
}

/**
 * A barclamp is its folder, without the folders of barclamps inside it. What is there for people and for `barclamp test`
 * is not sent to nodes, so that an edit of it runs nothing again.
 */
function filesOf(tree: Tree, folder: string, barclamps: BarclampTree['barclamps']): ReadonlyMap<string, BarclampFile> {
  const inner = [...barclamps.keys()].map(folderOf).filter((other) => other !== folder && other.startsWith(folder))
  const files: [string, BarclampFile][] = []
  for (const [path, file] of tree.files) {
    if (!path.startsWith(folder) || inner.some((other) => path.startsWith(other))) continue
    const name = path.slice(folder.length)
    if (isForPeople(name)) continue
    const content = file.bytes()
    files.push([name, { mode: file.mode, bytes: content.length, sha256: createHash('sha256').update(content).digest('hex'), content }])
  }
  return new Map(files.toSorted(([a], [b]) => byCodePoint(a, b)))
}

/** Whether a file of a barclamp, by its path in it, is for those who work on it and not for nodes. */
export function isForPeople(name: string): boolean {
  return /^(?:tests\/|\.|(?:README|LICENSE|COPYING|CHANGELOG)(?:\.[A-Za-z]+)?$)/.test(name)
}

/** A barclamp.yaml without anything in it would pass for none at all. */
export function emptyBarclamp(path: string): Diagnostic {
  return error('KIND_MISSING', rangeOfFile(path), 'This barclamp.yaml is empty.', { fix: 'Write `kind: barclamp`, a name and a version, or remove the file.' })
}

function folderOf(path: string): string {
  return path.slice(0, -'barclamp.yaml'.length)
}

function contentDigest(files: ResolvedBarclamp['files']): ResolvedBarclamp['content'] {
  return digest([...files].map(([name, file]) => [name, file.mode, file.sha256]))
}

/** A barclamp whose roles require a `library` role of another gets the files of that one, below libraries/<its name>/. */
function shareLibraries(barclamps: ReadonlyMap<string, ResolvedBarclamp>): ReadonlyMap<string, ResolvedBarclamp> {
  const libraries = new Map<string, ResolvedBarclamp>()
  for (const barclamp of barclamps.values()) {
    for (const [name, { flags }] of Object.entries(barclamp.document.value.roles ?? {})) if (flags?.includes('library') === true) libraries.set(name, barclamp)
  }
  if (libraries.size === 0) return barclamps
  const required = (barclamp: ResolvedBarclamp, found: Set<ResolvedBarclamp>): ReadonlySet<ResolvedBarclamp> => {
    for (const { requires } of Object.values(barclamp.document.value.roles ?? {})) {
      for (const name of requires ?? []) {
        const library = libraries.get(name)
        if (library === undefined || found.has(library)) continue
        found.add(library)
        required(library, found)
      }
    }
    return found
  }
  return new Map([...barclamps].map(([name, barclamp]) => {
    const shared = [...required(barclamp, new Set())].filter((library) => library !== barclamp)
    if (shared.length === 0) return [name, barclamp]
    const more = shared.flatMap((library) => [...library.files].map(([path, file]) => [`libraries/${library.name}/${path}`, file] as const))
    const files = new Map([...more, ...barclamp.files].toSorted(([a], [b]) => byCodePoint(a, b)))
    return [name, { ...barclamp, files, content: contentDigest(files) }]
  }))
}
