import { spawn } from 'node:child_process'
import { pipeline } from 'node:stream/promises'
import { PassThrough } from 'node:stream'
import { createGunzip } from 'node:zlib'
import { ProxyError } from '../proxy-error.ts'
import type { Exchange } from '../send.ts'
import type { GitMirror } from './mirror.ts'

/** Programs at once; more clients wait. */
const MOST_AT_ONCE = 8

/** Serves clone and fetch from a mirror by git's smart HTTP protocol, versions 0 to 2. gitprotocol-http(5) */
export interface GitServer {
  /**
   * @param path below the repository: `info/refs`, `git-upload-pack`.
   * @returns bytes of the body.
   * @throws {ProxyError}
   */
  serve(mirror: GitMirror, path: string, exchange: Exchange): Promise<number>
}

export function openGitServer(): GitServer {
  let running = 0
  const waiting: (() => void)[] = []
  const inTurn = async <T>(work: () => Promise<T>): Promise<T> => {
    if (running >= MOST_AT_ONCE) await new Promise<void>(resolve => waiting.push(resolve))
    running += 1
    try {
      return await work()
    } finally {
      running -= 1
      waiting.shift()?.()
    }
  }
  return {
    async serve(mirror, path, exchange) {
      const { request } = exchange
      const query = new URL(request.url ?? '/', 'http://proxy').searchParams
      if (path === 'git-receive-pack' || query.get('service') === 'git-receive-pack') throw new ProxyError('REFUSED', `${mirror.name} is a copy: push to its upstream`)
      if (request.method === 'GET' && path === 'info/refs') {
        if (query.get('service') !== 'git-upload-pack') throw new ProxyError('REFUSED', `${mirror.name} is served by git's smart protocol only`)
        await mirror.refresh(/no-cache/.test(request.headers['cache-control'] ?? '') && request.headers.pragma === undefined)
        return inTurn(() => advertise(mirror, exchange))
      }
      if (request.method === 'POST' && path === 'git-upload-pack') return inTurn(() => upload(mirror, exchange))
      throw new ProxyError('NOT_FOUND', `${path}: ${mirror.name} has no such path; clone it by git's smart protocol`)
    },
  }
}

const HEADERS = { 'cache-control': 'no-cache, max-age=0, must-revalidate', pragma: 'no-cache', expires: 'Fri, 01 Jan 1980 00:00:00 GMT' } as const

async function advertise(mirror: GitMirror, { request, response }: Exchange): Promise<number> {
  const protocol = protocolOf(request.headers['git-protocol'])
  response.writeHead(200, { ...HEADERS, 'content-type': 'application/x-git-upload-pack-advertisement', ...(mirror.stale === null ? {} : { warning: '110 crowbar "Response is Stale"' }) })
  if (protocol !== 'version=2') response.write('001e# service=git-upload-pack\n0000')
  return run(mirror, ['--advertise-refs'], protocol, { request, response })
}

async function upload(mirror: GitMirror, { request, response }: Exchange): Promise<number> {
  response.writeHead(200, { ...HEADERS, 'content-type': 'application/x-git-upload-pack-result' })
  return run(mirror, [], protocolOf(request.headers['git-protocol']), { request, response })
}

async function run(mirror: GitMirror, args: readonly string[], protocol: string, { request, response }: Exchange): Promise<number> {
  // What a client was told a moment ago may be wanted although its branch has moved on since.
  const child = spawn('git', ['-c', 'safe.directory=*', '-c', 'uploadpack.allowAnySHA1InWant=true', '-c', 'uploadpack.allowFilter=true', 'upload-pack', '--stateless-rpc', '--strict', ...args, mirror.folder], {
    stdio: [request.method === 'POST' ? 'pipe' : 'ignore', 'pipe', 'ignore'],
    env: { PATH: process.env['PATH'] ?? '/usr/bin:/bin', LC_ALL: 'C.UTF-8', ...(protocol === '' ? {} : { GIT_PROTOCOL: protocol }) },
  })
  let bytes = 0
  const gone = (): void => {
    child.kill('SIGKILL')
  }
  response.once('close', gone)
  try {
    child.stdout?.on('data', (chunk: Buffer) => {
      bytes += chunk.length
    })
    const ended = new Promise<number | null>((resolve, reject) => {
      child.once('error', reject)
      child.once('close', resolve)
    })
    const unpacked = request.headers['content-encoding'] === 'gzip' ? createGunzip() : new PassThrough()
    const asked = child.stdin === null ? Promise.resolve() : pipeline(request, unpacked, child.stdin).catch(() => undefined)
    if (child.stdout !== null) await pipeline(child.stdout, response, { end: false })
    const [code] = await Promise.all([ended, asked])
    if (code === 0) response.end()
    // A pack that broke off must not look whole.
    else response.destroy()
    return bytes
  } finally {
    response.off('close', gone)
    child.kill('SIGKILL')
  }
}

function protocolOf(header: string | string[] | undefined): string {
  const version = /(?:^|:)(version=[12])(?:$|:)/.exec(String(header ?? ''))?.[1]
  return version ?? ''
}
