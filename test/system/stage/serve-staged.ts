import { createReadStream, mkdirSync, readdirSync, rmSync, writeFileSync } from 'node:fs'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { join } from 'node:path'
import { createAptRepository } from '../../../agent/stage/apt-repository.ts'
import { archiveKey } from '../../../agent/stage/archive-key.ts'
import type { ObjectHash } from '../../../agent/stage/object-hash.ts'
import type { Store } from '../../../agent/stage/store.ts'

/** Staged packages, served as an admin node serves them. */
export interface ServedPackages extends AsyncDisposable {
  /** Makes a repository the only source of the system in a folder. @param trusted who is believed; default: who signs. */
  useIn(root: string, manifest: ObjectHash, trusted?: Buffer): void
}

/** @param change what somebody on the way makes of a file. */
export async function serveStaged(store: Store, change?: (path: string, content: Buffer) => Buffer | undefined): Promise<ServedPackages> {
  const key = archiveKey()
  const repository = createAptRepository(store, key)
  const server = createServer((request, response) => void repository(request.url ?? '').then(async file => {
    if (file === undefined) return response.writeHead(404).end()
    if (change === undefined) return createReadStream(store.path(file.hash)).pipe(response.writeHead(200, { 'content-type': file.contentType, 'content-length': file.bytes }))
    const content = change(request.url ?? '', await store.read(file.hash))
    return content === undefined ? response.writeHead(404).end() : response.end(content)
  }))
  await new Promise<void>(listening => server.listen(0, '127.0.0.1', listening))
  return {
    useIn(root, manifest, trusted = key.public) {
      const parts = join(root, 'etc/apt/sources.list.d')
      for (const name of readdirSync(parts)) rmSync(join(parts, name))
      mkdirSync(join(root, 'etc/apt/keyrings'), { recursive: true })
      writeFileSync(join(root, 'etc/apt/keyrings/crowbar.gpg'), trusted)
      writeFileSync(join(parts, 'crowbar.list'), `deb [signed-by=/etc/apt/keyrings/crowbar.gpg] http://127.0.0.1:${String((server.address() as AddressInfo).port)}/apt/${manifest.slice('sha256:'.length)}/ ./\n`)
    },
    async [Symbol.asyncDispose]() {
      server.closeAllConnections()
      await new Promise(closed => server.close(closed))
    },
  }
}
