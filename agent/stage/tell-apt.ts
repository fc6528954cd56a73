import { mkdir } from 'node:fs/promises'
import { join } from 'node:path'
import type { AptSource } from './apt-sources.ts'
import { hashOf } from './object-hash.ts'
import { writeDurably } from './store.ts'
import type { Store } from './store.ts'

/** A source, and as what apt is told it. */
export interface ToldSource {
  readonly source: AptSource
  readonly told: AptSource
}

/**
 * The host under which apt knows sources that it asks Crowbar's proxy for, as `/apt/NAME`. The name does not change when the
 * proxy's port does, so that indexes that were read before are found again. RFC 6761 §6.4
 */
export const PROXIED_HOST = 'crowbar.invalid'

/** What apt is told of sources. Their keys are written below the store's folder, under a name that their content gives them. */
export async function tellApt(sources: readonly AptSource[], store: Store): Promise<ToldSource[]> {
  return Promise.all(sources.map(async source => {
    const { site } = source
    if (site === undefined) return { source, told: source }
    const options = site.keys === null ? source.options : { ...source.options, 'Signed-By': await writeKeys(Buffer.from(site.keys, 'base64'), store) }
    return { source, told: { ...source, options, uris: site.proxied ? [`http://${PROXIED_HOST}/apt/${site.name}`] : source.uris } }
  }))
}

async function writeKeys(keys: Buffer, store: Store): Promise<string> {
  const folder = join(store.folder, 'apt', 'keys')
  await mkdir(folder, { recursive: true })
  // apt goes by the ending. sources.list(5)
  const file = join(folder, `${hashOf(keys).slice('sha256:'.length)}.${keys.includes('-----BEGIN') ? 'asc' : 'gpg'}`)
  await writeDurably(file, keys, join(store.folder, 'tmp'))
  return file
}
