import { FileCache } from '../boot/http/file-cache.ts'
import type { BootRoute } from '../boot/http/boot-route.ts'
import { serveFile } from '../boot/http/serve-file.ts'
import type { ArchiveKey } from './archive-key.ts'
import { createAptRepository } from './apt-repository.ts'
import type { Store } from './store.ts'

/** What the boot server serves besides booting: staged packages below `/apt/`, signed, and the time at `/time`. */
export function fileRoutes(store: Store, { key, now }: { readonly key: ArchiveKey; readonly now: () => number }): readonly BootRoute[] {
  const repository = createAptRepository(store, key)
  const cache = new FileCache()
  return [
    {
      prefix: '/apt/',
      async handle(boot) {
        const file = await repository(boot.url.pathname)
        return file === undefined ? 'missing' : serveFile(store.path(file.hash), boot, { cache, sha256: file.hash.slice('sha256:'.length) })
      },
    },
    {
      // A machine whose clock is wrong refuses certificates, so the time comes without any.
      prefix: '/time',
      handle({ response }) {
        response.writeHead(200, { 'content-type': 'text/plain', 'cache-control': 'no-store', date: new Date(now()).toUTCString() }).end(`${new Date(now()).toISOString()}\n`)
        return Promise.resolve('done')
      },
    },
  ]
}
