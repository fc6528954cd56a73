import { mkdirSync, readdirSync, renameSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { ARTIFACTS_FOLDER, artifactsPath, artifactsShape } from '../../schemas/artifacts.ts'
import type { Artifacts, HeldBuilds, ResolveSets } from '../../schemas/artifacts.ts'
import { byCodePoint, canonical, digestBytes } from '../../schemas/canonical.ts'
import type { Lock } from '../../schemas/lock.ts'
import type { Plan } from '../../schemas/plan.ts'
import type { Json } from '../../schemas/shape.ts'
import { comparePackages } from '../change/package-causes.ts'
import type { PackageDifference } from '../change/package-causes.ts'
import { packageBlock } from '../print/package-lines.ts'
import type { Tree } from '../tree/tree.ts'
import { checkValue } from '../validate/check-value.ts'
import { compileSite } from './compile-site.ts'
import { EXIT, formatOf, misused, tell } from './session.ts'
import { writeLock } from './write-lock.ts'

export interface LockUpdateArguments {
  readonly site: string
  /** Sources; true: all. */
  readonly update: true | readonly string[]
  readonly dryRun?: true
  readonly format: string
}

/** What became of the packages of one set. */
interface SetUpdate {
  readonly set: string
  readonly os: string
  readonly hash: string
  readonly text: string
  readonly content: Artifacts
  /** Whether the site has exactly this already. */
  readonly same: boolean
  readonly packages: readonly PackageDifference[]
}

/**
 * `crowbar lock --update`: resolves anew which packages the artifact sets of some sources have, and writes them below
 * artifacts/ and into the lock. What does not change is not written. Prints what differs, package by package.
 */
export async function lockUpdateCommand(options: LockUpdateArguments, resolveSets: ResolveSets): Promise<number> {
  const format = formatOf(options.format, ['text', 'json'])
  if (format === undefined) return EXIT.usage
  const { tree, compiled, diagnostics } = await compileSite({ site: options.site, anew: true })
  tell(diagnostics, tree)
  if (compiled === undefined || tree === undefined) return EXIT.fault
  if (tree.commit !== null) return misused(`${options.site} is a bare repository: the lock is written into a working folder`)
  const { plan } = compiled
  const sourcesOf = (set: string): readonly string[] => {
    const system = plan.systems[plan.artifacts[set]?.os ?? '']
    return system === undefined || system.source === null ? [] : [system.source, ...(system.moreSources ?? []), ...(plan.artifacts[set]?.builds ?? [])]
  }
  const chosen = Object.keys(plan.artifacts).filter((set) => sourcesOf(set).some((name) => options.update === true || options.update.includes(name))).toSorted(byCodePoint)
  const stranger = options.update === true ? undefined : options.update.find((name) => !Object.keys(plan.artifacts).some((set) => sourcesOf(set).includes(name)))
  if (stranger !== undefined) return misused(`no node of the site gets packages from a source ${stranger}; there are ${[...new Set(Object.keys(plan.artifacts).flatMap(sourcesOf))].toSorted(byCodePoint).join(', ') || 'none'}`)
  const found = await resolveSets(chosen, plan, heldOf(chosen, { tree, lock: compiled.lock, update: options.update }))
  if ('problem' in found) {
    process.stderr.write(`crowbar: ${found.problem}\n`)
    return EXIT.fault
  }
  const updates = found.sets.map((content) => updateOf(content, tree, compiled.lock))
  print(updates, format)
  if (options.dryRun === true) return EXIT.done
  const artifacts = { ...stillThere(compiled.lock.artifacts, plan), ...Object.fromEntries(updates.map(({ set, hash }) => [set, hash])) }
  writeFiles(options.site, updates, artifacts)
  writeLock(options.site, { ...compiled.lock, artifacts })
  process.stderr.write(updates.every(({ same }) => same) ? 'Nothing changed.\n' : `site.lock.json and ${ARTIFACTS_FOLDER} written: look at them with \`crowbar diff\`, then commit them.\n`)
  return EXIT.done
}

/** Of sources that were not named the commits that are locked. */
function heldOf(sets: readonly string[], { tree, lock, update }: { readonly tree: Tree; readonly lock: Lock; readonly update: LockUpdateArguments['update'] }): HeldBuilds {
  const builds = update === true ? [] : sets.flatMap((set) => {
    const file = tree.files.get(artifactsPath(lock.artifacts[set] ?? ''))
    return Object.entries((file === undefined ? undefined : readable(file.bytes(), lock.artifacts[set] ?? ''))?.builds ?? {})
  })
  return Object.fromEntries(builds.flatMap(([name, { commit, tag, count }]) => (update !== true && update.includes(name) ? [] : [[name, { commit, tag, count }]])))
}

/** When all packages are as they were, a mirror that was merely signed anew changes nothing. */
function updateOf(content: Artifacts, tree: Tree, lock: Lock): SetUpdate {
  const path = lock.artifacts[content.set] ?? ''
  const before = tree.files.get(artifactsPath(path))
  const was = before === undefined ? undefined : readable(before.bytes(), path)
  const packages = comparePackages(was?.packages ?? {}, content.packages)
  const same = was !== undefined && was.inputs === content.inputs && canonical((was.builds ?? {}) as unknown as Json) === canonical((content.builds ?? {}) as unknown as Json) && packages.length === 0 && was.wanted.join('\n') === content.wanted.join('\n')
  if (same && before !== undefined) return { set: content.set, os: content.os, hash: path, text: new TextDecoder().decode(before.bytes()), content, same, packages }
  const text = artifactsText(content)
  return { set: content.set, os: content.os, hash: digestBytes(text), text, content, same: false, packages }
}

/** One package a line, so that a reviewer and git see which ones differ. */
function artifactsText({ packages, builds, ...rest }: Artifacts): string {
  const head = Object.entries(rest).map(([key, value]) => `  ${JSON.stringify(key)}: ${canonical(value as unknown as Json)}`)
  const built = Object.entries(builds ?? {}).map(([name, { packages: root, ...build }]) => `    ${JSON.stringify(name)}: {\n${Object.entries(build).map(([key, value]) => `      ${JSON.stringify(key)}: ${canonical(value as Json)}`).join(',\n')},\n      "packages": {\n${linesOf(root, '        ')}\n      }\n    }`)
  const more = built.length === 0 ? '' : `  "builds": {\n${built.join(',\n')}\n  },\n`
  return `{\n${head.join(',\n')},\n${more}  "packages": {\n${linesOf(packages, '    ')}\n  }\n}\n`
}

function linesOf(packages: Artifacts['packages'], indent: string): string {
  return Object.keys(packages).toSorted(byCodePoint).map((name) => `${indent}${JSON.stringify(name)}: ${canonical(packages[name] as unknown as Json)}`).join(',\n')
}

/** undefined: it is not what the lock named, and is replaced. */
function readable(bytes: Uint8Array, hash: string): Artifacts | undefined {
  if (digestBytes(bytes) !== hash) return undefined
  const value = JSON.parse(new TextDecoder().decode(bytes)) as Json
  return checkValue(artifactsShape.json, value, 'a file of artifacts').length === 0 ? (value as unknown as Artifacts) : undefined
}

/** Lines of sets that the site has no use for any more go. */
function stillThere(artifacts: Lock['artifacts'], plan: Plan): Lock['artifacts'] {
  return Object.fromEntries(Object.entries(artifacts).filter(([set]) => Object.hasOwn(plan.artifacts, set)))
}

/** New files first, then the lock that names them; last go the files that nothing names. */
function writeFiles(site: string, updates: readonly SetUpdate[], artifacts: Lock['artifacts']): void {
  mkdirSync(join(site, ARTIFACTS_FOLDER), { recursive: true })
  for (const { hash, text } of updates) {
    const file = join(site, artifactsPath(hash))
    writeFileSync(`${file}.new`, text)
    renameSync(`${file}.new`, file)
  }
  const named = new Set(Object.values(artifacts).map(artifactsPath))
  for (const name of readdirSync(join(site, ARTIFACTS_FOLDER))) {
    if (/^[0-9a-f]{64}\.json$/.test(name) && !named.has(ARTIFACTS_FOLDER + name)) rmSync(join(site, ARTIFACTS_FOLDER, name))
  }
}

function print(updates: readonly SetUpdate[], format: 'text' | 'json'): void {
  if (format === 'json') {
    process.stdout.write(`${JSON.stringify(updates.map(({ set, os, hash, content, same, packages }) => ({ set, os, source: content.source, hash, releases: content.releases, changed: !same, packages })), null, 2)}\n`)
    return
  }
  for (const { set, packages, content, same } of updates) {
    const bytes = Object.values(content.packages).reduce((sum, one) => sum + one.bytes, 0)
    process.stdout.write(`${set}: ${Object.keys(content.packages).length} packages, ${Math.ceil(bytes / 1e6)} MB${same ? ', as before' : ''}\n`)
    if (packages.length > 0 && packages.length < Object.keys(content.packages).length) process.stdout.write(`${packageBlock({ set, packages }, {}).join('\n')}\n`)
  }
}
