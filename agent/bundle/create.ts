import { createHash } from 'node:crypto'
import { createReadStream } from 'node:fs'
import { access, open, rename, rm, stat } from 'node:fs/promises'
import type { FileHandle } from 'node:fs/promises'
import { join } from 'node:path'
import { digestBytes } from '../../schemas/canonical.ts'
import { BUNDLE_VERSION } from '../../schemas/bundle.ts'
import type { BundledObject, BundledRepository, BundleIndex } from '../../schemas/bundle.ts'
import { LEDGER_REF } from '../../schemas/ledger.ts'
import type { Plan } from '../../schemas/plan.ts'
import type { ObjectHash } from '../stage/object-hash.ts'
import type { Progress } from '../stage/progress.ts'
import { StageError } from '../stage/stage-error.ts'
import type { Store } from '../stage/store.ts'
import { BundleError } from './bundle-error.ts'
import { indexFile, layOut, objectsOf, readIndex } from './bundle-index.ts'
import type { IndexFile } from './bundle-index.ts'
import { contentsFor } from './contents.ts'
import type { Signer } from './keys.ts'
import { installScript, packProgram } from './program.ts'
import { git, packRepository, refsOf } from './repositories.ts'
import { tarBytes, tarEnd, tarHeader, tarPadding } from './write-tar.ts'

/** A commit that compiled. */
export interface BundledCommit {
  /** The repository with the site. */
  readonly repository: string
  /** Branch that an agent is to follow. */
  readonly branch: string
  readonly commit: string
  readonly plan: Plan
  /** Text of `site.lock.json` as the commit asks for it. */
  readonly lockText: string
}

export interface CreateBundleOptions {
  readonly store: Store
  /** Folder with the repositories of barclamps from git, `<commit>.git` each. */
  readonly barclamps: string
  readonly signer: Signer
  /** The bundle that this one adds to; null: it stands by itself. */
  readonly since: IndexFile | null
  /** Bytes of a volume, at most; null: one volume. */
  readonly volumeBytes: number | null
  readonly containers: boolean
  /** The installation of Crowbar that goes into it; default: the one that runs. */
  readonly program?: string
  /** The file, or with several volumes what their names begin with. */
  readonly out: string
  readonly signal: AbortSignal
  readonly onProgress: Progress
}

export interface CreatedBundle extends IndexFile {
  readonly files: readonly { readonly path: string; readonly bytes: number; readonly sha256: string }[]
}

/** How a file with a private key looks. */
const PRIVATE = ['AGE-SECRET-KEY-1', '-----BEGIN PRIVATE KEY-----', '-----BEGIN RSA PRIVATE KEY-----', '-----BEGIN EC PRIVATE KEY-----', '-----BEGIN OPENSSH PRIVATE KEY-----', '-----BEGIN PGP PRIVATE KEY BLOCK-----'] as const

/**
 * Writes all that a commit of a site needs onto one medium: its repository, artifacts, images, and Crowbar itself. The same
 * input gives the same bytes. What is written has its name when it is whole.
 *
 * @throws {BundleError} BUNDLE_NOT_STAGED, which names all that misses; BUNDLE_SECRET, BUNDLE_REFUSED.
 * @throws {StageError} STORE_FULL
 */
export async function createBundle(site: BundledCommit, options: CreateBundleOptions): Promise<CreatedBundle> {
  const { store, signer, since, volumeBytes, signal, onProgress, out } = options
  await refuseKeys(site, signal)
  const found = await contentsFor(site.plan, options)
  if (found.kind === 'missing') throw new BundleError('BUNDLE_NOT_STAGED', `not all that the plan needs is in ${store.folder}: \`crowbar stage\` first\n${found.missing.map(line => `  ${line}`).join('\n')}`)
  const { contents } = found
  onProgress('packing repositories')
  const repositories = [await packSite(site, options), ...await packBarclamps(site, options), ...contents.mirrors]
  onProgress('packing Crowbar')
  const program = await packProgram(store, { signal, root: options.program })

  const had = since === null ? new Map<string, number>() : objectsOf(since.index)
  const wanted = await withSizes([...program.parts.map(one => one.sha256), ...repositories.map(one => one.pack).toSorted()], store)
  const all = [...new Map([...wanted, ...contents.objects].map(one => [one.sha256, one])).values()]
  const elsewhere = all.filter(one => had.has(one.sha256)).toSorted((a, b) => (a.sha256 < b.sha256 ? -1 : 1))
  const indexOf = (volumes: BundleIndex['volumes']): BundleIndex => ({
    kind: 'bundle', version: BUNDLE_VERSION,
    site: { name: site.plan.site.name, branch: site.branch, commit: site.commit, plan: site.plan.id, admins: Object.keys(site.plan.agents).toSorted() },
    program, repositories, references: contents.references,
    since: since === null ? null : { id: since.id, commit: since.index.site.commit }, elsewhere, volumes,
  })
  const volumes = layOut(all.filter(one => !had.has(one.sha256)), {
    limit: volumeBytes,
    head: laid => headOf({ file: indexFile(indexOf(laid)), number: 1, signer }).reduce((sum, one) => sum + tarBytes(one.content.length), 0),
  })
  // Whoever reads it is as strict.
  const file = readIndex(indexFile(indexOf(volumes)).bytes, 'the new bundle')
  const paths = volumes.map((_, i) => (volumes.length === 1 ? out : `${out}.${String(i + 1).padStart(3, '0')}`))
  for (const path of paths) if (await access(path).then(() => true, () => false)) throw new BundleError('BUNDLE_REFUSED', `${path} is there already`)
  const files: CreatedBundle['files'][number][] = []
  // None has its name before all are whole: a part of a bundle is nothing to carry away, and would be in the way of the next try.
  await using _unfinished = { [Symbol.asyncDispose]: async () => { for (const path of paths) await rm(partialOf(path), { force: true }) } }
  for (const [i, { objects }] of volumes.entries()) {
    onProgress(`writing ${paths[i] ?? ''}`)
    files.push(await writeVolume(paths[i] ?? '', { head: headOf({ file, number: i + 1, signer }), objects }, options))
  }
  for (const { path } of files) await rename(partialOf(path), path)
  return { ...file, files }
}

interface HeadFile {
  readonly name: string
  readonly content: Buffer
}

/** What is before the objects. */
function headOf({ file, number, signer }: { readonly file: IndexFile; readonly number: number; readonly signer: Signer }): readonly HeadFile[] {
  const { index, bytes, id } = file
  return [
    { name: 'bundle.json', content: bytes },
    { name: 'bundle.sig', content: Buffer.from(`${JSON.stringify(signer.sign(bytes))}\n`) },
    { name: 'volume.json', content: Buffer.from(`${JSON.stringify({ bundle: id, number, of: index.volumes.length })}\n`) },
    ...(number === 1 && bootstraps(index) ? [{ name: 'install.sh', content: Buffer.from(installScript(index.program)) }] : []),
  ]
}

/** Whether the first volume has the whole program, and so a script that unpacks it. */
export function bootstraps({ program, volumes }: BundleIndex): boolean {
  const first = new Set(volumes[0]?.objects.map(one => one.sha256))
  return program.parts.every(one => first.has(one.sha256))
}

async function writeVolume(path: string, { head, objects }: { readonly head: readonly HeadFile[]; readonly objects: readonly BundledObject[] }, { store, signal }: CreateBundleOptions): Promise<CreatedBundle['files'][number]> {
  const digest = createHash('sha256')
  let bytes = 0
  await rm(partialOf(path), { force: true })
  await using file = await open(partialOf(path), 'wx')
  const write = async (chunk: Buffer): Promise<void> => {
    signal.throwIfAborted()
    digest.update(chunk)
    bytes += chunk.length
    await writeAll(file, chunk, path)
  }
  for (const { name, content } of head) for (const chunk of [tarHeader({ name, kind: 'file', bytes: content.length, executable: name.endsWith('.sh') }), content, tarPadding(content.length)]) await write(chunk)
  for (const one of objects) {
    await write(tarHeader({ name: `objects/${one.sha256}`, kind: 'file', bytes: one.bytes }))
    await copyObject(one, store, write)
    await write(tarPadding(one.bytes))
  }
  await write(tarEnd())
  await file.sync()
  return { path, bytes, sha256: digest.digest('hex') }
}

function partialOf(path: string): string {
  return `${path}.partial`
}

/** What the disk gives is held against its name once more: a bundle is read far away from any mirror. */
async function copyObject(one: BundledObject, store: Store, write: (chunk: Buffer) => Promise<void>): Promise<void> {
  const hash: ObjectHash = `sha256:${one.sha256}`
  await store.use(hash)
  const digest = createHash('sha256')
  let bytes = 0
  for await (const chunk of createReadStream(store.path(hash), { highWaterMark: 1024 * 1024 }) as AsyncIterable<Buffer>) {
    digest.update(chunk)
    bytes += chunk.length
    await write(chunk)
  }
  if (bytes !== one.bytes || digest.digest('hex') !== one.sha256) throw new BundleError('BUNDLE_NOT_STAGED', `${hash} in ${store.folder} is damaged: \`crowbar stage verify\` has it again`)
}

async function writeAll(file: FileHandle, chunk: Buffer, path: string): Promise<void> {
  for (let at = 0; at < chunk.length;) {
    const { bytesWritten } = await file.write(chunk, at).catch((cause: NodeJS.ErrnoException) => {
      if (cause.code !== 'ENOSPC' && cause.code !== 'EDQUOT') throw cause
      throw new BundleError('BUNDLE_REFUSED', `no space is left for ${path}`, { cause })
    })
    at += bytesWritten
  }
}

/** Secrets go encrypted, as they are in the repository; what would open them does not go. */
async function refuseKeys({ repository, commit }: BundledCommit, signal: AbortSignal): Promise<void> {
  const text = await git(repository, ['grep', '--text', '--name-only', '--fixed-strings', '-z', ...PRIVATE.flatMap(pattern => ['-e', pattern]), commit], { signal }).catch((error: unknown) => {
    // It ends with 1 when there is nothing.
    if (error instanceof StageError && error.code === 'PROGRAM_FAILED' && error.data['stderr'] === '') return ''
    throw error
  })
  const paths = text.split('\0').filter(line => line !== '').map(line => line.slice(commit.length + 1))
  if (paths.length > 0) throw new BundleError('BUNDLE_SECRET', `the site has a private key in ${paths.slice(0, 3).join(', ')}${paths.length > 3 ? ` and ${String(paths.length - 3)} more files` : ''}; a bundle carries none: keep it outside of the repository, and make a new one, since its history has this one`)
}

async function packSite({ repository, branch, commit, plan }: BundledCommit, { store, signal }: CreateBundleOptions): Promise<BundledRepository> {
  const { refs } = await refsOf(repository, [LEDGER_REF], { signal })
  const head = `refs/heads/${branch}`
  const { name } = plan.site
  return packRepository({ kind: 'site', name, key: digestBytes(name).slice('sha256:'.length), folder: repository, refs: { ...refs, [head]: commit }, head }, { store, signal })
}

async function packBarclamps({ lockText }: BundledCommit, { barclamps, store, signal }: CreateBundleOptions): Promise<BundledRepository[]> {
  const { barclamps: pins = {} } = JSON.parse(lockText) as { readonly barclamps?: Readonly<Record<string, string>> }
  const packed: BundledRepository[] = []
  for (const commit of [...new Set(Object.values(pins))].toSorted()) {
    const folder = join(barclamps, `${commit}.git`)
    if (!await access(folder).then(() => true, () => false)) throw new BundleError('BUNDLE_NOT_STAGED', `commit ${commit.slice(0, 12)} of barclamps is not kept in ${barclamps}: \`crowbar plan\` fetches it`)
    packed.push(await packRepository({ kind: 'barclamp', name: commit, key: commit, folder, refs: { 'refs/heads/pinned': commit }, head: null }, { store, signal }))
  }
  return packed
}

async function withSizes(objects: readonly string[], store: Store): Promise<BundledObject[]> {
  return Promise.all(objects.map(async sha256 => ({ sha256, bytes: (await stat(store.path(`sha256:${sha256}`))).size })))
}
