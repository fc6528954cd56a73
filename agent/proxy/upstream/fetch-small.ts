import type { Connector, UpstreamAnswer } from './connector.ts'
import { UpstreamError } from './upstream-error.ts'

/** What makes an upstream say that nothing changed. */
export interface Validators {
  readonly etag?: string
  readonly modified?: string
}

/** Bytes, at most; larger is `wrong`. */
const MOST_BYTES = 16 * 1024 * 1024

/**
 * Has a small file in memory.
 *
 * @returns `unchanged` when the upstream says so of these validators.
 * @throws {UpstreamError}
 */
export async function fetchSmall(connector: Connector, url: string, options: { readonly signal: AbortSignal; readonly validators?: Validators | undefined }): Promise<{ readonly bytes: Buffer; readonly validators: Validators } | 'unchanged'> {
  const { etag, modified } = options.validators ?? {}
  const headers = { ...(etag === undefined ? {} : { 'if-none-match': etag }), ...(modified === undefined ? {} : { 'if-modified-since': modified }), 'cache-control': 'max-age=0' }
  const answer = await connector.get(url, { headers, signal: options.signal })
  try {
    if (answer.status === 304) return 'unchanged'
    return { bytes: await readAll(answer), validators: { ...(answer.headers.etag === undefined ? {} : { etag: answer.headers.etag }), ...(answer.headers['last-modified'] === undefined ? {} : { modified: answer.headers['last-modified'] }) } }
  } finally {
    answer.drop()
  }
}

async function readAll(answer: UpstreamAnswer): Promise<Buffer> {
  const chunks: Buffer[] = []
  let bytes = 0
  for await (const chunk of answer.body) {
    bytes += chunk.length
    if (bytes > MOST_BYTES) throw new UpstreamError('wrong', `it gave more than ${String(MOST_BYTES)} bytes`)
    chunks.push(chunk)
  }
  const length = answer.headers['content-length']
  if (length !== undefined && Number(length) !== bytes) throw new UpstreamError('truncated', `it ended after ${String(bytes)} of ${length} bytes`)
  return Buffer.concat(chunks)
}
