import { barrierDriver } from '../../../agent/drivers/barrier.ts'
import { discoverDriver } from '../../../agent/drivers/discover.ts'
import type { Driver } from '../../../agent/drivers/driver.ts'
import { gateDriver } from '../../../agent/drivers/gate.ts'
import { installDriver } from '../../../agent/drivers/install.ts'
import { operationDriver } from '../../../agent/drivers/operation.ts'
import { roleDriver } from '../../../agent/drivers/role.ts'
import type { NodeSessions } from '../../../agent/drivers/sessions.ts'
import { stageDriver } from '../../../agent/drivers/stage.ts'
import type { Stager } from '../../../agent/drivers/stage.ts'
import type { Engine } from '../../../agent/engine/engine.ts'
import { openEngine } from '../../../agent/engine/open-engine.ts'
import { openDocuments } from '../../../agent/log/documents.ts'
import type { LogEvent } from '../../../agent/log/event-types.ts'
import { checkSecrets } from '../../../agent/secrets/check-secrets.ts'
import type { Secrets } from '../../../agent/secrets/secrets.ts'
import { openSqliteStore } from '../../../agent/log/sqlite-store.ts'
import type { SqliteStore } from '../../../agent/log/sqlite-store.ts'
import type { EventStore } from '../../../agent/log/store.ts'
import { openLedger } from '../../../agent/state/open-ledger.ts'
import type { LiveLedger } from '../../../agent/state/open-ledger.ts'
import { openState } from '../../../agent/state/open-state.ts'
import type { Json } from '../../../schemas/shape.ts'
import { manualTimers } from './manual-timers.ts'
import type { ManualTimers } from './manual-timers.ts'

/** One life of an agent over a data folder. */
export interface AgentLife extends AsyncDisposable {
  readonly engine: Engine
  readonly store: EventStore
  readonly ledger: LiveLedger
  readonly timers: ManualTimers
  readonly sessions: NodeSessions & { connectAll(): void }
  /** Resolves when the life came to its sudden end. */
  readonly killed: Promise<void>
  readonly isKilled: boolean
  events(): Promise<LogEvent[]>
}

export interface LifeOptions {
  /** Killed right after the event with this sequence is durable: nothing that would follow from it happens. */
  readonly killAfter?: number
  readonly timers?: ManualTimers
  readonly stager?: Partial<Stager>
  readonly drivers?: (drivers: readonly Driver[]) => readonly Driver[]
  readonly patienceMs?: number
  readonly secrets?: Secrets
}

/** What an agent's nodes are: a rack that is made up, or sessions of a real node server. */
export interface LifeRack {
  readonly machines: ReadonlyMap<string, unknown>
  connect(): NodeSessions & { connectAll(): void }
}

/** An agent without an identity. */
export const NO_SECRETS: Secrets = { value: ({ secret }) => Promise.resolve({ kind: 'missing', code: 'SECRETS_NO_IDENTITY', message: `no identity for ${secret}` }) }

/** Staged at once, always. */
export const FIXED_STAGER: Stager = {
  ensure: () => Promise.resolve({ kind: 'file', url: 'http://192.0.2.1/rootfs', sha256: 'a'.repeat(64), bytes: 1, fresh: true }),
  locate: () => Promise.resolve({ kind: 'file', url: 'http://192.0.2.1/rootfs', sha256: 'a'.repeat(64), bytes: 1 }),
  content: (file) => ({ url: `http://192.0.2.1/${file.sha256}`, ...file }),
}

let seed = 0
const random = (bytes: number): Uint8Array => new Uint8Array(bytes).map(() => (seed = (seed * 1103515245 + 12345) % 256))

/** Opens an agent's engine on a folder, with a rack for its nodes. Its machines have enrolled; they connect by `connectAll`. */
export async function openLife(folder: string, rack: LifeRack, options: LifeOptions = {}): Promise<AgentLife> {
  const timers = options.timers ?? manualTimers()
  const inner = await openSqliteStore(folder, { now: () => timers.now(), random })
  const killed = Promise.withResolvers<void>()
  const store = mortal(inner, options.killAfter ?? Infinity, killed.resolve)
  const epoch = await store.raiseEpoch()
  const documents = openDocuments(store)
  const state = await openState(store)
  const ledger = await openLedger(store, documents)
  if (state.current.machines.size === 0) {
    for (const machine of rack.machines.keys()) await inner.append([{ type: 'machine.enrolled', data: { machine, key: 'k', environment: 'discovery', boot: 'boot-1' } }], { epoch })
  }
  const sessions = rack.connect()
  const stager = { ...FIXED_STAGER, ...options.stager }
  const secrets = options.secrets ?? NO_SECRETS
  const work = { sessions, stager, secrets, reference: (value: Json) => inner.key.reference(value) }
  const role = roleDriver(work)
  const drivers = [
    discoverDriver(),
    stageDriver(stager),
    barrierDriver(),
    installDriver({ sessions, stager, stamp: (value) => inner.key.stamp(value), enrolment: (node) => ({ url: 'wss://192.0.2.1', ca: 'ca', token: 't', node: node.node, incarnation: node.incarnation }) }),
    role,
    gateDriver(role),
    operationDriver({ ...work, stamp: (value) => inner.key.stamp(value) }),
  ]
  const engine = openEngine({
    store,
    documents,
    state,
    ledger,
    sessions,
    drivers: options.drivers?.(drivers) ?? drivers,
    timers,
    epoch,
    limits: () => ({ running: 100, install: 10 }),
    patienceMs: options.patienceMs ?? 600_000,
    examine: (steps, work) => checkSecrets(steps, work, { secrets, ledger: ledger.current, signal: new AbortController().signal }),
  })
  return {
    engine,
    store,
    ledger,
    timers,
    sessions,
    killed: killed.promise,
    get isKilled() {
      return store.isDead()
    },
    events: () => inner.read({ after: 0, limit: 100_000 }),
    async [Symbol.asyncDispose]() {
      // A killed process writes nothing at its end.
      if (!store.isDead()) {
        await engine[Symbol.asyncDispose]()
        await ledger[Symbol.asyncDispose]()
        await state[Symbol.asyncDispose]()
      }
      await inner[Symbol.asyncDispose]()
    },
  }
}

/** A store whose process dies right after an event is durable: whoever waits for that append, or any later one, waits for ever. */
function mortal(store: SqliteStore, killAfter: number, onKilled: () => void): EventStore & { isDead(): boolean } {
  let dead = false
  const never = new Promise<never>(() => undefined)
  return {
    isDead: () => dead,
    get last() {
      return store.last
    },
    async append(...[events, options]: Parameters<EventStore['append']>): Promise<number> {
      if (dead) return never
      const seq = await store.append(events, options)
      if (seq >= killAfter && !dead) {
        dead = true
        onKilled()
      }
      return dead ? never : seq
    },
    read: (options) => store.read(options),
    follow: (options) => store.follow(options),
    subscribe: (listener) => store.subscribe(listener),
    raiseEpoch: () => store.raiseEpoch(),
    putDocument: (document) => store.putDocument(document),
    document: (key) => store.document(key),
    seal: (value) => store.seal(value),
    unseal: (reference) => store.unseal(reference),
    output: (chunk) => store.output(chunk),
    outputs: (options) => store.outputs(options),
    saveSnapshot: (name, snapshot) => store.saveSnapshot(name, snapshot),
    loadSnapshot: (name, version) => store.loadSnapshot(name, version),
    [Symbol.asyncDispose]: () => store[Symbol.asyncDispose](),
  }
}
