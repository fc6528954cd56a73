import type { Found } from './found.ts'
import { ProxyError } from './proxy-error.ts'
import type { ProxyContext } from './proxy-context.ts'
import { UpstreamError } from './upstream/upstream-error.ts'
import { askInTurn } from './upstream/upstreams.ts'
import type { Upstream } from './upstream/upstreams.ts'
import type { ObjectHash } from '../stage/object-hash.ts'
import { stat } from 'node:fs/promises'

/** One file, of which the site says the SHA-256. */
export class FileSource {
  readonly name: string
  readonly upstreams: readonly Upstream[]
  readonly #hash: ObjectHash | null
  readonly #context: ProxyContext
  #bytes: number | undefined

  constructor(name: string, options: { readonly upstreams: readonly string[]; readonly sha256: string | null }, context: ProxyContext) {
    this.name = name
    // The URL is the file itself, and not a folder.
    this.upstreams = options.upstreams.map(base => ({ base, failures: 0, restsUntil: 0, lastError: null, answers: 0, bytes: 0 }))
    this.#hash = options.sha256 === null ? null : `sha256:${options.sha256}`
    this.#context = context
  }

  /** True when a client asks for this file by one of its upstreams' URLs. */
  is(url: string): boolean {
    const plain = (one: string): string => one.replace(/^https?:/, '').replace(/^\/\/[^/@]*@/, '//')
    return this.upstreams.some(one => plain(one.base) === plain(url))
  }

  /** @throws {ProxyError} */
  async find(): Promise<Found> {
    const { store, online } = this.#context
    const hash = this.#hash
    const what = `the file ${this.name}`
    if (hash === null) throw new ProxyError('REFUSED', `${what}: its source has no sha256, so nothing vouches for it`)
    this.#bytes ??= (await stat(store.path(hash)).catch(() => undefined))?.size
    if (this.#bytes === undefined && !online()) throw new ProxyError('OFFLINE', `${what} is not in the store, and this admin node is offline`)
    this.#bytes ??= await this.#askSize(what)
    return {
      content: { hash, bytes: this.#bytes, contentType: 'application/octet-stream' },
      order: { hash, bytes: this.#bytes, paths: [''], upstreams: this.upstreams, what },
    }
  }

  /** What was promised was not there, or was other. */
  doubt(): void {
    this.#bytes = undefined
  }

  async #askSize(what: string): Promise<number> {
    const { connector, rounds, backoffMs, now, signal } = this.#context
    return askInTurn(this.upstreams, async ({ base }) => {
      const answer = await connector.get(base, { method: 'HEAD', signal })
      answer.drop()
      const length = Number(answer.headers['content-length'] ?? Number.NaN)
      if (!Number.isSafeInteger(length)) throw new UpstreamError('status', 'it does not say how large the file is')
      return length
    }, { what, rounds, backoffMs, now, signal })
  }
}
