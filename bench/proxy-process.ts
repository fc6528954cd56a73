/** The upstream of the proxy benchmark (`upstream PORT`), or our own proxy of it (`proxy STORE URL`), as a process of its own. Prints its port. */
import { createHash } from 'node:crypto'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { openProxy } from '../agent/proxy/proxy.ts'
import { serveProxy } from '../agent/proxy/serve-proxy.ts'
import { openStore } from '../agent/stage/store.ts'
import { benchPackages } from './proxy-packages.ts'

const [what, place = '', upstream = ''] = process.argv.slice(2)

if (what === 'upstream') {
  const packages = benchPackages()
  const stanzas = [...packages].map(([path, bytes], at) => `Package: p${String(at)}\nFilename: ${path}\nSize: ${String(bytes.length)}\nSHA256: ${createHash('sha256').update(bytes).digest('hex')}\n`)
  const index = Buffer.from(stanzas.join('\n'))
  const release = Buffer.from(`Suite: bench\nDate: Mon, 05 Oct 2020 10:00:00 UTC\nSHA256:\n ${createHash('sha256').update(index).digest('hex')} ${String(index.length)} main/binary-amd64/Packages\n`)
  const files = new Map([...packages, ['dists/bench/Release', release], ['dists/bench/main/binary-amd64/Packages', index]])
  const server = createServer((request, response) => {
    const bytes = files.get((request.url ?? '/').slice(1))
    if (bytes === undefined) response.writeHead(404, { 'content-length': 0 }).end()
    else response.writeHead(200, { 'content-length': bytes.length, 'content-type': 'application/vnd.debian.binary-package', 'last-modified': 'Mon, 05 Oct 2020 10:00:00 GMT' }).end(request.method === 'HEAD' ? undefined : bytes)
  })
  server.listen(Number(place), '127.0.0.1', () => console.log((server.address() as AddressInfo).port))
} else {
  const store = await openStore(place)
  const proxy = openProxy({
    store, now: () => Date.now(), log: () => undefined, limits: { maxAgeMs: 3_600_000 },
    sources: [{ type: 'apt', name: 'bench', archives: [{ upstreams: [upstream], suites: ['bench'], components: [], architectures: [], trust: { kind: 'unsigned' } }] }],
  })
  const { port } = await serveProxy(proxy, { address: '127.0.0.1', port: 0 })
  console.log(port)
}
