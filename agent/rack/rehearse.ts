import { mkdir, readFile, rm, writeFile } from 'node:fs/promises'
import { homedir } from 'node:os'
import { join, resolve } from 'node:path'
import { fileURLToPath } from 'node:url'
import type { Diagnostic } from '../../schemas/diagnostic.ts'
import { compileSite } from '../compile/compile.ts'
import { openStore } from '../stage/store.ts'
import type { StageOptions } from '../stager/carry-out.ts'
import { carryOutHere } from '../stager/carry-out.ts'
import { discoveryOrder, stageOrder } from '../stager/order.ts'
import { serveCarryOut } from '../stager/remote.ts'
import { chooseAccelerator } from './accelerator.ts'
import { startEnclosed } from './enclosure.ts'
import { rackMachines } from './machines.ts'
import { provideRackNeeds } from './needs.ts'
import { rackNetwork } from './network.ts'
import { RackError } from './rack-error.ts'
import type { RackOrder, RehearsalReport } from './rack-order.ts'
import { snapshotSite } from './site-snapshot.ts'

export interface RehearseOptions {
  readonly site: string
  readonly nodes: 'qemu' | 'container'
  /** For event log, plan, changes and consoles. Made if it is not there. */
  readonly out: string
  /** Store of staged content, kept between rehearsals; null: the user's cache folder. */
  readonly store: string | null
  readonly deadlineMs: number
  readonly signal: AbortSignal
  readonly onProgress: (message: string) => void
}

export type RehearsalOutcome =
  | { readonly kind: 'refused'; readonly diagnostics: readonly Diagnostic[] }
  | { readonly kind: 'finished'; readonly report: RehearsalReport }

const ROOT = fileURLToPath(new URL('../../', import.meta.url))

/**
 * Rehearses a site: stages what it needs, then builds a rack without any way out of it, applies the site there, and says
 * what came of it. Nothing of the rack is left when this settles; the folder `out` is.
 *
 * @throws {RackError} when the rack cannot be built.
 */
export async function rehearse(options: RehearseOptions): Promise<RehearsalOutcome> {
  const { out, signal, onProgress } = options
  const work = join(out, 'work')
  await mkdir(work, { recursive: true })
  const stage: StageOptions = { signal, onProgress }

  onProgress('looking at what this machine has')
  await provideRackNeeds(options.nodes, stage)
  const { repository, racks } = await snapshotSite(options.site, work, signal)

  onProgress('compiling the site')
  const compiled = await compileSite({ compiler: [join(ROOT, 'bin/crowbar')], repository, commit: 'main', out: join(work, 'compiled'), megabytes: 2048, deadlineMs: 120_000, signal })
  if (compiled.kind === 'refused') return { kind: 'refused', diagnostics: compiled.diagnostics }
  const network = rackNetwork(compiled.plan)
  const { machines, unmatched } = rackMachines(compiled.plan, racks)
  if (machines.length === 0) throw new RackError('RACK_NO_MACHINE', 'no node of the site is pinned to a machine, and no rack document describes one; write one with kind: rack')
  if (unmatched.length > 0) onProgress(`no machine can be made for ${unmatched.join(', ')}: pinned by an asset tag only`)

  const storeFolder = options.store ?? join(process.env['XDG_CACHE_HOME'] ?? join(homedir(), '.cache'), 'crowbar', 'store')
  const store = await openStore(storeFolder)
  const carryOut = carryOutHere(store)
  onProgress('staging the discovery image')
  const discovery = await carryOut(discoveryOrder(), stage)
  for (const name of Object.keys(compiled.plan.artifacts)) {
    onProgress(`staging ${name}`)
    await carryOut(stageOrder(name, compiled.plan), stage)
  }
  const kernel = discovery.kind === 'discovery' ? store.path(discovery.kernel as `sha256:${string}`) : ''
  const accelerator = options.nodes === 'qemu' ? await chooseAccelerator({ kernel, folder: work, signal }) : 'tcg'

  const socket = join(work, 'stager.sock')
  await using _stager = await serveCarryOut(socket, carryOut, { onProgress })
  const order: RackOrder = { nodes: options.nodes, network, machines, accelerator, repository, store: storeFolder, stager: socket, work, out, deadlineMs: options.deadlineMs }
  const orderFile = join(work, 'rack-order.json')
  await writeFile(orderFile, JSON.stringify(order))
  onProgress(`starting ${machines.length} ${options.nodes === 'qemu' ? `machines (${accelerator})` : 'container nodes'} in a rack of their own`)
  await runEnclosed(orderFile, signal)
  const report = JSON.parse(await readFile(join(out, 'report.json'), 'utf8')) as RehearsalReport
  await rm(work, { recursive: true, force: true })
  return { kind: 'finished', report }
}

async function runEnclosed(orderFile: string, signal: AbortSignal): Promise<void> {
  const child = startEnclosed([process.execPath, join(ROOT, 'bin/main.ts'), 'rack', resolve(orderFile)], {
    env: { PATH: `${process.env['PATH'] ?? ''}:/usr/sbin:/usr/bin:/sbin:/bin`, HOME: process.env['HOME'] ?? '/root', TERM: process.env['TERM'] ?? 'dumb', ...(process.env['NO_COLOR'] === undefined ? {} : { NO_COLOR: process.env['NO_COLOR'] }) },
  })
  // The rack cleans up by itself when it is asked to end; only when it does not is it taken down.
  const stop = (): void => {
    child.send({ stop: true })
    setTimeout(() => child.kill('SIGKILL'), 15_000).unref()
  }
  signal.addEventListener('abort', stop, { once: true })
  if (signal.aborted) stop()
  const status = await new Promise<string | number>((settle, reject) => {
    child.once('error', reject)
    child.once('exit', (code, killedBy) => settle(code ?? killedBy ?? 'no status'))
  })
  signal.removeEventListener('abort', stop)
  signal.throwIfAborted()
  if (status !== 0) throw new RackError('RACK_MACHINE_DIED', `the rack ended with ${status}; see its agent.log`)
}
