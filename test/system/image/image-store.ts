import { homedir } from 'node:os'
import { join } from 'node:path'
import type { DebianRelease } from '../../../agent/stage/debian-packages.ts'
import { openStore } from '../../../agent/stage/store.ts'
import type { Store } from '../../../agent/stage/store.ts'

export const BOOKWORM: DebianRelease = { family: 'debian', version: '12', suite: 'bookworm', architecture: 'amd64' }

/** The store that rehearsals use too, so that images are built once on a machine. */
export function openImageStore(): Promise<Store> {
  return openStore(join(process.env['XDG_CACHE_HOME'] ?? join(homedir(), '.cache'), 'crowbar', 'store'))
}
