import { request } from 'node:http'
import type { IncomingMessage } from 'node:http'
import { jsonLines } from '../http/json-lines.ts'

export type ControlErrorCode = 'AGENT_NOT_REACHED' | 'AGENT_REFUSED'

/** A call to an agent that did not go through. */
export class ControlError extends Error {
  readonly code: ControlErrorCode

  constructor(code: ControlErrorCode, message: string, options?: ErrorOptions) {
    super(message, options)
    this.code = code
  }
}

/** Talks to one agent over its Unix socket. */
export interface ControlClient {
  get<T>(path: string): Promise<T>
  post<T>(path: string, body?: unknown): Promise<T>
  /** Lines of a streaming call, parsed; ends when the agent ends it, the connection breaks or the signal aborts. */
  lines<T>(path: string, signal: AbortSignal): AsyncIterable<T>
}

export function controlClient(socket: string): ControlClient {
  const call = (method: string, path: string, body: unknown, signal?: AbortSignal): Promise<IncomingMessage> =>
    new Promise((resolve, reject) => {
      // No connection is kept: the agent may have closed it just as it is used again.
      const one = request({ agent: false, socketPath: socket, path, method, headers: { 'content-type': 'application/json' }, ...(signal === undefined ? {} : { signal }) }, resolve)
      one.once('error', cause => reject(new ControlError('AGENT_NOT_REACHED', `no agent answers on ${socket} (${cause.message}); start one with "crowbar agent --config FILE" or name its socket with --socket`, { cause })))
      one.end(body === undefined ? undefined : JSON.stringify(body))
    })
  const whole = async <T>(response: IncomingMessage): Promise<T> => {
    const chunks: Buffer[] = []
    for await (const chunk of response as AsyncIterable<Buffer>) chunks.push(chunk)
    const value = JSON.parse(Buffer.concat(chunks).toString('utf8')) as T & { code?: string; message?: string }
    if ((response.statusCode ?? 500) >= 400) throw new ControlError('AGENT_REFUSED', `${value.message ?? 'the agent refused'} (${value.code ?? ''})`)
    return value
  }
  return {
    get: async <T>(path: string) => whole<T>(await call('GET', path, undefined)),
    post: async <T>(path: string, body: unknown = {}) => whole<T>(await call('POST', path, body)),
    async *lines<T>(path: string, signal: AbortSignal): AsyncIterable<T> {
      const response = await call('GET', path, undefined, signal)
      try {
        for await (const line of jsonLines(response)) yield line as T
      } catch (error) {
        if (!signal.aborted) throw error
      } finally {
        response.destroy()
      }
    },
  }
}
