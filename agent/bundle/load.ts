import { join } from 'node:path'
import type { BundleIndex } from '../../schemas/bundle.ts'
import type { ObjectHash } from '../stage/object-hash.ts'
import type { Progress } from '../stage/progress.ts'
import type { Store } from '../stage/store.ts'
import { BundleError } from './bundle-error.ts'
import { objectsOf, readIndex } from './bundle-index.ts'
import type { OpenBundle } from './open-bundles.ts'
import { installProgram, runsHere } from './program.ts'
import { readObjects } from './read-volume.ts'
import { isAncestor, unpackRepository } from './repositories.ts'

export interface LoadOptions {
  readonly store: Store
  /** Bare repository for the site; made, or brought up to the bundle's commit. */
  readonly repository: string
  /** Folder for the repositories of barclamps from git. */
  readonly barclamps: string
  /** Folder to install Crowbar in; null: not at all. */
  readonly program: string | null
  readonly signal: AbortSignal
  readonly onProgress: Progress
}

export interface LoadedBundle {
  readonly id: string
  /** Objects that the store did not have. */
  readonly added: number
  readonly objects: number
  readonly references: number
  /** What was there already and stayed as it was, in words. */
  readonly left: readonly string[]
  /** Null: Crowbar was not installed. */
  readonly launcher: string | null
}

/**
 * Loads bundles, in the order given: objects into the store, then references, repositories, Crowbar. Each thing is there
 * whole or not at all, and what is there is not written again: stopped at any moment, the same call goes on.
 *
 * @throws {BundleError} BUNDLE_BASE_MISSING, BUNDLE_REFUSED before anything is written; BUNDLE_DAMAGED, BUNDLE_STALE.
 * @throws {StageError} STORE_FULL
 */
export async function loadBundles(bundles: readonly OpenBundle[], options: LoadOptions): Promise<readonly LoadedBundle[]> {
  for (const { index: { program }, id } of bundles) {
    if (options.program !== null && !runsHere(program)) throw new BundleError('BUNDLE_REFUSED', `the bundle ${id.slice(0, 12)} has a Crowbar for ${program.platform}, and this machine is ${process.platform}-${process.arch}: load it with --no-program, by a Crowbar that runs here`)
  }
  const coming = new Set<string>()
  for (const one of bundles) {
    await refuseWithoutBase(one, coming, options.store)
    for (const hash of objectsOf(one.index).keys()) coming.add(hash)
  }
  const loaded: LoadedBundle[] = []
  for (const one of bundles) loaded.push(await load(one, options))
  return loaded
}

async function refuseWithoutBase({ index, id }: OpenBundle, coming: ReadonlySet<string>, store: Store): Promise<void> {
  const absent: string[] = []
  for (const { sha256 } of index.elsewhere) if (!coming.has(sha256) && !await store.use(`sha256:${sha256}`)) absent.push(sha256)
  if (absent.length === 0) return
  const since = index.since?.id.slice(0, 12) ?? ''
  throw new BundleError('BUNDLE_BASE_MISSING', `the bundle ${id.slice(0, 12)} adds to the bundle ${since} (commit ${index.site.commit === index.since?.commit ? 'the same' : index.since?.commit.slice(0, 12) ?? ''}), of which ${String(absent.length)} objects are not in ${store.folder}: load ${since} first, or name its files too`)
}

async function load({ index, id, bytes, volumes }: OpenBundle, options: LoadOptions): Promise<LoadedBundle> {
  const { store, repository, barclamps, signal, onProgress } = options
  let added = 0
  const total = index.volumes.reduce((sum, one) => sum + one.objects.length, 0)
  let seen = 0
  for (const head of volumes) {
    for await (const { sha256, content } of readObjects(head)) {
      signal.throwIfAborted()
      seen += 1
      onProgress(`${head.path}: object ${String(seen)} of ${String(total)}`)
      const expected: ObjectHash = `sha256:${sha256}`
      if (await store.use(expected)) {
        for await (const _ of content) signal.throwIfAborted()
        continue
      }
      await store.put(content, { expected, signal })
      added += 1
    }
  }
  onProgress('unpacking repositories')
  const left: string[] = []
  for (const one of index.repositories) {
    const target = one.kind === 'site' ? repository : one.kind === 'barclamp' ? join(barclamps, `${one.key}.git`) : join(store.folder, 'git', `${one.key}.git`)
    left.push(...await unpackRepository(one, target, { store, signal }))
  }
  // An older bundle brings what is gone here and takes nothing back: a system that goes on must not lose what it goes on with.
  const isOlder = await isSucceeded(index, options)
  // Whoever finds the last of these finds the rest. The index keeps what it names, as a plan does.
  for (const [name, sha256] of Object.entries(index.references)) {
    if (isOlder && await store.resolve(name) !== undefined) continue
    await store.refer(name, `sha256:${sha256}`)
  }
  await store.refer(`bundle/${id}`, (await store.put(bytes)).hash)
  if (options.program === null) return { id, added, objects: total, references: Object.keys(index.references).length, left, launcher: null }
  onProgress('installing Crowbar')
  const { launcher, isCurrent } = await installProgram(index.program, options.program, { store, signal, instead: !isOlder })
  if (!isCurrent) left.push(`the Crowbar of a later bundle stays at ${launcher}`)
  return { id, added, objects: total, references: Object.keys(index.references).length, left, launcher }
}

/** Whether a bundle with a later commit of the site was loaded before. Commits that an agent made here do not count. */
async function isSucceeded({ site }: BundleIndex, { store, repository, signal }: LoadOptions): Promise<boolean> {
  for await (const { name, hash } of store.references()) {
    if (!name.startsWith('bundle/') || hash === null || !await store.has(hash)) continue
    const other = readIndex(await store.read(hash), name).index.site
    if (other.name === site.name && other.commit !== site.commit && await isAncestor(repository, site.commit, other.commit, { signal })) return true
  }
  return false
}
