import type { Connector, UpstreamAnswer } from './connector.ts'
import { UpstreamError } from './upstream-error.ts'

/** What makes an upstream say that nothing changed. */
export interface Validators {
  readonly etag?: string
  readonly modified?: string
}

const MOST_BYTES = 16 * 1024 * 1024

export interface FetchSmallOptions {
  readonly signal: AbortSignal
  readonly validators?: Validators | undefined
  /** What is asked for where an upstream has several forms. */
  readonly accept?: string
  /** Nothing but the connection vouches for it: no redirect leads from https to http. */
  readonly byConnection?: boolean
  /** Default 16 MiB; larger is `wrong`. */
  readonly mostBytes?: number
}

/**
 * Has a small file in memory.
 *
 * @returns it, and where it was had after redirects; `unchanged` when the upstream says so of these validators.
 * @throws {UpstreamError}
 */
export async function fetchSmall(connector: Connector, url: string, options: FetchSmallOptions): Promise<{ readonly url: string; readonly bytes: Buffer; readonly validators: Validators } | 'unchanged'> {
  const { etag, modified } = options.validators ?? {}
  const headers = { ...(options.accept === undefined ? {} : { accept: options.accept }), ...(etag === undefined ? {} : { 'if-none-match': etag }), ...(modified === undefined ? {} : { 'if-modified-since': modified }), 'cache-control': 'max-age=0' }
  const answer = await connector.get(url, { headers, signal: options.signal, byConnection: options.byConnection ?? false })
  try {
    if (answer.status === 304) return 'unchanged'
    return { url: answer.url, bytes: await readAll(answer, options.mostBytes ?? MOST_BYTES), validators: { ...(answer.headers.etag === undefined ? {} : { etag: answer.headers.etag }), ...(answer.headers['last-modified'] === undefined ? {} : { modified: answer.headers['last-modified'] }) } }
  } finally {
    answer.drop()
  }
}

async function readAll(answer: UpstreamAnswer, mostBytes: number): Promise<Buffer> {
  const chunks: Buffer[] = []
  let bytes = 0
  for await (const chunk of answer.body) {
    bytes += chunk.length
    if (bytes > mostBytes) throw new UpstreamError('wrong', `it gave more than ${String(mostBytes)} bytes`)
    chunks.push(chunk)
  }
  const length = answer.headers['content-length']
  if (length !== undefined && Number(length) !== bytes) throw new UpstreamError('truncated', `it ended after ${String(bytes)} of ${length} bytes`)
  return Buffer.concat(chunks)
}
