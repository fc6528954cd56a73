import { createHash } from 'node:crypto'
import { stat } from 'node:fs/promises'
import { setTimeout as sleep } from 'node:timers/promises'
import { hashOf } from '../../stage/object-hash.ts'
import type { ObjectHash, StoredObject } from '../../stage/object-hash.ts'
import { noteOrigin } from '../../stage/origin.ts'
import { StageError } from '../../stage/stage-error.ts'
import type { Found } from '../found.ts'
import { Memory } from '../memory.ts'
import { ProxyError } from '../proxy-error.ts'
import type { ProxyContext } from '../proxy-context.ts'
import type { Content } from '../send.ts'
import { fetchSmall } from '../upstream/fetch-small.ts'
import type { Validators } from '../upstream/fetch-small.ts'
import { UpstreamError } from '../upstream/upstream-error.ts'
import { askInTurn, newUpstream, printableBase } from '../upstream/upstreams.ts'
import type { Upstream } from '../upstream/upstreams.ts'
import { npmRegistry } from './npm-registry.ts'
import { pythonIndex } from './python-index.ts'
import type { Digest, IndexedFile, RegistryIndex, RegistryKind, WriteOptions } from './registry-index.ts'

/** The index of a package as it is kept: one document in the store. */
interface SavedIndex {
  readonly kind: 'registry-index'
  readonly version: 1
  /** Base of the upstream that gave it, and its URL there after redirects; without name and password. */
  readonly upstream: string
  readonly url: string
  readonly validators: Validators
  /** As the upstream gave it. */
  readonly index: StoredObject
  /** What was had of files whose digest is no SHA-256, by that digest. */
  readonly had: Readonly<Record<string, StoredObject>>
}

interface Package {
  readonly name: string
  /** Accept header for upstreams. */
  readonly form: string
  readonly reference: string
  readonly loaded: Promise<void>
  saved: SavedIndex | undefined
  index: RegistryIndex | undefined
  checked: number
  refreshing: Promise<void> | undefined
  saving: Promise<void>
  /** Why what is told of it may be out of date. */
  stale: string | null
  /** Requests that are at it. It is not forgotten as long as there are any, so that no two write what is kept of it. */
  users: number
}

/** What a path of a registry is: an index, which is told with the files at this proxy, or a file. */
export type FoundInRegistry =
  | { readonly kind: 'index'; readonly content: Content; readonly bytes: Buffer; readonly stale: boolean }
  | { readonly kind: 'file'; readonly found: Found; readonly stale: boolean; readonly doubt: () => void }

export interface FindOptions {
  /** Of the request: what a client takes, and whether it wants no answer that was kept. */
  readonly accept: string
  readonly force: boolean
  /** URL of the source at this proxy, as the client sees it, with a slash at its end. */
  readonly base: string
}

const MOST_INDEX_BYTES = 64 * 1024 * 1024
const MOST_FILE_BYTES = 4 * 1024 ** 3
/** Of indexes as they are told, in memory. */
const TOLD_BYTES = 64 * 1024 * 1024
const MOST_PACKAGES = 200
const RETRY_MS = 15_000

/** A registry of npm or an index of Python packages. What its indexes say is believed as far as TLS is; files are what the indexes say. */
export class RegistrySource {
  readonly name: string
  readonly type: 'npm' | 'pypi'
  readonly upstreams: readonly Upstream[]
  readonly #kind: RegistryKind
  readonly #context: ProxyContext
  readonly #packages = new Map<string, Package>()
  readonly #fetching = new Map<string, Promise<StoredObject>>()
  readonly #told = new Memory(TOLD_BYTES, TOLD_BYTES)

  constructor(name: string, { type, upstreams }: { readonly type: 'npm' | 'pypi'; readonly upstreams: readonly string[] }, context: ProxyContext) {
    this.name = name
    this.upstreams = upstreams.map(newUpstream)
    this.type = type
    this.#kind = type === 'npm' ? npmRegistry : pythonIndex
    this.#context = context
  }

  /** Why what is served of a package may be out of date. */
  get stale(): readonly { readonly name: string; readonly because: string }[] {
    return [...this.#packages.values()].flatMap(({ name, stale }) => (stale === null ? [] : [{ name, because: stale }]))
  }

  /**
   * What a path of the source stands for.
   *
   * @param path below the source.
   * @throws {ProxyError}
   */
  async find(path: string, { accept, force, base }: FindOptions): Promise<FoundInRegistry> {
    const kind = this.#kind
    const route = kind.route(path)
    if (route === undefined) throw new ProxyError('NOT_FOUND', `${path.slice(0, 200)}: of the ${this.type} source ${this.name} there are ${kind.paths}`)
    const { form, contentType } = kind.offer(accept)
    if (route.kind === 'file') return this.#using(route.name, kind.forms, forms => this.#findFile(forms, route.file))
    return this.#using(route.name, [form], async ([one]) => {
      await this.#look(one, force)
      return this.#tell(one, { base, contentType })
    })
  }

  /** @param forms any of them says what the files are. */
  async #findFile(forms: readonly [Package, ...Package[]], name: string): Promise<FoundInRegistry> {
    for (const { loaded } of forms) await loaded
    const one = forms.find(({ index }) => index !== undefined) ?? forms[0]
    if (one.index === undefined) await this.#look(one, false)
    // It may be newer than the index.
    if (one.index?.files.has(name) !== true) await this.#look(one, true)
    const file = one.index?.files.get(name)
    // A newer index may name it: this is no time to say that there is none.
    if (file === undefined && one.stale !== null) throw new ProxyError('UPSTREAM_FAILED', `${name}: what is known of ${this.#what(one.name)} names no such file, and may be out of date: ${one.stale}`)
    if (file === undefined) throw new ProxyError('NOT_FOUND', `${name}: the index of ${this.#what(one.name)} names no such file, or vouches for it by nothing`)
    const doubt = (): void => {
      one.checked = Number.NEGATIVE_INFINITY
    }
    const known = forms.map(({ saved }) => saved?.had[keyOf(file.digest)]).find(had => had !== undefined)
    const found = await this.#found(one, name, file, known).catch((error: unknown) => {
      doubt()
      throw error
    })
    return { kind: 'file', found, stale: one.stale !== null, doubt }
  }

  async #using<T>(name: string, forms: readonly [string, ...string[]], work: (packages: readonly [Package, ...Package[]]) => Promise<T>): Promise<T> {
    const [first, ...more] = forms
    const used = [this.#package(name, first), ...more.map(form => this.#package(name, form))] as const
    try {
      return await work(used)
    } finally {
      for (const one of used) one.users -= 1
    }
  }

  /** Counts the caller among its users. */
  #package(name: string, form: string): Package {
    const key = `${form} ${name}`
    const known = this.#packages.get(key)
    if (known !== undefined) {
      known.users += 1
      this.#packages.delete(key)
      this.#packages.set(key, known)
      return known
    }
    const id = createHash('sha256').update(JSON.stringify([this.upstreams.map(one => printableBase(one.base)).toSorted(), form, name])).digest('hex').slice(0, 32)
    const made: Package = { name, form, reference: `proxy/${this.type}-${id}`, loaded: Promise.resolve().then(() => this.#load(made)), saved: undefined, index: undefined, checked: Number.NEGATIVE_INFINITY, refreshing: undefined, saving: Promise.resolve(), stale: null, users: 1 }
    this.#packages.set(key, made)
    for (const [old, { refreshing, users }] of this.#packages) {
      if (this.#packages.size <= MOST_PACKAGES) break
      if (refreshing === undefined && users === 0) this.#packages.delete(old)
    }
    return made
  }

  /** What an earlier process kept; what cannot be read is not there. */
  async #load(one: Package): Promise<void> {
    const { store } = this.#context
    try {
      const hash = await store.resolve(one.reference)
      if (hash === undefined) return
      const saved = JSON.parse((await store.read(hash)).toString('utf8')) as Partial<SavedIndex>
      if (saved.kind !== 'registry-index' || saved.version !== 1) return
      const { url, index } = saved as SavedIndex
      one.index = this.#kind.read(await store.read(index.hash), one.name, url)
      one.saved = saved as SavedIndex
    } catch (error) {
      if (!(error instanceof StageError || isUnreadable(error))) this.#context.log('an index of a registry could not be read from the store', { source: this.name, package: one.name, error: String(error) })
    }
  }

  #what(name: string): string {
    return `${name} of ${this.name}`
  }

  /** Asks the upstreams when the last look is too long ago; what is known is kept when they fail, and not when all say that there is no such package. */
  async #look(one: Package, force: boolean): Promise<void> {
    await one.loaded
    const { maxAgeMs, patienceMs, now, online, log } = this.#context
    if (!force && one.index !== undefined && now() - one.checked < maxAgeMs) return
    if (!online()) {
      if (one.index !== undefined) return
      throw new ProxyError('OFFLINE', `the index of ${this.#what(one.name)} is not in the store, and this admin node is offline`)
    }
    one.refreshing ??= this.#awaited(this.#refresh(one)).then(() => {
      one.checked = now()
      one.stale = null
    }, (error: unknown) => {
      if (error instanceof ProxyError && error.code === 'NOT_FOUND') {
        one.index = undefined
        one.stale = null
        throw error
      }
      one.stale = one.index === undefined ? null : (error as Error).message
      one.checked = now() - maxAgeMs + Math.min(RETRY_MS, maxAgeMs)
      log('an index of a registry could not be looked at', { source: this.name, package: one.name, error: (error as Error).message })
      throw error
    }).finally(() => {
      one.refreshing = undefined
    })
    const before = one.index
    if (before === undefined) {
      await one.refreshing
      return
    }
    const patience = new AbortController()
    const waited = sleep(patienceMs, undefined, { signal: patience.signal }).catch(() => undefined)
    const looked = one.refreshing.catch((error: unknown) => {
      if (error instanceof ProxyError && error.code === 'NOT_FOUND') throw error
    })
    looked.catch(() => undefined)
    await Promise.race([looked, waited]).finally(() => patience.abort())
  }

  async #refresh(one: Package): Promise<void> {
    const { connector, store, signal, rounds, backoffMs, now, onBytes } = this.#context
    const { saved } = one
    const what = `the index of ${this.#what(one.name)}`
    const got = await askInTurn(this.upstreams, async upstream => {
      const base = printableBase(upstream.base)
      const validators = saved !== undefined && one.index !== undefined && saved.upstream === base ? saved.validators : undefined
      const answer = await fetchSmall(connector, new URL(this.#kind.path(one.name), upstream.base).href, { signal, validators, accept: one.form, byConnection: true, mostBytes: MOST_INDEX_BYTES })
      if (answer === 'unchanged') return answer
      upstream.bytes += answer.bytes.length
      onBytes(answer.bytes.length)
      try {
        const url = printableBase(answer.url)
        return { ...answer, url, upstream: base, index: this.#kind.read(answer.bytes, one.name, url) }
      } catch (error) {
        if (!isUnreadable(error)) throw error
        throw new UpstreamError('wrong', `what it gives for ${one.name} cannot be read: ${error.message}`, { cause: error })
      }
    }, { what, rounds, backoffMs, now, signal })
    if (got === 'unchanged') {
      if (saved === undefined || one.index === undefined || !await store.use(saved.index.hash)) {
        // What did not change was collected meanwhile: without it, it is asked for itself.
        one.index = undefined
        return this.#refresh(one)
      }
      // That it is asked for keeps it in the store; what was collected all the same is noted again.
      if (await store.resolve(one.reference) === undefined) await this.#save(one).catch(whenFull(what))
      return
    }
    const named = new Set([...got.index.files.values()].map(({ digest }) => keyOf(digest)))
    const index = await store.put(got.bytes).catch(whenFull(what))
    const had = Object.fromEntries(Object.entries(one.saved?.had ?? {}).filter(([digest]) => named.has(digest)))
    one.saved = { kind: 'registry-index', version: 1, upstream: got.upstream, url: got.url, validators: got.validators, index, had }
    one.index = got.index
    await this.#save(one).catch(whenFull(what))
  }

  /** The newest state, however many ask for it at once. */
  #save(one: Package): Promise<void> {
    const { store } = this.#context
    const saving = one.saving.catch(() => undefined).then(async () => {
      const { hash } = await store.put(Buffer.from(`${JSON.stringify(one.saved)}\n`))
      await store.refer(one.reference, hash)
    })
    one.saving = saving
    return saving
  }

  /** Work that the end of the proxy waits for, so that nothing of it is left in the store. */
  #awaited<T>(work: Promise<T>): Promise<T> {
    this.#context.inBackground(work.then(() => undefined, () => undefined))
    return work
  }

  async #tell(one: Package, { base, contentType }: { readonly base: string; readonly contentType: string }): Promise<FoundInRegistry> {
    const { store } = this.#context
    if (one.saved === undefined || !await store.use(one.saved.index.hash)) {
      // It was collected, or taken away as damaged.
      one.index = undefined
      await this.#look(one, true)
    }
    const { saved } = one
    if (saved === undefined) throw new ProxyError('UPSTREAM_FAILED', `the index of ${this.#what(one.name)} could not be had`)
    const key = hashOf(Buffer.from(JSON.stringify([one.name, saved.index.hash, saved.url, base, contentType])))
    const bytes = this.#told.get(key) ?? this.#write(await store.read(saved.index.hash).catch(whenDamaged), one.name, { base, contentType, url: saved.url })
    this.#told.add(key, bytes)
    const headers = { 'cache-control': 'max-age=0', 'vary': 'accept', ...(one.stale === null ? {} : { warning: '110 crowbar "Response is Stale"' }) }
    return { kind: 'index', content: { hash: hashOf(bytes), bytes: bytes.length, contentType, headers }, bytes, stale: one.stale !== null }
  }

  #write(bytes: Buffer, name: string, options: WriteOptions): Buffer {
    try {
      return this.#kind.write(bytes, name, options)
    } catch (error) {
      if (!isUnreadable(error)) throw error
      throw new ProxyError('NOT_GENUINE', `the index of ${this.#what(name)} cannot be told: ${error.message}`, { cause: error })
    }
  }

  /** @param had what is noted of it, by whichever form of the index. */
  async #found(one: Package, name: string, file: IndexedFile, had: StoredObject | undefined): Promise<Found> {
    const { digest, bytes } = file
    const known = had ?? (digest.algorithm === 'sha256' ? await this.#bySha256(`sha256:${digest.hex}`, bytes) : undefined)
    const stored = known ?? await this.#awaited(this.#fetch(one, name, file))
    return {
      content: { ...stored, contentType: 'application/octet-stream' },
      order: { ...stored, paths: [this.#pathOf(file.url, one)], upstreams: this.upstreams, what: `${name} of ${this.name}` },
      isNew: known === undefined,
    }
  }

  /** What the store has, whatever the index says of its size; else what can be had as it comes, if that has a size that can be. */
  async #bySha256(hash: ObjectHash, said: number | undefined): Promise<StoredObject | undefined> {
    const bytes = (await stat(this.#context.store.path(hash)).catch(() => undefined))?.size ?? said
    return bytes === undefined || bytes > MOST_FILE_BYTES ? undefined : { hash, bytes }
  }

  /** Has a file of which nobody knows yet by which SHA-256 and size the store will have it: whole, before anybody is given of it. */
  async #fetch(one: Package, name: string, file: IndexedFile): Promise<StoredObject> {
    const key = keyOf(file.digest)
    const { online, log } = this.#context
    if (!online()) throw new ProxyError('OFFLINE', `${name} of ${this.name} is not in the store, and this admin node is offline`)
    const fetching = this.#fetching.get(key) ?? this.#download(one, name, file)
    this.#fetching.set(key, fetching)
    let noted = false
    try {
      const stored = await fetching
      if (one.saved !== undefined && one.saved.had[key] === undefined) {
        one.saved = { ...one.saved, had: { ...one.saved.had, [key]: stored } }
        noted = true
      }
    } finally {
      // Not before it is noted: whoever comes between would have it once more.
      if (this.#fetching.get(key) === fetching) this.#fetching.delete(key)
    }
    // It is had again when that is lost.
    if (noted) await this.#save(one).catch((error: unknown) => log('what a registry gave could not be noted', { source: this.name, file: name, error: String(error) }))
    return fetching
  }

  async #download(one: Package, name: string, { url, digest }: IndexedFile): Promise<StoredObject> {
    const { connector, store, signal, rounds, backoffMs, now, onBytes } = this.#context
    const path = this.#pathOf(url, one)
    const what = `${name} of ${this.name}`
    return askInTurn(this.upstreams, async upstream => {
      const from = new URL(path, upstream.base).href
      await using incoming = await store.receive()
      const answer = await connector.get(from, { signal })
      try {
        const hash = createHash(digest.algorithm)
        for await (const chunk of answer.body) {
          if (incoming.bytes + chunk.length > MOST_FILE_BYTES) throw new UpstreamError('wrong', `it gave more than ${String(MOST_FILE_BYTES)} bytes`)
          hash.update(chunk)
          await incoming.write(chunk)
          upstream.bytes += chunk.length
          onBytes(chunk.length)
        }
        if (hash.digest('hex') !== digest.hex) throw new UpstreamError('wrong', `its bytes have another ${digest.algorithm.toUpperCase().replace('SHA', 'SHA-')} than the index says`)
      } finally {
        answer.drop()
      }
      const stored = await incoming.keep()
      await noteOrigin(store, stored.hash, [from])
      return stored
    }, { what, rounds, backoffMs, now, signal }).catch(whenFull(what))
  }

  /** Relative to an upstream's base where the upstream of the index has the file itself, so that the others are asked too, each with its own name and password. */
  #pathOf(url: string, { saved }: Package): string {
    const [to, from] = [new URL(url), new URL(saved?.upstream ?? url)]
    if (to.origin !== from.origin) return url
    return to.pathname.startsWith(from.pathname) ? `./${to.pathname.slice(from.pathname.length)}${to.search}` : `/.${to.pathname}${to.search}`
  }
}

function whenFull(what: string): (error: unknown) => never {
  return error => {
    if (error instanceof StageError && error.code === 'STORE_FULL') throw new ProxyError('STORE_FULL', `${what}: ${error.message}`, { cause: error })
    throw error
  }
}

/** JSON that nests without end is a RangeError. */
function isUnreadable(error: unknown): error is Error {
  return error instanceof SyntaxError || error instanceof TypeError || error instanceof RangeError
}

function whenDamaged(error: unknown): never {
  if (error instanceof StageError) throw new ProxyError('NOT_GENUINE', error.message, { cause: error })
  throw error
}

function keyOf({ algorithm, hex }: Digest): string {
  return `${algorithm}-${hex}`
}
