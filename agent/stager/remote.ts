import { chmod, rm } from 'node:fs/promises'
import { createServer, request } from 'node:http'
import type { IncomingMessage } from 'node:http'
import { jsonLines } from '../http/json-lines.ts'
import type { CarryOut, StageOptions } from './carry-out.ts'
import { StagerError } from './order.ts'
import type { StageOrder, StageResult } from './order.ts'

/** One line of an answer. */
type Line =
  | { readonly progress: string }
  | { readonly result: StageResult }
  | { readonly error: { readonly message: string; readonly retryable: boolean } }

/**
 * Carries orders out for a process that has no way out of its network, over a Unix socket (mode 0600) that both can
 * reach; both use one store. Closing ends what is under way.
 */
export async function serveCarryOut(socket: string, carryOut: CarryOut, options: { readonly onProgress: (message: string) => void }): Promise<AsyncDisposable> {
  await rm(socket, { force: true })
  const closing = new AbortController()
  const server = createServer((incoming, response) => {
    void (async () => {
      const gone = new AbortController()
      response.once('close', () => gone.abort())
      const say = (line: Line): void => {
        response.write(`${JSON.stringify(line)}\n`)
      }
      try {
        const order = await readOrder(incoming)
        const result = await carryOut(order, {
          signal: AbortSignal.any([gone.signal, closing.signal]),
          onProgress: message => {
            options.onProgress(message)
            say({ progress: message })
          },
        })
        say({ result })
      } catch (error) {
        say({ error: { message: (error as Error).message, retryable: (error as { retryable?: boolean }).retryable ?? true } })
      }
      response.end()
    })()
  })
  await new Promise<void>((resolve, reject) => {
    server.once('error', reject)
    server.listen(socket, resolve)
  })
  await chmod(socket, 0o600)
  return {
    async [Symbol.asyncDispose]() {
      closing.abort()
      server.closeAllConnections()
      await new Promise(resolve => server.close(resolve))
      await rm(socket, { force: true })
    },
  }
}

/** Has orders carried out by the process behind a socket. */
export function carryOutThere(socket: string): CarryOut {
  return async (order: StageOrder, options: StageOptions) => {
    const response = await new Promise<IncomingMessage>((resolve, reject) => {
      const one = request({ socketPath: socket, method: 'POST', path: '/', signal: options.signal }, resolve)
      one.once('error', cause => reject(new StagerError('STAGER_FAILED', `the stager behind ${socket} cannot be reached: ${cause.message}`, { retryable: true, cause })))
      one.end(JSON.stringify(order))
    })
    for await (const one of jsonLines(response)) {
      const line = one as Line
      if ('progress' in line) options.onProgress(line.progress)
      else if ('result' in line) return line.result
      else throw new StagerError('STAGER_FAILED', line.error.message, { retryable: line.error.retryable })
    }
    throw new StagerError('STAGER_FAILED', `the stager behind ${socket} ended in the middle`, { retryable: true })
  }
}

async function readOrder(incoming: IncomingMessage): Promise<StageOrder> {
  const chunks: Buffer[] = []
  for await (const chunk of incoming as AsyncIterable<Buffer>) chunks.push(chunk)
  return JSON.parse(Buffer.concat(chunks).toString('utf8')) as StageOrder
}
