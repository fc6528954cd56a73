import { stat } from 'node:fs/promises'
import type { ArchiveKey } from './archive-key.ts'
import { readAptRepositoryManifest } from './debian-packages.ts'
import type { AptRepositoryManifest } from './debian-packages.ts'
import type { ObjectHash } from './object-hash.ts'
import type { Store } from './store.ts'

/** What a path of the repository is: an object of the store, to be sent as it is. */
export interface RepositoryFile {
  readonly hash: ObjectHash
  readonly bytes: number
  readonly contentType: string
}

/** Answers for a URL path; undefined: there is no such file (404). */
export type AptRepository = (path: string) => Promise<RepositoryFile | undefined>

const TEXT = 'text/plain; charset=utf-8'
/** Manifests kept in memory; one is a few hundred bytes a package. */
const KEPT_MANIFESTS = 32

/** Bytes; enough for some 50,000 packages. */
const LARGEST_MANIFEST = 16 * 1024 * 1024

/**
 * Serves staged packages from the store as flat apt repositories, each below `/apt/<64 hex digits of its manifest>/`.
 *
 * A node names one as `deb [signed-by=KEYRING] http://<admin>/apt/<hex>/ ./`, with the keyring that came with its task. The
 * path pins every byte but those of the signatures, which are this admin node's, made when they are asked for: what was
 * staged elsewhere, or came in a bundle, is signed here like all else.
 *
 * apt asks for `./InRelease` (or `./Release` and `./Release.gpg`), `./by-hash/SHA256/<hex>` and `./pool/….deb`.
 */
export function createAptRepository(store: Store, key: Pick<ArchiveKey, 'signInline' | 'signBeside'>): AptRepository {
  const manifests = new Map<ObjectHash, AptRepositoryManifest>()
  const open = async (hash: ObjectHash): Promise<AptRepositoryManifest | undefined> => {
    const kept = manifests.get(hash)
    if (kept !== undefined) return kept
    // Any object can be named in a path, also a large image: only what can be a manifest is read.
    const found = await stat(store.path(hash)).catch(() => undefined)
    if (found === undefined || found.size > LARGEST_MANIFEST) return undefined
    const manifest = await readAptRepositoryManifest(store, hash).catch(() => undefined)
    if (manifest === undefined) return undefined
    if (manifests.size >= KEPT_MANIFESTS) manifests.delete(manifests.keys().next().value ?? hash)
    manifests.set(hash, manifest)
    return manifest
  }
  return async path => {
    const match = /^\/apt\/(?<hex>[0-9a-f]{64})\/(?<rest>.+)$/.exec(path)
    if (match?.groups === undefined) return undefined
    const { hex = '', rest: escaped = '' } = match.groups
    const rest = normalise(escaped)
    if (rest === undefined) return undefined
    const manifest = await open(`sha256:${hex}`)
    if (manifest === undefined) return undefined
    const release = manifest.files['Release']
    if (release === undefined || (rest !== 'InRelease' && rest !== 'Release.gpg')) return find(manifest, rest)
    const text = (await store.read(release.hash)).toString('utf8')
    return { ...await store.put(Buffer.from(rest === 'InRelease' ? key.signInline(text) : key.signBeside(text))), contentType: TEXT }
  }
}

function normalise(path: string): string | undefined {
  try {
    return path.split('/').filter(segment => segment !== '.' && segment !== '').map(decodeURIComponent).join('/')
  } catch {
    // A malformed escape is a path that is not there.
    return undefined
  }
}

function find(manifest: AptRepositoryManifest, path: string): RepositoryFile | undefined {
  const own = Object.hasOwn(manifest.files, path) ? manifest.files[path] : undefined
  if (own !== undefined) return { ...own, contentType: TEXT }
  const byHash = /^by-hash\/SHA256\/([0-9a-f]{64})$/.exec(path)?.[1]
  const index = manifest.files['Packages']
  if (byHash !== undefined && index?.hash === `sha256:${byHash}`) return { ...index, contentType: TEXT }
  const found = manifest.packages.find(one => one.path === path)
  return found && { hash: found.hash, bytes: found.bytes, contentType: 'application/vnd.debian.binary-package' }
}
