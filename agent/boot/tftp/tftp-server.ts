import type { RemoteInfo } from 'node:dgram'
import type { ReportBootEvent } from '../boot-event.ts'
import { parseMac } from '../mac.ts'
import { openDeviceSocket } from '../socket.ts'
import { negotiate, type TransferLimits } from './negotiate.ts'
import { encodeError, parseTftpPacket, tftpError, type TftpRequest } from './packet.ts'
import { safePath } from './safe-path.ts'
import { fileSource, memorySource, toNetascii, type TftpSource } from './source.ts'
import { sendFile } from './transfer.ts'

/** Who asks for a file. */
export interface TftpClient {
  readonly address: string
  /** From the first part of the path, if it is a hardware address: the client's own claim. */
  readonly mac: string | undefined
}

/** What a path stands for. */
export type TftpFile =
  | { readonly kind: 'bytes'; readonly bytes: Buffer }
  /** Absolute path on our disk. */
  | { readonly kind: 'file'; readonly path: string }
  /** `isMissing`: nothing of that name; else it is there, and not for this client. */
  | { readonly kind: 'refuse'; readonly reason: string; readonly isMissing: boolean }

/** Decides what a path stands for; the path is safe and has no leading slash. May not be slow and may not throw. */
export type ResolveTftp = (path: string, client: TftpClient) => TftpFile

/** See {@link startTftp}. */
export interface TftpOptions {
  readonly interface: string
  readonly address: string
  readonly port: number
  readonly resolve: ResolveTftp
  /** Called when a client has a file whole. */
  readonly onSent?: (path: string, client: TftpClient) => void
  readonly limits?: Partial<TftpLimits>
  /** Monotonic milliseconds. */
  readonly now: () => number
  readonly report: ReportBootEvent
  readonly signal: AbortSignal
}

/** Bounds that keep one client, or many, from using up the server. */
export interface TftpLimits extends TransferLimits {
  readonly mostTransfers: number
  readonly mostPerClient: number
}

const defaultLimits: TftpLimits = { mostBlockBytes: 1468, mostWindowBlocks: 64, mostTransfers: 1024, mostPerClient: 128 }
/** netascii changes the size, so such a file is converted whole first, and must be small. */
const mostNetasciiBytes = 1_048_576

/**
 * Serves files by TFTP, read only, until it is disposed of; transfers that are under way are then ended.
 *
 * @throws {BootSocketError} if the socket cannot be had.
 */
export async function startTftp(options: TftpOptions): Promise<AsyncDisposable> {
  const { interface: device, address, port, signal } = options
  const socket = await openDeviceSocket({ device, address, port, signal })
  const limits = { ...defaultLimits, ...options.limits }
  const stop = new AbortController()
  const transfers = new Map<string, Promise<void>>()
  const perClient = new Map<string, number>()

  const refuse = (to: RemoteInfo, code: number, path: string, reason: string): void => {
    socket.send(encodeError(code, reason), to.port, to.address)
    options.report({ type: 'boot.tftp.refused', mac: macOf(path), client: to.address, path: printable(path), reason })
  }

  socket.on('error', ({ message }) => options.report({ type: 'boot.tftp.failed', mac: undefined, client: '', path: '', reason: message }))
  socket.on('message', (bytes, from) => {
    const packet = parseTftpPacket(bytes)
    if (packet?.kind === 'write') return refuse(from, tftpError.accessViolation, packet.path, 'read only')
    if (packet?.kind !== 'read') return
    const key = `${from.address}:${from.port}`
    // The client's first packet again: the transfer's own timer answers.
    if (transfers.has(key)) return
    const path = safePath(packet.path)
    if (path === undefined) return refuse(from, tftpError.accessViolation, packet.path, 'bad file name')
    if (packet.mode !== 'octet' && packet.mode !== 'netascii') return refuse(from, tftpError.illegalOperation, path, `no mode ${packet.mode.slice(0, 16)}`)
    const busy = perClient.get(from.address) ?? 0
    // No error: the client asks again, and by then there may be room.
    if (transfers.size >= limits.mostTransfers || busy >= limits.mostPerClient) return
    perClient.set(from.address, busy + 1)
    const transfer = serve(packet, { path, from, options, limits, refuse, signal: stop.signal }).finally(() => {
      transfers.delete(key)
      const left = (perClient.get(from.address) ?? 1) - 1
      if (left === 0) perClient.delete(from.address)
      else perClient.set(from.address, left)
    })
    transfers.set(key, transfer)
  })

  return {
    async [Symbol.asyncDispose]() {
      socket.close()
      stop.abort()
      await Promise.all(transfers.values())
    },
  }
}

interface Request {
  readonly path: string
  readonly from: RemoteInfo
  readonly options: TftpOptions
  readonly limits: TftpLimits
  readonly refuse: (to: RemoteInfo, code: number, path: string, reason: string) => void
  readonly signal: AbortSignal
}

/** Never rejects. */
async function serve(packet: TftpRequest, request: Request): Promise<void> {
  const { path, from, options, limits, refuse, signal } = request
  const client: TftpClient = { address: from.address, mac: macOf(path) }
  const begun = options.now()
  try {
    const file = options.resolve(path, client)
    if (file.kind === 'refuse') {
      return refuse(from, file.isMissing ? tftpError.notFound : tftpError.accessViolation, path, file.reason)
    }
    await using source = await openSource(file, packet.mode)
    const terms = negotiate(packet.options, source.size, limits)
    const end = await sendFile({ source, terms, peer: from, localAddress: options.address, signal })
    const who = { mac: client.mac, client: from.address, path }
    if (end.kind === 'aborted') return options.report({ type: 'boot.tftp.aborted', ...who })
    if (end.kind === 'failed') return options.report({ type: 'boot.tftp.failed', ...who, reason: end.reason })
    const milliseconds = Math.round(options.now() - begun)
    options.report({ type: 'boot.tftp.sent', ...who, bytes: source.size, milliseconds, resent: end.resent })
    options.onSent?.(path, client)
  } catch (error) {
    refuse(from, tftpError.notFound, path, error instanceof Error && 'code' in error ? `cannot open: ${String(error.code)}` : 'cannot open')
  }
}

async function openSource(file: Exclude<TftpFile, { kind: 'refuse' }>, mode: string): Promise<TftpSource> {
  const source = file.kind === 'bytes' ? memorySource(file.bytes) : await fileSource(file.path)
  if (mode === 'octet') return source
  await using binary = source
  if (binary.size > mostNetasciiBytes) throw new RangeError('too large for netascii')
  return memorySource(toNetascii(await binary.read(0, binary.size)))
}

function macOf(path: string): string | undefined {
  return parseMac(path.split('/').find((part) => part !== '') ?? '')
}

/** A name from the network, for a log. */
function printable(name: string): string {
  return name.slice(0, 255).replace(/[^\x20-\x7e]/g, '?')
}
