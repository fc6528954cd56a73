import { access, cp, mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { homedir } from 'node:os'
import { join, resolve } from 'node:path'
import { fileURLToPath } from 'node:url'
import type { Diagnostic } from '../../schemas/diagnostic.ts'
import type { Plan } from '../../schemas/plan.ts'
import type { Json } from '../../schemas/shape.ts'
import { compileSite } from '../compile/compile.ts'
import { readIdentity } from '../secrets/read-identity.ts'
import { nameOfSecret } from '../secrets/secrets.ts'
import { secretsOfDocument } from '../secrets/secrets-of-document.ts'
import { bundleNodeAgent } from '../image/bundle-node-agent.ts'
import { openStore } from '../stage/store.ts'
import type { Store } from '../stage/store.ts'
import type { CarryOut, StageOptions } from '../stager/carry-out.ts'
import { carryOutHere } from '../stager/carry-out.ts'
import { onlyOnline } from '../stager/offline.ts'
import { discoveryOrder, joinedSystemOrder, StagerError, stageOrder } from '../stager/order.ts'
import { serveCarryOut } from '../stager/remote.ts'
import { chooseAccelerator } from './accelerator.ts'
import { GROUP_PREFIX } from './cgroups.ts'
import { containerSpecs } from './container-specs.ts'
import type { ContainerSpec } from './container-specs.ts'
import { checkDisturbances } from './disturbance.ts'
import type { Disturbance } from './disturbance.ts'
import { removeLeftovers } from './leftovers.ts'
import { rackMachines } from './machines.ts'
import { provideRackNeeds } from './needs.ts'
import { rackNetwork } from './network.ts'
import { RackError } from './rack-error.ts'
import type { ContainerOrder, RackOrder, RehearsalReport } from './rack-order.ts'
import { runEnclosed } from './run-enclosed.ts'
import type { HeldRack } from './run-enclosed.ts'
import { snapshotSite } from './site-snapshot.ts'

export interface RehearseOptions {
  readonly site: string
  readonly nodes: 'qemu' | 'container'
  /** For event log, plan, changes, consoles and the rehearsed repository `site.git`. Made; there must be no earlier rehearsal in it. */
  readonly out: string
  /** Store of staged content, kept between rehearsals; null: the user's cache folder. */
  readonly store: string | null
  /** Nothing is fetched or installed on this machine: what is not in the store, or lacks here, is named. Default: false. */
  readonly offline?: boolean
  readonly disturbances: readonly Disturbance[]
  /** An age identity file that decrypts the site's secrets; null: made-up values take their place. */
  readonly identity: string | null
  readonly deadlineMs: number
  readonly signal: AbortSignal
  readonly onProgress: (message: string) => void
  /** Given, the rack stays up after the run until this settles. */
  readonly onHeld?: (rack: HeldRack) => Promise<void>
}

export type RehearsalOutcome =
  | { readonly kind: 'refused'; readonly diagnostics: readonly Diagnostic[] }
  | { readonly kind: 'finished'; readonly report: RehearsalReport }

const ROOT = fileURLToPath(new URL('../../', import.meta.url))

/**
 * Rehearses a site: stages what it needs, then builds a rack without any way out of it, applies the site there, and says
 * what came of it. Nothing of the rack is left when this settles; the folder `out` is.
 *
 * Working files lie in TMPDIR, else /var/tmp: virtual disks do not belong into a /tmp that is memory.
 *
 * @throws {RackError} when the rack cannot be built.
 */
export async function rehearse(options: RehearseOptions): Promise<RehearsalOutcome> {
  const began = Date.now()
  const temporary = process.env['TMPDIR'] ?? '/var/tmp'
  if (process.getuid?.() !== 0) throw new RackError('RACK_NEEDS_ROOT', 'a rehearsal makes network namespaces and disks; run it as root')
  await removeLeftovers(temporary)
  const work = await mkdtemp(join(temporary, `${GROUP_PREFIX}${process.pid}-`))
  try {
    return await rehearseIn({ work, began }, options)
  } finally {
    await rm(work, { recursive: true, force: true })
  }
}

async function rehearseIn({ work, began }: { readonly work: string; readonly began: number }, options: RehearseOptions): Promise<RehearsalOutcome> {
  const { signal, onProgress, nodes } = options
  const out = resolve(options.out)
  if (await access(join(out, 'site.git')).then(() => true, () => false)) throw new RackError('RACK_OUT_NOT_EMPTY', `${out} has an earlier rehearsal in it; name another folder, or remove it`)
  const stage: StageOptions = { signal, onProgress }
  // Said now, and not by an agent that does not start.
  if (options.identity !== null) await readIdentity(options.identity)

  onProgress('looking at what this machine has')
  await provideRackNeeds(nodes, { ...stage, offline: options.offline === true })
  const { repository: snapshot, racks } = await snapshotSite(options.site, { folder: work, leaveOut: out, signal })

  onProgress('compiling the site')
  const compiled = await compileSite({ compiler: [join(ROOT, 'bin/crowbar')], repository: snapshot, commit: 'main', out: join(work, 'compiled'), cache: join(homedir(), '.cache'), megabytes: 2048, deadlineMs: 120_000, signal })
  if (compiled.kind === 'refused') return { kind: 'refused', diagnostics: compiled.diagnostics }
  const { plan } = compiled
  const network = rackNetwork(plan)
  const { machines, unmatched } = rackMachines(plan, racks)
  if (machines.length === 0) throw new RackError('RACK_NO_MACHINE', 'no node of the site is pinned to a machine, and no rack document describes one; write one with kind: rack')
  const standIns = options.identity === null ? secretsOfDocument(plan.values as unknown as Json).map(nameOfSecret) : []
  if (standIns.length > 0) onProgress(`made-up values take the place of secrets (--identity FILE takes the real ones): ${standIns.join(', ')}`)
  if (unmatched.length > 0) onProgress(`no machine can be made for ${unmatched.join(', ')}: pinned by an asset tag only`)
  const specs = nodes === 'container' ? containerSpecs(plan, machines) : []
  const names = nodes === 'container' ? specs.map(one => one.node) : machines.map(one => one.name)
  checkDisturbances(options.disturbances, { machines: names, steps: plan.steps.map(one => one.id) })

  const storeFolder = options.store ?? join(process.env['XDG_CACHE_HOME'] ?? join(homedir(), '.cache'), 'crowbar', 'store')
  const store = await openStore(storeFolder)
  const carryOut = options.offline === true ? onlyOnline(carryOutHere(store, { upstreamProxy: null }), { store, online: () => false }) : carryOutHere(store, { upstreamProxy: null })
  const kernel = nodes === 'qemu' ? await stageDiscovery(carryOut, { plan, store, stage }) : null
  for (const name of Object.keys(plan.artifacts)) {
    onProgress(`staging ${name}`)
    await carryOut(stageOrder(name, plan), stage)
  }
  const containers = nodes === 'qemu' ? null : await orderContainers(specs, { plan, work, store, carryOut, stage })
  const accelerator = kernel === null ? 'tcg' : await chooseAccelerator({ kernel, folder: work, signal })

  const repository = join(out, 'site.git')
  await mkdir(out, { recursive: true })
  await cp(snapshot, repository, { recursive: true, errorOnExist: true, force: false })
  const socket = join(work, 'stager.sock')
  await using _stager = await serveCarryOut(socket, kernel === null ? withoutDiscovery(carryOut) : carryOut, { onProgress })
  const order: RackOrder = {
    id: work.slice(work.lastIndexOf(GROUP_PREFIX) + GROUP_PREFIX.length), began, network, machines: kernel === null ? [] : machines, accelerator, containers,
    disturbances: options.disturbances, identity: options.identity === null ? null : resolve(options.identity), standIns, offline: options.offline === true, hold: options.onHeld !== undefined, repository, store: storeFolder, stager: socket, work, out, deadlineMs: options.deadlineMs,
  }
  const file = join(work, 'rack-order.json')
  await writeFile(file, JSON.stringify(order))
  onProgress(`starting ${kernel === null ? `${specs.length} container nodes` : `${machines.length} virtual machines (${accelerator})`} in a rack of their own`)
  await runEnclosed([process.execPath, join(ROOT, 'bin/main.js'), 'rack', file], { order, signal, onHeld: options.onHeld })
  const report = JSON.parse(await readFile(join(out, 'report.json'), 'utf8')) as RehearsalReport
  return { kind: 'finished', report }
}

/** @returns path of a kernel that prints, for the probe of the accelerator. */
async function stageDiscovery(carryOut: CarryOut, { plan, store, stage }: { readonly plan: Plan; readonly store: Store; readonly stage: StageOptions }): Promise<string> {
  stage.onProgress('staging the discovery image')
  const discovery = await carryOut(discoveryOrder(plan), stage)
  if (discovery.kind !== 'discovery') throw new TypeError('a discovery order came to something else')
  return store.path(discovery.kernel as `sha256:${string}`)
}

async function orderContainers(
  nodes: readonly ContainerSpec[],
  { plan, work, store, carryOut, stage }: { readonly plan: Plan; readonly work: string; readonly store: Store; readonly carryOut: CarryOut; readonly stage: StageOptions },
): Promise<ContainerOrder> {
  const bases: Record<string, string> = {}
  for (const os of new Set(nodes.map(one => one.os))) {
    stage.onProgress(`staging an installed ${os}`)
    const base = await carryOut(joinedSystemOrder(os, plan), stage)
    if (base.kind !== 'rootfs') throw new TypeError('a root filesystem order came to something else')
    bases[os] = store.path(base.archive as `sha256:${string}`)
  }
  const bundle = join(work, 'node-agent.js')
  await writeFile(bundle, await bundleNodeAgent())
  return { bases, nodes, runtime: process.execPath, bundle }
}

/** Nothing boots from the network in a rack of containers. */
function withoutDiscovery(carryOut: CarryOut): CarryOut {
  return (order, options) => order.kind === 'discovery'
    ? Promise.reject(new StagerError('SET_UNSUPPORTED', 'a rack of containers boots nothing from the network', { retryable: false }))
    : carryOut(order, options)
}
