import { homedir } from 'node:os'
import { join } from 'node:path'
import type { ResolveSets } from '../../schemas/artifacts.ts'
import { BuildError } from '../build/build-source.ts'
import { ConfigError } from '../config/read-config.ts'
import { configuredUpstreamProxy } from '../config/upstream-proxy.ts'
import { StageError } from '../stage/stage-error.ts'
import { openStore } from '../stage/store.ts'
import { lockSets } from '../stager/lock-set.ts'
import { StagerError } from '../stager/order.ts'
import { liveLine } from './live.ts'

/** Resolves packages for `crowbar lock --update`, with the apt of this machine and beside its own state. */
export const resolveSets: ResolveSets = async (sets, plan, held) => {
  const stop = new AbortController()
  const live = liveLine()
  const interrupt = (): void => stop.abort(new StageError('PROGRAM_FAILED', 'interrupted; nothing was written'))
  process.once('SIGINT', interrupt)
  try {
    const store = await openStore(join(process.env['XDG_CACHE_HOME'] ?? join(homedir(), '.cache'), 'crowbar', 'store'))
    return { sets: await lockSets(sets, plan, { store, held, upstreamProxy: await configuredUpstreamProxy(), signal: stop.signal, onProgress: message => live.follow(message) }) }
  } catch (error) {
    if (error instanceof StageError || error instanceof StagerError || error instanceof BuildError || error instanceof ConfigError) return { problem: error.message }
    throw error
  } finally {
    live.clear()
    process.off('SIGINT', interrupt)
  }
}
