import { link, mkdir, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { archiveKey } from './archive-key.ts'
import type { AptSource } from './apt-sources.ts'
import type { DebianRelease } from './debian-packages.ts'
import { packageIndex, poolPath, releaseOf } from './package-index.ts'
import type { StoredPackage } from './package-index.ts'
import type { Store } from './store.ts'

/** Packages of the store as a repository in a folder, for apt on this machine; gone when it is disposed. */
export interface BuiltRepository extends AsyncDisposable {
  /** One for each source of the site that gave some of them. */
  readonly sources: readonly AptSource[]
}

/** Lets apt choose among packages that were built here, signed by a key that nobody keeps. */
export async function openBuiltRepository(
  packages: readonly (StoredPackage & { readonly source: string })[], { os, store, signal }: { readonly os: DebianRelease; readonly store: Store; readonly signal: AbortSignal },
): Promise<BuiltRepository> {
  const folder = await store.temporaryFolder('built')
  const sources: AptSource[] = []
  const key = archiveKey()
  const keyring = join(folder.path, 'keyring.gpg')
  await writeFile(keyring, key.public)
  for (const name of [...new Set(packages.map(({ source }) => source))].toSorted()) {
    const own = packages.filter(({ source }) => source === name)
    const place = join(folder.path, name)
    await mkdir(join(place, 'pool'), { recursive: true })
    for (const one of own) await link(store.path(one.hash), join(place, poolPath(one)))
    const index = await packageIndex(own, { store, signal })
    await writeFile(join(place, 'Packages'), index)
    await writeFile(join(place, 'InRelease'), key.signInline(releaseOf(os, index)))
    sources.push({ uris: [`copy:${place}`], suites: ['./'], components: [], options: { 'Signed-By': keyring }, site: { name, keys: null, at: null, proxied: false } })
  }
  return { sources, [Symbol.asyncDispose]: () => folder[Symbol.asyncDispose]() }
}
