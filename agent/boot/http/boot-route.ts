import type { IncomingMessage, ServerResponse } from 'node:http'

/** One request to the boot server. */
export interface BootRequest {
  readonly request: IncomingMessage
  readonly response: ServerResponse
  /** Path and query; the host in it is ours, whatever the client wrote. */
  readonly url: URL
  /** Address of the client. */
  readonly client: string
  /** Aborts when the client is gone or the server stops. */
  readonly signal: AbortSignal
}

/** Serves every path below a prefix. */
export interface BootRoute {
  /** Begins with a slash. Of two that fit, the longer one serves. */
  readonly prefix: string
  /**
   * Answers the request, or resolves to `missing` without having begun an answer: the client then gets 404.
   * What it throws becomes 500 if nothing has been sent yet, and a broken connection else.
   */
  readonly handle: (request: BootRequest) => Promise<'done' | 'missing'>
}
