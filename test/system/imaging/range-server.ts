import { createReadStream, statSync } from 'node:fs'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'

/** Serves one file, with ranges. */
export interface RangeServer extends AsyncDisposable {
  readonly url: string
  /** Where each request began. */
  readonly starts: number[]
  /** Ends the connection after so many bytes of the next answer, once. */
  breakAfter(bytes: number): void
  /** Holds answers back after so many bytes, until it is lifted (null). */
  holdAfter(bytes: number | null): void
  /** Bytes sent in the last answer. */
  readonly sent: number
}

/** Opens the server on the loopback interface. */
export async function serveFile(path: string): Promise<RangeServer> {
  const starts: number[] = []
  let breakAt: number | null = null
  let hold: number | null = null
  let sent = 0
  const server = createServer((request, response) => {
    const start = Number(/^bytes=([0-9]+)-$/.exec(request.headers.range ?? '')?.[1] ?? '0')
    starts.push(start)
    sent = 0
    response.writeHead(start === 0 ? 200 : 206, { 'content-length': statSync(path).size - start })
    const stream = createReadStream(path, { start })
    stream.on('data', (chunk) => {
      sent += chunk.length
      if (breakAt !== null && sent >= breakAt) {
        breakAt = null
        stream.destroy()
        response.destroy()
        return
      }
      if (hold !== null && sent >= hold) {
        stream.pause()
        const timer = setInterval(() => {
          if (hold !== null && !response.destroyed) return
          clearInterval(timer)
          stream.resume()
        }, 50)
      }
      response.write(chunk)
    })
    stream.on('end', () => response.end())
    response.on('close', () => stream.destroy())
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}/rootfs`, starts,
    breakAfter: (bytes) => void (breakAt = bytes),
    holdAfter: (bytes) => void (hold = bytes),
    get sent() {
      return sent
    },
    async [Symbol.asyncDispose]() {
      server.closeAllConnections()
      await new Promise((resolve) => server.close(resolve))
    },
  }
}
