import { ControlError, controlClient } from '../../control/control-client.ts'
import { ConfigError } from '../../config/read-config.ts'
import { configuredUpstreamProxy } from '../../config/upstream-proxy.ts'
import { ImageError } from '../../image/image-error.ts'
import { describeProxy } from '../../proxy/metrics.ts'
import type { ProxyState } from '../../proxy/metrics.ts'
import { BuildError } from '../../build/build-source.ts'
import { StageError } from '../../stage/stage-error.ts'
import { openStore } from '../../stage/store.ts'
import { carryOutHere } from '../../stager/carry-out.ts'
import { DISCOVERY_IMAGE } from '../../stager/needed.ts'
import { discoveryOrder, stageOrder, StagerError } from '../../stager/order.ts'
import { stageSource, wholeSources } from '../../stager/stage-source.ts'
import { sourceSet, stageStatus } from '../../stager/stage-status.ts'
import type { SetStatus } from '../../stager/stage-status.ts'
import { liveLine } from '../live.ts'
import { sitePlan } from '../site-plan.ts'
import { table } from '../table.ts'

export interface StageArguments {
  readonly site: string
  readonly ref?: string
  readonly store: string
  readonly format: string
}

export interface StageStatusArguments extends StageArguments {
  /** Of the agent whose proxy is asked how it does. */
  readonly socket: string
}

/** `crowbar stage`: has everything in the store that the plan needs. What is there is not fetched again. */
export async function stageCommand(options: StageArguments): Promise<number> {
  const found = await sitePlan(options)
  if ('exitCode' in found) return found.exitCode
  const { plan } = found
  const store = await openStore(options.store)
  const stop = new AbortController()
  const interrupt = (): void => stop.abort(new StageError('PROGRAM_FAILED', 'interrupted; what was fetched is kept'))
  process.once('SIGINT', interrupt)
  const live = liveLine()
  let failed = false
  try {
    const upstreamProxy = await configuredUpstreamProxy()
    const carryOut = carryOutHere(store, { upstreamProxy })
    for (const { set, staged, problem } of await stageStatus(plan, store)) {
      // An image is looked at anew each time, since this Crowbar's node agent is part of it.
      if (staged && set !== DISCOVERY_IMAGE) continue
      try {
        if (problem !== null) throw new StagerError('SET_UNSUPPORTED', problem, { retryable: false })
        const stage = { signal: stop.signal, onProgress: (message: string) => live.follow(`${set}: ${message}`) }
        const [, source] = wholeSources(plan).find(([name]) => sourceSet(name) === set) ?? []
        if (source === undefined) await carryOut(set === DISCOVERY_IMAGE ? discoveryOrder(plan) : stageOrder(set, plan), stage)
        else await stageSource(set.slice(sourceSet('').length), source, { store, upstreamProxy, signal: stop.signal })
        live.say(`${set}: staged`)
      } catch (error) {
        if (!(error instanceof StageError || error instanceof StagerError || error instanceof ImageError || error instanceof BuildError)) throw error
        failed = true
        live.say(`${set}: ${error.message}`)
        stop.signal.throwIfAborted()
      }
    }
  } catch (error) {
    if (error instanceof ConfigError) {
      process.stderr.write(`crowbar: ${error.message}\n`)
      return 1
    }
    if (!stop.signal.aborted) throw error
  } finally {
    live.clear()
    process.off('SIGINT', interrupt)
  }
  print(await stageStatus(plan, store), options.format)
  return failed ? 1 : 0
}

/** `crowbar stage status`: what of it is there. Reaches for nothing. @returns 0 when everything is staged, else 1. */
export async function stageStatusCommand(options: StageStatusArguments): Promise<number> {
  const found = await sitePlan(options)
  if ('exitCode' in found) return found.exitCode
  const sets = await stageStatus(found.plan, await openStore(options.store))
  const proxy = await proxyState(options.socket)
  print(sets, options.format, proxy)
  return sets.every(({ staged }) => staged) ? 0 : 1
}

/** How the proxy of the agent on this machine does; null: there is no agent here, or none that may be asked. */
async function proxyState(socket: string): Promise<ProxyState | null> {
  try {
    return await controlClient(socket).get<ProxyState>('/proxy')
  } catch (error) {
    if (!(error instanceof ControlError)) throw error
    return null
  }
}

/** Packages that are named when not everything is asked for. */
const NAMED = 10

function print(sets: readonly SetStatus[], format: string, proxy: ProxyState | null = null): void {
  if (format === 'json') {
    process.stdout.write(`${JSON.stringify({ sets, proxy }, null, 2)}\n`)
    return
  }
  process.stdout.write(stageStatusText(sets))
  if (proxy !== null) process.stdout.write(`\n${describeProxy(proxy).join('\n')}\n`)
}

/** A line a set, then what misses of it and which steps wait for that. */
export function stageStatusText(sets: readonly SetStatus[]): string {
  if (sets.length === 0) return 'the plan needs nothing staged\n'
  const rows = sets.map(({ set, sources, locked, staged, files }) => [
    set, sources.map(({ name }) => name).join(' ') || '-', locked === null ? 'no' : locked.slice('sha256:'.length, 'sha256:'.length + 12),
    files === null ? 'not known' : `${String(files.present)} of ${String(files.wanted)}`, files === null ? '-' : megabytes(files.bytes), files === null ? '-' : megabytes(files.missingBytes), staged ? 'staged' : 'missing',
  ])
  const lines = table(['set', 'source', 'locked', 'files', 'MB', 'missing MB', 'state'], rows)
  const from = new Map(sets.flatMap(({ sources }) => sources.map(({ name, upstreams }) => [name, upstreams])))
  if (from.size > 0) lines.push('', ...table(['source', 'from'], [...from].map(([name, upstreams]) => [name, upstreams.map(one => (one === 'system' ? "this machine's apt" : one)).join(' ')])), '')
  for (const { set, missing, wantedBy, problem, staged } of sets) {
    if (staged) continue
    const more = missing.length > NAMED ? [`and ${String(missing.length - NAMED)} more`] : []
    const why = problem ?? (missing.length === 0 ? 'not put together yet' : `misses ${[...missing.slice(0, NAMED), ...more].join(', ')}`)
    const steps = wantedBy.length === 0 ? '' : `; wanted by ${wantedBy[0] ?? ''}${wantedBy.length > 1 ? ` and ${String(wantedBy.length - 1)} more` : ''}`
    lines.push(`${set}: ${why}${steps}`)
  }
  return `${lines.join('\n')}\n`
}

function megabytes(bytes: number): string {
  return (bytes / 1e6).toFixed(1)
}
