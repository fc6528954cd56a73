import { spawn } from 'node:child_process'
import { PassThrough, Readable } from 'node:stream'
import type { Duplex } from 'node:stream'
import { pipeline } from 'node:stream/promises'
import { createGunzip, createZstdDecompress } from 'node:zlib'
import { ProxyError } from '../proxy-error.ts'
import { TableBuilder } from './package-table.ts'
import type { PackageTable } from './package-table.ts'

/** Plain text of an index, at most: ten times Debian's largest. */
const LARGEST = 1024 * 1024 * 1024
/** Characters of what one index says of one file: a hundred times Debian's longest. */
const LONGEST = 4 * 1024 * 1024
const PROGRAMS: Readonly<Record<string, readonly [string, ...string[]]>> = { '.xz': ['xz', '-dc'], '.bz2': ['bzip2', '-dc'], '.lzma': ['xz', '-dc', '--format=lzma'] }

/** True for what names files by their hash: `Packages` and `Sources`, in whatever compression. */
export function isPackageIndex(name: string): boolean {
  return /(^|\/)(Packages|Sources)(\.(xz|gz|zst|bz2|lzma))?$/.test(name)
}

/**
 * Reads the files that an index names.
 *
 * @param content the index, as it was fetched and checked.
 * @param name its name in the repository, whose ending says how it is compressed.
 * @throws {ProxyError} when it cannot be unpacked.
 */
export async function readIndex(content: AsyncIterable<Buffer>, name: string, signal: AbortSignal): Promise<PackageTable> {
  const table = new TableBuilder()
  const isSources = /(^|\/)Sources(\.|$)/.test(name)
  let rest = ''
  let bytes = 0
  const take = (text: string): void => {
    const stanzas = (rest + text).split('\n\n')
    rest = stanzas.pop() ?? ''
    if (rest.length > LONGEST) throw new Error(`it says more than ${String(LONGEST)} bytes of one package`)
    for (const stanza of stanzas) (isSources ? addSource : addPackage)(stanza, table)
  }
  try {
    await pipeline(content, unpack(name), async (chunks: AsyncIterable<Buffer>) => {
      for await (const chunk of chunks) {
        bytes += chunk.length
        if (bytes > LARGEST) throw new Error(`it has more than ${String(LARGEST)} bytes`)
        take(chunk.toString('latin1'))
      }
    }, { signal })
  } catch (cause) {
    throw new ProxyError('NOT_GENUINE', `${name} cannot be read: ${(cause as Error).message}`, { cause })
  }
  take('\n\n')
  return table.build()
}

function unpack(name: string): Duplex | ((input: AsyncIterable<Buffer>) => AsyncIterable<Buffer>) {
  const ending = /\.[a-z0-9]+$/.exec(name)?.[0] ?? ''
  if (ending === '.gz') return createGunzip()
  if (ending === '.zst') return createZstdDecompress()
  const program = PROGRAMS[ending]
  return program === undefined ? new PassThrough() : input => throughProgram(program, input)
}

async function* throughProgram([program, ...args]: readonly [string, ...string[]], input: AsyncIterable<Buffer>): AsyncIterable<Buffer> {
  const child = spawn(program, args, { stdio: ['pipe', 'pipe', 'ignore'] })
  const ended = new Promise<void>((resolve, reject) => {
    child.once('error', reject)
    child.once('close', code => (code === 0 ? resolve() : reject(new Error(`${program} ended with ${String(code)}`))))
  })
  const fed = pipeline(Readable.from(input), child.stdin)
  try {
    // Both are awaited below; until then neither may count as unhandled.
    fed.catch(() => undefined)
    ended.catch(() => undefined)
    yield* child.stdout as AsyncIterable<Buffer>
    await Promise.all([ended, fed])
  } finally {
    child.kill('SIGKILL')
  }
}

function field(stanza: string, name: string): string | undefined {
  const at = stanza.startsWith(`${name}:`) ? 0 : stanza.indexOf(`\n${name}:`) + 1
  if (at === 0 && !stanza.startsWith(`${name}:`)) return undefined
  const end = stanza.indexOf('\n', at)
  return stanza.slice(at + name.length + 1, end === -1 ? undefined : end).trim()
}

function addPackage(stanza: string, table: TableBuilder): void {
  const [path, hex, bytes] = [field(stanza, 'Filename'), field(stanza, 'SHA256'), field(stanza, 'Size')]
  if (path !== undefined && hex !== undefined && bytes !== undefined) add(path, hex, bytes, table)
}

function addSource(stanza: string, table: TableBuilder): void {
  const folder = field(stanza, 'Directory')
  const lines = /(?:^|\n)Checksums-Sha256:[^\n]*\n(?<lines>(?: [^\n]*(?:\n|$))*)/.exec(stanza)?.groups?.['lines'] ?? ''
  for (const line of lines.split('\n')) {
    const [hex = '', bytes = '', name = ''] = line.trim().split(/\s+/)
    if (name !== '') add(folder === undefined || folder === '.' ? name : `${folder}/${name}`, hex, bytes, table)
  }
}

function add(path: string, hex: string, bytes: string, table: TableBuilder): void {
  if (!/^[0-9a-fA-F]{64}$/.test(hex) || !/^\d{1,15}$/.test(bytes)) return
  table.add(plainPath(path), hex, Number(bytes))
}

/** Without `.` and empty segments; names are compared as bytes, read as latin1. */
function plainPath(path: string): string {
  return path.includes('./') || path.includes('//') || path.startsWith('/') ? path.split('/').filter(one => one !== '' && one !== '.').join('/') : path
}
