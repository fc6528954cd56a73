import { resolve } from 'node:path'
import { openRefetch } from '../../proxy/refetch.ts'
import { openStore } from '../../stage/store.ts'
import { verify } from '../../stage/verify.ts'

export interface VerifyCommandOptions {
  readonly store: string
  readonly offline?: boolean
  readonly upstreamProxy?: string
  readonly format: string
}

/** `crowbar stage verify`. @returns 1 when something is damaged and could not be had again. */
export async function verifyCommand(options: VerifyCommandOptions): Promise<number> {
  const stop = new AbortController()
  const { signal } = stop
  process.once('SIGINT', () => stop.abort())
  const store = await openStore(resolve(options.store))
  await using upstreams = openRefetch(store, { online: options.offline !== true, proxy: options.upstreamProxy ?? null, signal })
  const isTerminal = process.stderr.isTTY
  const found = await verify(store, {
    signal, refetch: upstreams.refetch, now: () => performance.now(),
    onProgress: message => isTerminal && process.stderr.write(`${message}\n`),
  })
  const lost = found.damaged.filter(one => one.problem !== null)
  if (options.format === 'json') {
    process.stdout.write(`${JSON.stringify(found)}\n`)
  } else {
    for (const one of found.damaged) {
      const wants = one.references.length === 0 ? '' : `, which ${one.references.join(', ')} leads to`
      process.stdout.write(`${one.hash}${wants}: ${one.what === 'different' ? 'its bytes have changed' : 'the disk does not give it'}; ${one.problem === null ? `had again from ${one.origin[0] ?? ''}` : `not had again: ${one.problem}`}\n`)
    }
    for (const name of found.dangling) process.stdout.write(`${name} leads to nothing: what it stood for is staged again when it is wanted\n`)
    process.stdout.write(`${String(found.objects)} objects, ${(found.bytes / 1e6).toFixed(1)} MB read: ${found.damaged.length === 0 ? 'all are what they should be' : `${String(found.damaged.length)} damaged, ${String(found.damaged.length - lost.length)} had again`}\n`)
  }
  return lost.length === 0 ? 0 : 1
}
