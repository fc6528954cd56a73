import { BundleError } from '../../bundle/bundle-error.ts'
import { StageError } from '../../stage/stage-error.ts'
import { liveLine } from '../live.ts'

export interface BundleSession {
  readonly signal: AbortSignal
  readonly live: ReturnType<typeof liveLine>
}

/** Runs one of the commands about bundles, until its end or Ctrl-C. @returns its exit code, or that of what went wrong. */
export async function runBundleCommand(work: (session: BundleSession) => Promise<number>): Promise<number> {
  const stop = new AbortController()
  const interrupt = (): void => stop.abort(new BundleError('BUNDLE_REFUSED', 'interrupted; the same command goes on'))
  const live = liveLine()
  for (const name of ['SIGINT', 'SIGTERM'] as const) process.once(name, interrupt)
  try {
    return await work({ signal: stop.signal, live })
  } catch (error) {
    live.clear()
    if (!(error instanceof BundleError || error instanceof StageError)) throw error
    process.stderr.write(`crowbar: ${error.message}\n`)
    return error instanceof BundleError ? error.exitCode : 1
  } finally {
    live.clear()
    for (const name of ['SIGINT', 'SIGTERM'] as const) process.off(name, interrupt)
  }
}
