import { createReadStream } from 'node:fs'
import { setTimeout as sleep } from 'node:timers/promises'
import { createHash } from 'node:crypto'
import { hashOf } from '../../stage/object-hash.ts'
import type { StoredObject } from '../../stage/object-hash.ts'
import type { Found } from '../found.ts'
import { readFlight } from '../flight.ts'
import { ProxyError } from '../proxy-error.ts'
import type { ProxyContext } from '../proxy-context.ts'
import { UpstreamError } from '../upstream/upstream-error.ts'
import { askInTurn } from '../upstream/upstreams.ts'
import type { Upstream } from '../upstream/upstreams.ts'
import { checkSignature } from './check-signature.ts'
import type { Trust } from './check-signature.ts'
import { fetchRelease } from './fetch-release.ts'
import type { FetchedRelease } from './fetch-release.ts'
import { isPackageIndex, readIndex } from './read-index.ts'
import { parseRelease } from './release.ts'
import type { Release, ReleaseFile } from './release.ts'
import { indexFolder, loadSnapshots, saveSnapshots } from './snapshot.ts'
import type { Snapshot } from './snapshot.ts'

/** One suite of one archive. */
export interface RepositorySpec {
  /** For messages: the source's name. */
  readonly source: string
  readonly upstreams: readonly Upstream[]
  /** Below an upstream's base, with a slash at its end unless it is empty: `dists/bookworm/`. */
  readonly folder: string
  readonly trust: Trust
  /** What the source says of itself; empty: everything. */
  readonly components: readonly string[]
  readonly architectures: readonly string[]
}

/** States that are kept: clients go on with what they read some updates ago. */
const KEPT_STATES = 3
/** For how long a client that was given a Release is given what that one names. */
const PIN_MS = 10 * 60_000
const MOST_PINS = 10_000
/** Between two looks at upstreams of which none answers. */
const RETRY_MS = 15_000
const PIECE = 256 * 1024
const MOST_RECENT = 4_096

/**
 * A repository as its upstreams have it, state by state. A new Release counts when its signature is good, it is not older
 * than the one before, and all that clients used of the one before is there in its new form. So nobody is ever given files
 * of two states.
 */
export class AptRepository {
  readonly spec: RepositorySpec
  readonly #context: ProxyContext
  readonly #reference: string
  #snapshots: readonly Snapshot[] = []
  #loaded: Promise<void> | undefined
  #checked = Number.NEGATIVE_INFINITY
  #last: FetchedRelease | undefined
  #refreshing: Promise<void> | undefined
  #saving: Promise<void> = Promise.resolve()
  #reading = new Map<string, Promise<void>>()
  readonly #pins = new Map<string, { readonly snapshot: Snapshot; readonly until: number }>()
  /** Packages that were asked for of late, by path: every node of a cluster asks for the same. */
  readonly #recent = new Map<string, { readonly snapshot: Snapshot; readonly found: Found }>()
  /** Why what is served may be out of date. */
  stale: string | null = null

  constructor(spec: RepositorySpec, context: ProxyContext) {
    this.spec = spec
    this.#context = context
    const bases = spec.upstreams.map(one => one.base).toSorted()
    // What was believed by other keys is not known by these.
    this.#reference = `proxy/apt-${createHash('sha256').update(JSON.stringify([bases, spec.folder, ...(spec.trust.kind === 'keys' ? spec.trust.keys.map(hashOf) : [])])).digest('hex').slice(0, 32)}`
  }

  /** The state that counts now; looks again when the last look is too long ago, or on demand. @throws {ProxyError} when there is none. */
  async current(force = false): Promise<Snapshot> {
    await this.#load()
    const { maxAgeMs, patienceMs, now, log, online } = this.#context
    const known = this.#snapshots[0]
    if (!force && known !== undefined && now() - this.#checked < maxAgeMs) return known
    if (!online()) {
      if (known !== undefined) return known
      throw new ProxyError('OFFLINE', `${this.#what('Release')} is not in the store, and this admin node is offline`)
    }
    this.#refreshing ??= this.#refresh().catch((error: unknown) => {
      this.stale = (error as Error).message
      this.#checked = now() - maxAgeMs + Math.min(RETRY_MS, maxAgeMs)
      log('a repository could not be looked at', { source: this.spec.source, suite: this.spec.folder, error: this.stale })
      throw error
    }).finally(() => {
      this.#refreshing = undefined
    })
    if (known === undefined) {
      await this.#refreshing
    } else {
      const patience = new AbortController()
      const waited = sleep(patienceMs, undefined, { signal: patience.signal }).catch(() => undefined)
      // What is known is served when nothing newer can be had in time.
      await Promise.race([this.#refreshing.catch(() => undefined), waited]).finally(() => patience.abort())
    }
    const current = this.#snapshots[0]
    if (current === undefined) throw new ProxyError('UPSTREAM_FAILED', `${this.#what('Release')} could not be had`)
    return current
  }

  /** A file that stands below the Release. @returns undefined when no Release names it. */
  async metadata(name: string, client: string, force = false): Promise<Found | undefined> {
    if (name === 'InRelease' || name === 'Release') {
      const snapshot = await this.#whole(force)
      this.#pin(client, snapshot)
      return this.#releaseFile(snapshot, name)
    }
    const states = await this.#states(client)
    if (name === 'Release.gpg') return states[0] === undefined ? undefined : this.#releaseFile(states[0], name)
    // Differences are not vouched for by the Release alone; without them clients fetch whole indexes.
    if (/(^|\/)[^/]+\.diff\//.test(name)) return undefined
    const byHash = /^(?:(?<folder>.*)\/)?by-hash\/SHA256\/(?<hex>[0-9a-f]{64})$/.exec(name)?.groups
    for (const snapshot of states) {
      const named = byHash === undefined ? name : nameOf(snapshot, byHash['folder'] ?? '', byHash['hex'] ?? '')
      const file = named === undefined ? undefined : snapshot.release.files.get(named)
      if (named !== undefined && file !== undefined) return { ...this.#index(snapshot, named, file), had: () => this.#had(snapshot, named) }
    }
    return undefined
  }

  /** A file that an index names. @param path below the upstream's base. */
  async file(path: string, client: string): Promise<Found | undefined> {
    const states = await this.#states(client)
    const [newest] = states
    if (newest === undefined) return undefined
    const recent = this.#recent.get(path)
    if (recent?.snapshot === newest) return recent.found
    for (const snapshot of states) {
      for (const { table } of snapshot.tables.values()) {
        const file = table.find(path)
        if (file === undefined) continue
        const found = this.#package(path, file)
        if (snapshot === newest) this.#remember(path, { snapshot, found })
        return found
      }
    }
    let problem: unknown
    for (const name of this.#unread(newest, path)) {
      await this.#read(newest, name).catch((error: unknown) => {
        problem ??= error
      })
      const found = newest.tables.get(indexFolder(name))?.table.find(path)
      if (found !== undefined) return this.#package(path, found)
    }
    if (problem !== undefined) throw problem
    return undefined
  }

  #remember(path: string, recent: { readonly snapshot: Snapshot; readonly found: Found }): void {
    this.#recent.delete(path)
    this.#recent.set(path, recent)
    if (this.#recent.size > MOST_RECENT) this.#recent.delete(this.#recent.keys().next().value ?? '')
  }

  /** What was promised by an index and was not there, or was other: the upstream has changed. */
  doubt(): void {
    this.#checked = Number.NEGATIVE_INFINITY
    this.#last = undefined
  }

  /** The current state, with its own files: those that were damaged are had again. */
  async #whole(force: boolean): Promise<Snapshot> {
    const snapshot = await this.current(force)
    for (const { hash } of Object.values(snapshot.files)) {
      if (this.#context.flights.has(hash) || await this.#context.store.use(hash)) continue
      this.doubt()
      return this.current(true)
    }
    return snapshot
  }

  #load(): Promise<void> {
    this.#loaded ??= loadSnapshots(this.#context.store, this.#reference).then(snapshots => {
      this.#snapshots = snapshots
    })
    return this.#loaded
  }

  #what(name: string): string {
    return `${this.spec.folder}${name} of ${this.spec.source}`
  }

  #pin(client: string, snapshot: Snapshot): void {
    this.#pins.delete(client)
    this.#pins.set(client, { snapshot, until: this.#context.now() + PIN_MS })
    if (this.#pins.size > MOST_PINS) this.#pins.delete(this.#pins.keys().next().value ?? '')
  }

  /** First the one that this client has read, then the others, the newest first. */
  async #states(client: string): Promise<readonly Snapshot[]> {
    await this.#load()
    if (this.#snapshots.length === 0) await this.current()
    const pin = this.#pins.get(client)
    if (pin === undefined || pin.until < this.#context.now() || !this.#snapshots.includes(pin.snapshot)) return this.#snapshots
    return [pin.snapshot, ...this.#snapshots.filter(one => one !== pin.snapshot)]
  }

  #releaseFile(snapshot: Snapshot, name: string): Found | undefined {
    const file = snapshot.files[name]
    if (file === undefined) return undefined
    const headers = { 'cache-control': 'max-age=0', ...(this.stale === null ? {} : { warning: '110 crowbar "Response is Stale"', 'x-crowbar-stale': printable(this.stale) }) }
    return {
      content: { ...file, contentType: 'text/plain; charset=utf-8', modified: snapshot.modified, headers },
      order: { ...file, paths: [], upstreams: [], what: this.#what(name) },
    }
  }

  #index(snapshot: Snapshot, name: string, file: ReleaseFile): Found {
    const folder = indexFolder(name)
    const paths = [...(snapshot.release.acquireByHash ? [`${this.spec.folder}${folder === '.' ? '' : `${folder}/`}by-hash/SHA256/${file.hash.slice(7)}`] : []), `${this.spec.folder}${name}`]
    return {
      content: { ...file, contentType: 'application/octet-stream' },
      order: { ...file, paths: paths.map(encodePath), upstreams: this.spec.upstreams, what: this.#what(name) },
    }
  }

  #package(path: string, file: ReleaseFile): Found {
    return {
      content: { ...file, contentType: path.endsWith('.deb') ? 'application/vnd.debian.binary-package' : 'application/octet-stream' },
      order: { ...file, paths: [encodePath(path)], upstreams: this.spec.upstreams, what: `${path} of ${this.spec.source}` },
    }
  }

  /** Indexes that could name a path and were not read yet, one for each folder, the cheapest to unpack first. */
  #unread({ release, tables }: Snapshot, path: string): string[] {
    const wantsSource = !/\.u?deb$/.test(path)
    const architecture = /_([a-z0-9-]+)\.u?deb$/.exec(path)?.[1] ?? 'all'
    const best = new Map<string, string>()
    for (const name of release.files.keys()) {
      const folder = indexFolder(name)
      if (!isPackageIndex(name) || tables.has(folder) || !this.#isDeclared(name)) continue
      const isSource = /(^|\/)Sources(\.|$)/.test(name)
      const of = /(?:^|\/)binary-([a-z0-9-]+)$/.exec(folder)?.[1]
      if (isSource !== wantsSource || (!isSource && of !== undefined && architecture !== 'all' && of !== architecture && of !== 'all')) continue
      if (path.endsWith('.udeb') !== folder.includes('debian-installer')) continue
      const known = best.get(folder)
      if (known === undefined || rank(name) < rank(known)) best.set(folder, name)
    }
    return [...best.values()]
  }

  #isDeclared(name: string): boolean {
    const { components, architectures } = this.spec
    const [component = ''] = name.split('/')
    const of = /(?:^|\/)binary-([a-z0-9-]+)\//.exec(name)?.[1]
    return (components.length === 0 || !name.includes('/') || components.some(one => one === component || one.endsWith(`/${component}`)))
      && (architectures.length === 0 || of === undefined || of === 'all' || architectures.includes(of))
  }

  /** Has an index, and knows the files that it names. */
  #read(snapshot: Snapshot, name: string): Promise<void> {
    const file = snapshot.release.files.get(name)
    const folder = indexFolder(name)
    if (file === undefined || snapshot.tables.has(folder)) return Promise.resolve()
    const key = `${String(snapshot.modified)} ${folder}`
    const known = this.#reading.get(key)
    if (known !== undefined) return known
    const { store, flights, signal } = this.#context
    const reading = (async () => {
      const flight = await flights.reach(this.#index(snapshot, name, file).order)
      const table = await readIndex(flight === null ? createReadStream(store.path(file.hash), { highWaterMark: PIECE }) : readFlight(flight), name, signal)
      snapshot.tables.set(folder, { hash: hashOf(table.bytes), table })
      snapshot.wanted.add(name)
      this.#save()
    })().finally(() => this.#reading.delete(key))
    this.#reading.set(key, reading)
    return reading
  }

  #had(snapshot: Snapshot, name: string): void {
    const isNew = !snapshot.wanted.has(name)
    snapshot.wanted.add(name)
    const { log, signal } = this.#context
    if (isPackageIndex(name) && !snapshot.tables.has(indexFolder(name))) {
      this.#context.inBackground(this.#read(snapshot, name).catch((error: unknown) => {
        if (!signal.aborted) log('an index could not be read', { source: this.spec.source, index: name, error: String(error) })
      }))
    } else if (isNew) {
      this.#save()
    }
  }

  async #refresh(): Promise<void> {
    const { connector, now, rounds, backoffMs, signal, store, onBytes } = this.#context
    const before = this.#snapshots[0]
    let expired: FetchedRelease | undefined
    /** Another upstream may have what has not expired. If none has, the newest counts, and apt on the client says whether it does. */
    const passOver = (one: FetchedRelease): FetchedRelease => {
      const problem = expiry(one.release, now())
      if (problem === null || this.spec.upstreams.length === 1) return one
      if (expired === undefined || expired.release.date < one.release.date) expired = one
      throw new UpstreamError('wrong', problem)
    }
    const fetched = await askInTurn(this.spec.upstreams, async upstream => {
      const asked = await fetchRelease({ connector, upstream, folder: this.spec.folder, last: this.#last, signal, now, onBytes })
      if (asked === 'unchanged' && this.#last !== undefined) return passOver(this.#last)
      if (asked === 'unchanged') throw new TypeError('unchanged since nothing')
      const text = await checkSignature(asked.signed, { trust: this.spec.trust, store, signal })
      return passOver(asked.isNewer(parseRelease(text.toString('utf8')), text, before))
    }, { what: this.#what('Release'), rounds, backoffMs, now, signal }).catch((error: unknown) => {
      if (expired === undefined) throw error
      return expired
    })
    if (fetched !== this.#last) {
      this.#last = fetched
      await this.#adopt(fetched, before)
    }
    // It is in use, whenever it was written.
    await store.resolve(this.#reference)
    this.#checked = now()
    this.stale = expiry(fetched.release, now())
  }

  /** Makes a Release the state that counts, once it has all that is wanted of the one before. */
  async #adopt({ text, release, files, upstream }: FetchedRelease, before: Snapshot | undefined): Promise<void> {
    const { flights } = this.#context
    const stored = Object.fromEntries(await Promise.all(Object.entries({ Release: text, ...files }).map(async ([name, content]) => {
      const object: StoredObject = { hash: hashOf(content), bytes: content.length }
      await flights.reach({ ...object, content, paths: [], upstreams: [], what: this.#what(name) })
      return [name, object] as const
    })))
    if (before !== undefined && Object.entries(stored).every(([name, { hash }]) => before.files[name]?.hash === hash)) return
    const next: Snapshot = { release, files: stored, modified: Math.max(release.date, before === undefined ? 0 : before.modified + 1), wanted: new Set(), tables: new Map() }
    // The upstream that has the Release has what it names, more likely than another.
    const upstreams = [upstream, ...this.spec.upstreams.filter(one => one !== upstream)]
    for (const name of before === undefined ? this.#wantedAtFirst(next) : before.wanted) {
      const file = release.files.get(name)
      if (file === undefined) continue
      try {
        await flights.reach({ ...this.#index(next, name, file).order, upstreams })
      } catch (error) {
        // Archives name more than they have.
        if (error instanceof ProxyError && error.code === 'NOT_FOUND') continue
        throw error
      }
      next.wanted.add(name)
      if (isPackageIndex(name)) await this.#read(next, name)
    }
    this.#snapshots = [next, ...this.#snapshots].slice(0, KEPT_STATES)
    this.#save()
  }

  /** Where the source says what it is about, its indexes belong to the first state too. */
  #wantedAtFirst({ release }: Snapshot): string[] {
    const { components, architectures } = this.spec
    if (components.length === 0 || architectures.length === 0) return []
    return components.flatMap(component => architectures.flatMap(architecture => {
      const names = [...release.files.keys()].filter(name => indexFolder(name) === `${component}/binary-${architecture}` && isPackageIndex(name))
      return names.toSorted((a, b) => rank(a) - rank(b)).slice(0, 1)
    }))
  }

  #save(): void {
    this.#saving = this.#saving.then(() => this.#saveKept()).catch((error: unknown) => {
      this.#context.log('the state of a repository could not be kept', { source: this.spec.source, error: String(error) })
    })
    this.#context.inBackground(this.#saving)
  }

  /** States are written when all that they name is in the store. */
  async #saveKept(): Promise<void> {
    const { store, flights } = this.#context
    const snapshots = this.#snapshots
    const named = snapshots.flatMap(({ files, wanted, release }) => [...Object.values(files), ...[...wanted].flatMap(name => release.files.get(name) ?? [])])
    await Promise.all(named.map(({ hash }) => flights.kept(hash)))
    await saveSnapshots(store, this.#reference, snapshots)
  }
}

/** Why a Release does not count any more; null: it does. */
function expiry({ validUntil }: Release, now: number): string | null {
  if (validUntil === null || validUntil * 1000 >= now) return null
  return `its Release is valid until ${new Date(validUntil * 1000).toISOString()} only: the mirror stands still, or the clock of this machine is wrong`
}

function nameOf({ release }: Snapshot, folder: string, hex: string): string | undefined {
  for (const [name, { hash }] of release.files) if (hash.endsWith(hex) && indexFolder(name) === (folder === '' ? '.' : folder)) return name
  return undefined
}

/** What clients ask for first; unpacked ones are seldom there. */
function rank(name: string): number {
  return ['.xz', '.gz', '.zst', '.bz2', '.lzma'].findIndex(ending => name.endsWith(ending)) >>> 0
}

function encodePath(path: string): string {
  return path.split('/').map(encodeURIComponent).join('/')
}

function printable(text: string): string {
  return text.slice(0, 300).replace(/[^\x20-\x7e]/g, '?')
}
