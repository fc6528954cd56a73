import { mkdir, readFile, rm, writeFile } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import type { ObjectHash } from './object-hash.ts'
import type { Store } from './store.ts'

/**
 * Notes where an object was had, so that it can be had again when it is found damaged. A note is a convenience: it is
 * not forced to disk, and one that a crash tore is none.
 *
 * @param urls the best first; names and passwords in them are left out.
 */
export async function noteOrigin(store: Store, hash: ObjectHash, urls: readonly string[]): Promise<void> {
  const file = originFile(store, hash)
  await mkdir(dirname(file), { recursive: true })
  await writeFile(file, urls.map(url => `${withoutCredentials(url)}\n`).join(''))
}

/** URLs at which an object could be had; empty if nobody noted any: it was made here, or came from elsewhere. */
export async function originOf(store: Store, hash: ObjectHash): Promise<readonly string[]> {
  const text = await readFile(originFile(store, hash), 'utf8').catch(() => '')
  return text.split('\n').filter(line => URL.canParse(line))
}

/** Forgets it, with its object. */
export async function dropOrigin(store: Store, hash: ObjectHash): Promise<void> {
  await rm(originFile(store, hash), { force: true })
}

function originFile(store: Store, hash: ObjectHash): string {
  const hex = hash.slice('sha256:'.length)
  return join(store.folder, 'origins', hex.slice(0, 2), hex)
}

function withoutCredentials(text: string): string {
  if (!URL.canParse(text)) return text
  const url = new URL(text)
  url.username = ''
  url.password = ''
  return url.href
}
