import { ConfigError, readConfig } from '../config/read-config.ts'
import { runDaemon } from '../daemon.ts'

/** `crowbar agent`: runs until SIGTERM or SIGINT. @returns 0 when it was asked to end, 1 when it cannot go on. */
export async function runAgent(options: { readonly config: string }): Promise<number> {
  const stop = new AbortController()
  process.once('SIGTERM', () => stop.abort())
  process.once('SIGINT', () => stop.abort())
  try {
    const settings = await readConfig(options.config)
    await runDaemon(settings, { signal: stop.signal, log: (message, fields = {}) => process.stderr.write(`${JSON.stringify({ time: new Date().toISOString(), message, ...fields })}\n`) })
    return 0
  } catch (error) {
    if (stop.signal.aborted) return 0
    if (!(error instanceof ConfigError) && typeof (error as { code?: unknown }).code !== 'string') throw error
    process.stderr.write(`crowbar: ${(error as Error).message}\n`)
    return 1
  }
}
