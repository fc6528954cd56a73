import { readFile } from 'node:fs/promises'
import { resolve } from 'node:path'
import { collect } from '../../stage/collect.ts'
import { openStore } from '../../stage/store.ts'

export interface GcCommandOptions {
  readonly store: string
  readonly keep?: readonly string[]
  readonly grace: string
  readonly dryRun?: boolean
  readonly format: string
}

const USAGE = 64
const DAY_MS = 24 * 60 * 60_000

/** `crowbar stage gc`. */
export async function gcCommand(options: GcCommandOptions): Promise<number> {
  const days = Number(options.grace)
  if (!(days >= 0)) {
    process.stderr.write('crowbar: --grace wants days\n')
    return USAGE
  }
  const documents = await Promise.all((options.keep ?? []).map(file => readFile(file, 'utf8')))
  const store = await openStore(resolve(options.store))
  const now = Date.now()
  const isDry = options.dryRun === true
  if (!isDry) await store.sweep({ now, olderThanMs: DAY_MS })
  const { removed, kept } = await collect(store, { documents, references: new Set(), now, graceMs: days * DAY_MS, dryRun: isDry })
  if (options.format === 'json') process.stdout.write(`${JSON.stringify({ removed, kept })}\n`)
  else process.stdout.write(`${isDry ? 'would remove' : 'removed'} ${String(removed.objects)} objects (${(removed.bytes / 1e6).toFixed(1)} MB) and ${String(removed.references)} references; ${isDry ? 'would keep' : 'kept'} ${String(kept.objects)} (${(kept.bytes / 1e6).toFixed(1)} MB)\n`)
  return 0
}
