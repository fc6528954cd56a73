import type { VerifyOptions } from '../stage/verify.ts'
import type { Store } from '../stage/store.ts'
import { openConnector } from './upstream/connector.ts'

/** Has damaged objects again from where they came. Offline nothing is asked. */
export function openRefetch(store: Store, options: { readonly online: boolean; readonly proxy: string | null; readonly signal: AbortSignal }): { readonly refetch: VerifyOptions['refetch'] } & AsyncDisposable {
  const connector = openConnector({ sockets: 4, idleMs: 20_000, proxy: options.proxy, userAgent: 'crowbar' })
  return {
    async refetch(hash, origin) {
      if (!options.online) throw new Error('offline: no upstream is asked')
      const problems: string[] = []
      for (const url of origin) {
        try {
          const answer = await connector.get(url, { signal: options.signal })
          try {
            await store.put(answer.body, { expected: hash, signal: options.signal })
            return
          } finally {
            answer.drop()
          }
        } catch (error) {
          options.signal.throwIfAborted()
          problems.push(`${url}: ${(error as Error).message}`)
        }
      }
      throw new Error(problems.join('; '))
    },
    [Symbol.asyncDispose]: () => connector[Symbol.asyncDispose](),
  }
}
