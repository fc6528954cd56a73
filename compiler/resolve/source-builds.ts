import { posix } from 'node:path'
import type { Report } from '../../schemas/diagnostic.ts'
import type { SourceDocument as SourceSpec } from '../../schemas/documents/rule.ts'
import { error } from '../diagnostics/diagnostic.ts'
import { rangeOf } from '../parse/document.ts'
import type { Tree } from '../tree/tree.ts'
import type { Located } from '../validate/site.ts'
import { problemOfRef } from './git-source.ts'

/** A file that changes the tree of a source; `text` is base64. */
export interface Patch {
  readonly path: string
  readonly text: string
}

/** Bytes of one patch. */
const LARGEST = 1024 * 1024

/**
 * The patches of sources, by the name of the source.
 *
 * @param from.folder where the paths begin; ends with a slash unless it is empty.
 */
export function readPatches(sources: ReadonlyMap<string, Located<SourceSpec>>, { tree, folder }: { readonly tree: Tree; readonly folder: string }, report: Report): ReadonlyMap<string, readonly Patch[]> {
  const found = new Map<string, readonly Patch[]>()
  for (const { value, source } of sources.values()) {
    if (value.patches === undefined) continue
    found.set(value.name, value.patches.flatMap((named, i): Patch[] => {
      const path = posix.normalize(folder + named)
      const file = tree.files.get(path)
      const bytes = file === undefined || file.size > LARGEST ? undefined : Buffer.from(file.bytes())
      const problem = file === undefined ? `There is no file ${path}, a patch of ${value.name}.` : bytes === undefined ? `${path}, a patch of ${value.name}, has more than 1 MiB.` : /^(---|diff --git) /m.test(bytes.toString('latin1')) ? undefined : `${path} is no patch: it has no line that begins with \`---\` or \`diff --git\`.`
      if (problem === undefined && bytes !== undefined) return [{ path, text: bytes.toString('base64') }]
      report(error('PATCH_INVALID', rangeOf(source, ['patches', i]), problem ?? '', { fix: 'Write it with `git diff` or `git format-patch` in a clone of the source, and commit it here.' }))
      return []
    }))
  }
  return found
}

/** Holds what is said of builds against the type of the source, its builder, and other sources. */
export function checkBuilds(sources: ReadonlyMap<string, Located<SourceSpec>>, report: Report): void {
  const givers = new Map<string, Located<SourceSpec>>()
  for (const located of sources.values()) {
    const { value, source } = located
    for (const field of ['build', 'patches', 'submodules'] as const) {
      if (value[field] !== undefined && value.type !== 'git') report(error('BUILD_INVALID', rangeOf(source, [field], 'key'), `Only a source of type git has \`${field}\`, and ${value.name} is of type ${value.type}.`))
    }
    const { build } = value
    if (value.type !== 'git') continue
    if (build === undefined) continue
    const wrongRef = value.ref === undefined ? undefined : problemOfRef(value.ref)
    if (value.ref === undefined) report(error('BUILD_INVALID', rangeOf(source, ['build'], 'key'), `Nothing says which \`ref\` of ${value.name} is built.`, { fix: 'Add `ref:` with a branch, a tag or a commit; `crowbar lock --update` pins its commit.' }))
    else if (wrongRef !== undefined) report(error('VALUE_INVALID', rangeOf(source, ['ref']), `The ref ${wrongRef}.`, { fix: 'Name a branch, a tag or a whole commit id.' }))
    if (build.with !== 'debian' && build.packages.length > 1) report(error('BUILD_INVALID', rangeOf(source, ['build', 'packages']), `The builder ${build.with} gives one package, and ${value.name} names ${build.packages.length}.`, { fix: 'Name one, or give the source a debian/ directory and say `with: debian`.' }))
    for (const [i, name] of build.packages.entries()) {
      const other = givers.get(name)
      if (other === undefined) givers.set(name, located)
      else report(error('BUILD_INVALID', rangeOf(source, ['build', 'packages', i]), `The package ${name} is built from ${other.value.name} already.`, { related: [{ message: 'here', range: rangeOf(other.source, ['build', 'packages']) }], fix: 'Give one of them another name, or take one source out.' }))
    }
    for (const [path, name] of Object.entries(value.submodules ?? {})) {
      const other = sources.get(name)
      if (other?.value.type !== 'git') report(error('REFERENCE_UNKNOWN', rangeOf(source, ['submodules', path]), other === undefined ? `There is no source ${name}, which the submodule ${path} is to come from.` : `The submodule ${path} is to come from ${name}, which is of type ${other.value.type}.`, { fix: `Add a source ${name} of type git.` }))
    }
  }
  checkCycles(givers, report)
}

/** Holds against each other which sources are built with packages of which: whatever needs itself is never built. */
function checkCycles(givers: ReadonlyMap<string, Located<SourceSpec>>, report: Report): void {
  const known = new Set<string>()
  const visit = (located: Located<SourceSpec>, path: readonly Located<SourceSpec>[]): void => {
    const { value, source } = located
    for (const [i, name] of (value.build?.needs ?? []).entries()) {
      const giver = givers.get(name)
      if (giver === undefined) continue
      const from = [...path, located].indexOf(giver)
      if (from !== -1) {
        const round = [...path, located].slice(from)
        if (round.some((one) => known.has(one.value.name))) continue
        for (const one of round) known.add(one.value.name)
        report(error('BUILD_INVALID', rangeOf(source, ['build', 'needs', i]), `${[...round, giver].map((one) => one.value.name).join(' is built with ')}, so none of it can be built.`, { related: round.filter((one) => one !== located).map((one) => ({ message: 'and here', range: rangeOf(one.source, ['build', 'needs']) })), fix: 'Take one of these needs out, or build what both need from a source of its own.' }))
      } else {
        visit(giver, [...path, located])
      }
    }
  }
  for (const located of new Set(givers.values())) if (!known.has(located.value.name)) visit(located, [])
}
