import { randomBytes, randomUUID } from 'node:crypto'
import { mkdir } from 'node:fs/promises'
import { hostname, networkInterfaces } from 'node:os'
import { join } from 'node:path'
import packageJson from '../package.json' with { type: 'json' }
import { ADMIN_INCARNATION } from '../schemas/incarnation.ts'
import { completeInventory } from '../schemas/inventory.ts'
import type { CommittedInventory, Facts } from '../schemas/inventory.ts'
import type { Plan } from '../schemas/plan.ts'
import { decideBoot } from './boot/decide-boot.ts'
import { keepBoot } from './boot/keep-boot.ts'
import { machineOf } from './boot/machine-of.ts'
import type { Settings } from './config/read-config.ts'
import { operations } from './control/operations.ts'
import { dryRunWork } from './control/dry-run.ts'
import { serveControl } from './control/serve-control.ts'
import { allDrivers } from './drivers/all-drivers.ts'
import type { EngineOptions } from './engine/engine.ts'
import { openEngine } from './engine/open-engine.ts'
import { refusalOfWork } from './engine/refuse-work.ts'
import { systemTimers } from './engine/timers.ts'
import { admit } from './inventory/admit.ts'
import { openBucket } from './log/bucket.ts'
import { openDocuments } from './log/documents.ts'
import type { NewEvent } from './log/event-types.ts'
import { openSqliteStore } from './log/sqlite-store.ts'
import { openEnrolment, TOKEN_SECONDS } from './nodes/enrolment.ts'
import { openNodeServer } from './nodes/node-server.ts'
import { reportNodes } from './nodes/report-nodes.ts'
import { openServerIdentity } from './nodes/tls.ts'
import { carryOn } from './reconcile/carry-on.ts'
import { forwardTo } from './proxy/forward.ts'
import { planSources } from './proxy/plan-sources.ts'
import { openProxy } from './proxy/proxy.ts'
import { keepSite } from './reconcile/keep-site.ts'
import type { SiteKeeper } from './reconcile/keep-site.ts'
import { EngineError } from './engine/engine-error.ts'
import { INVENTORY } from './reconcile/inventory-files.ts'
import { behindEvents, recallLedger } from './reconcile/recall-ledger.ts'
import { checkSecrets } from './secrets/check-secrets.ts'
import { openSecrets } from './secrets/open-secrets.ts'
import { readIdentity } from './secrets/read-identity.ts'
import { standIns } from './secrets/stand-ins.ts'
import { openSite } from './site/repository.ts'
import type { SiteRepository } from './site/repository.ts'
import { openArchiveKey } from './stage/archive-key.ts'
import { readHostApt } from './stage/site-sources.ts'
import { fileRoutes } from './stage/file-routes.ts'
import { openStore } from './stage/store.ts'
import { carryOutHere } from './stager/carry-out.ts'
import { keepCollected } from './stager/keep-collected.ts'
import { keepDiscovery } from './stager/keep-discovery.ts'
import { carryOutThere } from './stager/remote.ts'
import { checkStaged, onlyOnline } from './stager/offline.ts'
import { openOnlineGate } from './stager/online-gate.ts'
import { openStager } from './stager/stager.ts'
import { openState } from './state/open-state.ts'

export interface DaemonOptions {
  readonly signal: AbortSignal
  /** Takes a fixed lower-case message and fields; nothing secret. */
  readonly log: (message: string, fields?: Readonly<Record<string, unknown>>) => void
}

/** For how long a run stays open only because machines are waited for. It goes on by itself when one turns up later. */
const PATIENCE_MS = 30 * 60_000
/** Milliseconds between tries to serve an interface that was not there. */
const RETRY_MS = 5_000
/** Boot events that are written into the log for ever: whoever is on the network can cause them, as fast as he likes. */
const BOOT_EVENTS = { burst: 20_000, perSecond: 10 } as const
const DEFAULT_LIMITS = { running: 200, install: 20 }

/**
 * The admin agent, from its data folder to its last service. Runs until the signal aborts or it cannot go on; everything
 * is closed when it settles. Killed instead, it goes on where it was when it is started again.
 *
 * @throws what it cannot go on without: a broken store, a port in use, another agent that took over.
 */
export async function runDaemon(settings: Settings, { signal, log }: DaemonOptions): Promise<void> {
  const now = (): number => Date.now()
  await mkdir(settings.data, { recursive: true, mode: 0o700 })
  await using parts = new AsyncDisposableStack()

  // Memory: the log, and what is folded from it.
  const store = parts.use(await openSqliteStore(settings.data, { now, random: bytes => randomBytes(bytes) }))
  const documents = openDocuments(store)
  const site = await openSite({ repository: settings.repository, branch: settings.branch, folder: join(settings.data, 'site.git'), now, signal })
  const objects = await openStore(settings.store)
  await objects.sweep({ now: now(), olderThanMs: 24 * 60 * 60_000 })
  const { epoch, behind, ...recalled } = await recallLedger({
    store, documents, site, objects, everyMs: settings.followMs, signal, onUnreachable: error => log('the site repository cannot be reached yet', { error: String(error) }),
  })
  const ledger = parts.use(recalled.ledger)
  const state = parts.use(await openState(store))
  const append = async (events: readonly NewEvent[]): Promise<void> => {
    if (events.length > 0) await store.append(events, { epoch })
  }
  const appendSoon = (events: readonly NewEvent[]): void => {
    append(events).catch((error: unknown) => log('an event could not be written', { error: String(error) }))
  }
  await append([{ type: 'agent.started', data: { version: packageJson.version, node: settings.node } }])
  if (behind !== null) {
    log('the agent starts frozen', { reason: behind })
    await append(behindEvents(state.current, behind))
  }

  // Content: what is staged, and who stages it. Until the branch has compiled, the plan is that of the last run.
  let keeper: SiteKeeper | null = null
  let lastPlan = (): Plan | null => null
  const plan = (): Plan | null => keeper?.current?.plan ?? lastPlan()
  const admin = (): string => plan()?.site.admin.address ?? '127.0.0.1'
  const base = (): string => `http://${admin()}:${settings.ports.http}`
  const isOffline = (one: Plan | null): boolean => settings.offline || one === null || one.agents[settings.node]?.mode === 'offline'
  const gate = openOnlineGate(() => !isOffline(plan()), signal)
  const carryOut = onlyOnline(settings.stager === null ? carryOutHere(objects, settings) : carryOutThere(settings.stager), { store: objects, online: gate.soon })
  const key = await openArchiveKey(join(settings.data, 'apt', 'archive.key'))
  const stager = openStager({ store: objects, base, key, carryOut })

  const host = await readHostApt()
  const proxy = parts.use(openProxy({ store: objects, sources: [], online: gate.now, now, log, upstreamProxy: settings.upstreamProxy }))

  // Nodes: who they are, and what they may do.
  const identity = await openServerIdentity(join(settings.data, 'tls'), { names: localNames(), now: now() })
  const enrolment = parts.use(await openEnrolment(join(settings.data, 'enrolment'), { now, random: randomUUID }))
  const committed = new Map<string, Facts>()
  const nodes = parts.use(await openNodeServer({
    identity, enrolment, epoch, port: settings.ports.nodes, random: randomUUID,
    report: reportNodes({ append: appendSoon, log, now }),
    async admit(candidate) {
      const { admission, events } = admit(candidate, { state: state.current, ledger: ledger.current, plan: plan(), committed })
      await append(events)
      if (events.some(event => event.type === 'machine.facts')) keeper?.look()
      return admission
    },
  }))
  const nodesUrl = (): string => `wss://${admin()}:${settings.ports.nodes}/node`
  const indexOf = (node: string): { readonly index?: number } => {
    const index = plan()?.nodes[node]?.index
    return index === undefined ? {} : { index }
  }
  const enrolInstalled = (node: string, incarnation: string | null): { url: string; ca: string; token: string; node: string; incarnation: string | null } => ({
    url: nodesUrl(), ca: identity.fingerprint, token: enrolment.issue({ kind: 'installed', node, incarnation, ...indexOf(node) }, TOKEN_SECONDS.installed), node, incarnation,
  })

  // Secrets: decrypted in memory, when a step is sent.
  const identities = settings.identity === null || settings.standIns ? null : await readIdentity(settings.identity)
  const secrets = settings.standIns ? standIns(store.key) : openSecrets({ identities, site })

  // The engine: changes being carried out.
  const drivers = allDrivers({ sessions: nodes.sessions, stager, key: store.key, secrets, enrolment: ({ node, incarnation }) => ({ ...enrolInstalled(node, incarnation), incarnation }) })
  const examine: EngineOptions['examine'] = async (steps, work) => {
    const unstaged = isOffline(work.plan) ? await checkStaged(steps, work.plan, objects) : undefined
    return unstaged ?? await checkSecrets(steps, work, { secrets, ledger: ledger.current, signal })
  }
  const engine = parts.use(openEngine({
    drivers, examine, store, documents, state, ledger, epoch, sessions: nodes.sessions, timers: systemTimers(), patienceMs: PATIENCE_MS,
    limits: one => ({ ...DEFAULT_LIMITS, install: one.agents[settings.node]?.limits?.install ?? DEFAULT_LIMITS.install }),
  }))
  lastPlan = () => engine.work?.plan ?? null
  if (settings.frozen && state.current.frozen === null) await engine.freeze({ by: 'the configuration', reason: 'frozen: true' })
  await engine.resume()

  // Booting: what machines are told when they ask the network.
  const discovery = keepDiscovery({ stager, signal, log })
  const takeBootEvent = openBucket({ ...BOOT_EVENTS, now })
  const boot = parts.use(keepBoot({
    node: settings.node,
    httpPort: settings.ports.http,
    leaseFile: join(settings.data, 'leases'),
    booter: {
      answer: client => decideBoot({
        plan: plan(), state: state.current, ledger: ledger.current, work: engine.work, image: discovery.image,
        machineOf: mac => machineOf(mac, { machines: state.current.machines.values(), committed, isClaimed: id => Object.values(plan()?.nodes ?? {}).some(one => one.machine === id) }),
        commandLine: mac => [
          // Nobody sits before a machine that cannot start: it tries again.
          'console=tty0', 'console=ttyS0,115200', 'panic=30', `BOOTIF=01-${mac.replaceAll(':', '-')}`, `crowbar.url=${nodesUrl()}`, `crowbar.ca=${identity.fingerprint}`,
          `crowbar.time=${base()}/time`, `crowbar.token=${enrolment.issue({ kind: 'boot', mac }, TOKEN_SECONDS.boot)}`,
        ].join(' '),
      }, client),
    },
    artifact: sha256 => objects.path(`sha256:${sha256}`),
    file: name => (discovery.image !== null && name === 'local-x86_64.efi' ? objects.path(discovery.image.local as `sha256:${string}`) : undefined),
    loader(name) {
      const hash = discovery.image?.loaders[name]
      return hash === undefined ? undefined : objects.path(hash as `sha256:${string}`)
    },
    routes: fileRoutes(objects, { key, now }),
    forward: forwardTo(proxy, { tunnels: settings.tunnels, online: gate.now }),
    clock: now,
    report(event) {
      const dropped = takeBootEvent()
      if (dropped === undefined) return
      if (dropped > 0) log('boot events were not kept', { dropped })
      appendSoon([{ type: 'boot.seen', data: { mac: 'mac' in event ? (event.mac ?? null) : null, kind: event.type, data: JSON.parse(JSON.stringify(event)) as Record<string, never> } }])
    },
    ledger: () => ledger.current,
    factsOf: machine => state.current.machines.get(machine)?.facts ?? committed.get(machine),
    onProblems: problems => log('boot services', { problems }),
  }))

  using _installs = store.subscribe(events => {
    // Machines whose node has another name say hello again, and are told it.
    for (const event of events) if (event.type === 'node.renamed') for (const { machine } of event.data.nodes) if (machine !== null) nodes.greetAgain(machine)
    if (events.some(event => event.type === 'node.renamed' || event.type.startsWith('step.') && 'step' in event.data && event.data.step?.startsWith('install@') === true)) {
      ledger.upToDate().then(() => boot.reserve(), (error: unknown) => log('the ledger cannot be read', { error: String(error) }))
    }
  })

  // The site: followed, compiled, committed to. What cannot be read now leaves in force what was read last.
  using _looked = store.subscribe(events => {
    if (!events.some(({ type }) => type === 'site.refused' || type === 'site.unreachable')) return
    gate.open()
    discovery.have(plan())
  })
  keeper = parts.use(await keepSite({
    site, ledger, append, store: objects, state: () => state.current, compiler: settings.compiler, megabytes: settings.compilerMegabytes, deadlineMs: settings.compilerMs,
    folder: join(settings.data, 'compiled'), cache: join(settings.data, 'cache'), followMs: settings.followMs,
    onError(error) {
      const { code } = error as { code?: unknown }
      log('the site could not be looked at', { error: String(error), code })
      gate.open()
      discovery.have(plan())
      // Another agent has gone on from where this one stands.
      if (code === 'LEDGER_BEHIND' && state.current.frozen === null) engine.freeze({ by: 'the agent', reason: String(error) }).catch((failed: unknown) => log('cannot freeze', { error: String(failed) }))
    },
    async onCompiled({ compiled }) {
      gate.open()
      discovery.have(compiled.plan)
      await readInventory(site, compiled.commit, committed, signal)
      await boot.follow(compiled.plan, signal)
      const { sources, problems } = planSources(compiled.plan, host)
      proxy.follow(sources)
      if (problems.length > 0) log('sources that are not served', { problems })
      await Promise.all(nodes.held().map(machine => nodes.reconsider(machine)))
      await carryOn(engine, { compiled, isOwnSince: commit => site.isOwnSince(commit, compiled.commit, signal) }).catch((error: unknown) => {
        if (!(error instanceof EngineError)) throw error
        log('the plan is not carried out', { code: error.code, message: error.message })
        if (error.code === 'WORK_STALE') keeper?.look()
      })
    },
  }))
  using _collecting = keepCollected({
    store: objects, now, log,
    needed: () => {
      const last = plan()
      return last === null ? null : { plan: last, ledger: ledger.current }
    },
  })
  // An interface that had no cable or no address gets its services when it has.
  using _retrying = every(RETRY_MS, () => {
    const last = plan()
    if (last !== null && !boot.complete) boot.follow(last, signal).catch((error: unknown) => log('boot services', { error: String(error) }))
  })
  // The operator's socket, last: what answers there is ready to be asked.
  parts.use(await serveControl(settings.socket, operations({
    agent: { node: settings.node, version: packageJson.version }, site: { repository: settings.repository, branch: settings.branch },
    store, ledger, engine, keeper, now, signal, proxy: () => proxy.state,
    refusalOf: (work, only) => refusalOfWork(work, { only, drivers, examine }),
    dryRun: work => dryRunWork(work, {
      sessions: nodes.sessions, stager, secrets, reference: value => store.key.reference(value), epoch, timers: systemTimers(), signal,
      view: () => ({ ledger: ledger.current, state: state.current, unseal: reference => store.unseal(reference) }),
    }),
    notReady: () => (plan() === null ? 'no commit of the site has compiled yet' : discovery.image === null ? discovery.problem : boot.serving ? null : 'no interface is served'),
    async admit(machine, by) {
      await append([{ type: 'machine.admitted', data: { machine, by } }])
      await nodes.reconsider(machine)
      keeper?.look()
    },
    // Whose clock is the clock needs none.
    joining: node => (plan()?.nodes[node]?.admin === true ? enrolInstalled(node, ADMIN_INCARNATION) : { ...enrolInstalled(node, null), time: `${base()}/time` }),
  })))
  // What came while a run went on is looked at when that has ended.
  using _next = store.subscribe(events => {
    if (events.some(({ type }) => type === 'run.ended') && plan()?.site.automation.apply !== 'manual') keeper?.look()
  })
  // The published ledger follows the log.
  using _publishing = publishAfterSteps(store, () => keeper?.publish(signal).catch((error: unknown) => log('the ledger could not be published', { error: String(error) })))
  log('agent is up', { node: settings.node, epoch, socket: settings.socket })
  await Promise.race([aborted(signal), engine.broken.then(error => Promise.reject(error as Error))])
  await append([{ type: 'agent.stopped', data: { reason: 'asked to end' } }])
  await discovery.settled()
}

async function readInventory(site: SiteRepository, commit: string, committed: Map<string, Facts>, signal: AbortSignal): Promise<void> {
  committed.clear()
  for (const text of (await site.readFiles(commit, INVENTORY, signal)).values()) {
    const { id, facts } = completeInventory(JSON.parse(text) as CommittedInventory)
    committed.set(id, facts)
  }
}

/** Every name under which a node may reach this machine. */
function localNames(): string[] {
  const addresses = Object.values(networkInterfaces()).flatMap(list => (list ?? []).filter(one => !one.address.startsWith('fe80')).map(one => one.address))
  return [...new Set([...addresses, hostname()])].toSorted()
}

/** Calls back soon after steps or runs ended, once for many. */
function publishAfterSteps(store: { subscribe(listener: (events: readonly { readonly type: string }[]) => void): Disposable }, publish: () => unknown): Disposable {
  let timer: NodeJS.Timeout | undefined
  const subscription = store.subscribe(events => {
    if (timer !== undefined || !events.some(({ type }) => type === 'step.succeeded' || type === 'step.unchanged' || type === 'run.ended' || type === 'run.started')) return
    timer = setTimeout(() => {
      timer = undefined
      publish()
    }, 500)
  })
  return {
    [Symbol.dispose]() {
      clearTimeout(timer)
      subscription[Symbol.dispose]()
    },
  }
}

function every(milliseconds: number, callback: () => void): Disposable {
  const timer = setInterval(callback, milliseconds)
  return { [Symbol.dispose]: () => clearInterval(timer) }
}

function aborted(signal: AbortSignal): Promise<void> {
  return new Promise(resolve => {
    if (signal.aborted) resolve()
    else signal.addEventListener('abort', () => resolve(), { once: true })
  })
}
