import { createSocket, type RemoteInfo, type Socket } from 'node:dgram'
import { once } from 'node:events'
import { wireBlock, type TransferTerms } from './negotiate.ts'
import { encodeData, encodeError, encodeOptions, parseTftpPacket, tftpError, type TftpPacket } from './packet.ts'
import type { TftpSource } from './source.ts'

/** How a transfer ended. */
export interface TransferEnd {
  readonly kind: 'sent' | 'aborted' | 'failed'
  readonly reason: string
  /** DATA packets sent more than once. */
  readonly resent: number
}

/** One file for one client; see {@link sendFile}. */
export interface TransferOptions {
  readonly source: TftpSource
  readonly terms: TransferTerms
  readonly peer: { readonly address: string; readonly port: number }
  /** Our address that the client asked: the answer comes from there. */
  readonly localAddress: string
  readonly signal: AbortSignal
}

const firstTimeoutMs = 1000
const longestTimeoutMs = 8000
const mostTries = 6
const wallLimitMs = 1_800_000
/** Bytes read from the source at a time, about. */
const chunkBytes = 131_072

/**
 * Sends a file, from a port of its own (RFC 1350 §4), and settles when the client has it, gives up or falls silent.
 * Never rejects.
 *
 * Nothing is sent again but by the timer: to answer a repeated ACK with DATA doubles every packet from there on (the
 * "Sorcerer's Apprentice", RFC 1123 §4.2.3.1). A window that lost a packet is sent again from the last block that was
 * acknowledged (RFC 7440 §4).
 */
export async function sendFile(options: TransferOptions): Promise<TransferEnd> {
  // The peer is always an address: nothing to look up, so each packet leaves at once.
  const socket = createSocket({ type: 'udp4', lookup: (host, _, done) => done(null, host, 4) })
  try {
    // Asked for first: with such a lookup the socket may be bound before bind() returns.
    const listening = once(socket, 'listening', { signal: options.signal })
    socket.bind(0, options.localAddress)
    await listening
    return await new Transfer(socket, options).run()
  } catch (error) {
    return { kind: 'failed', reason: error instanceof Error ? error.message : String(error), resent: 0 }
  } finally {
    socket.close()
  }
}

class Transfer {
  readonly #socket: Socket
  readonly #options: TransferOptions
  readonly #blocks: number
  readonly #blocksPerChunk: number
  readonly #chunks = new Map<number, Buffer>()
  readonly #ended = Promise.withResolvers<TransferEnd>()
  /** Last block in order that the client has; -1 while it has not answered to our options. */
  #acked: number
  /** Last block sent since the last acknowledgement. */
  #sent = 0
  /** Last block that was ever sent: everything up to it is a repetition. */
  #highest = 0
  #resent = 0
  #tries = 1
  #timeoutMs: number
  #timer: NodeJS.Timeout | undefined
  #isPumping = false
  #isOver = false

  constructor(socket: Socket, options: TransferOptions) {
    this.#socket = socket
    this.#options = options
    const { source, terms } = options
    // A file that fills its last block is ended by an empty one.
    this.#blocks = Math.floor(source.size / terms.blockBytes) + 1
    this.#blocksPerChunk = Math.max(1, Math.floor(chunkBytes / terms.blockBytes))
    this.#acked = terms.accepted.size > 0 ? -1 : 0
    this.#timeoutMs = terms.timeoutMs ?? firstTimeoutMs
  }

  async run(): Promise<TransferEnd> {
    const { signal } = this.#options
    const abort = (): void => {
      this.#post(encodeError(tftpError.undefined, 'server is stopping'))
      this.#end('failed', 'server is stopping')
    }
    const limit = setTimeout(() => this.#end('failed', 'took too long'), wallLimitMs)
    signal.addEventListener('abort', abort, { once: true })
    this.#socket.on('message', (bytes, from) => this.#receive(bytes, from))
    this.#socket.on('error', ({ message }) => this.#end('failed', message))
    try {
      if (signal.aborted) abort()
      else if (this.#acked === -1) this.#sendOptions()
      else this.#pump()
      return await this.#ended.promise
    } finally {
      clearTimeout(limit)
      clearTimeout(this.#timer)
      signal.removeEventListener('abort', abort)
    }
  }

  #end(kind: TransferEnd['kind'], reason: string): void {
    this.#isOver = true
    this.#ended.resolve({ kind, reason, resent: this.#resent })
  }

  #post(bytes: Buffer): void {
    this.#socket.send(bytes, this.#options.peer.port, this.#options.peer.address)
  }

  #sendOptions(): void {
    this.#post(encodeOptions(this.#options.terms.accepted))
    this.#arm()
  }

  #arm(): void {
    if (this.#isOver) return
    clearTimeout(this.#timer)
    this.#timer = setTimeout(() => this.#timeOut(), this.#timeoutMs)
  }

  #timeOut(): void {
    if (this.#isPumping) return this.#arm()
    if (this.#tries >= mostTries) {
      const waited = this.#acked === -1 ? 'options' : `block ${this.#acked + 1} of ${this.#blocks}`
      return this.#end('failed', `no answer to ${waited} after ${mostTries} tries`)
    }
    this.#tries += 1
    if (this.#options.terms.timeoutMs === undefined) this.#timeoutMs = Math.min(longestTimeoutMs, this.#timeoutMs * 2)
    if (this.#acked === -1) return this.#sendOptions()
    this.#sent = this.#acked
    this.#pump()
  }

  #receive(bytes: Buffer, from: RemoteInfo): void {
    if (this.#isOver) return
    const { peer, terms } = this.#options
    if (from.port !== peer.port || from.address !== peer.address) {
      // A stranger must not end the transfer (RFC 1350 §4).
      this.#socket.send(encodeError(tftpError.unknownTransfer, 'unknown transfer'), from.port, from.address)
      return
    }
    const packet = parseTftpPacket(bytes)
    if (packet?.kind === 'error') return this.#hangUp(packet)
    if (packet?.kind !== 'ack') return
    if (this.#acked === -1) {
      if (packet.block !== 0) return
      this.#advance(0)
      return
    }
    const last = Math.min(this.#highest, this.#acked + terms.windowBlocks)
    for (let block = this.#acked + 1; block <= last; block += 1) {
      if (wireBlock(block, terms.rollover) === packet.block) return this.#advance(block)
    }
  }

  #hangUp({ code, message }: TftpPacket & { kind: 'error' }): void {
    const isPolite = code === tftpError.undefined || code === tftpError.optionNegotiation
    this.#end(isPolite ? 'aborted' : 'failed', `client: error ${code} ${message}`)
  }

  #advance(block: number): void {
    this.#acked = block
    this.#sent = block
    this.#tries = 1
    this.#timeoutMs = this.#options.terms.timeoutMs ?? firstTimeoutMs
    if (block === this.#blocks) return this.#end('sent', '')
    this.#pump()
  }

  /** Sends what the window still has room for, as far as it has been read; reads on, and goes on from there. */
  #pump(): void {
    if (this.#isPumping || this.#isOver) return
    const { terms } = this.#options
    const { blockBytes, rollover } = terms
    for (;;) {
      const last = Math.min(this.#blocks, this.#acked + terms.windowBlocks)
      if (this.#sent >= last) break
      const index = Math.floor(this.#sent / this.#blocksPerChunk)
      const chunk = this.#chunks.get(index)
      if (!chunk) return this.#load(index)
      const at = (this.#sent % this.#blocksPerChunk) * blockBytes
      this.#sent += 1
      this.#post(encodeData(wireBlock(this.#sent, rollover), chunk.subarray(at, at + blockBytes)))
      if (this.#sent > this.#highest) this.#highest = this.#sent
      else this.#resent += 1
    }
    this.#arm()
  }

  #load(index: number): void {
    const { source, terms } = this.#options
    const bytes = this.#blocksPerChunk * terms.blockBytes
    this.#isPumping = true
    const needed = Math.floor(Math.max(0, this.#acked) / this.#blocksPerChunk)
    for (const old of this.#chunks.keys()) if (old < needed) this.#chunks.delete(old)
    source.read(index * bytes, bytes).then(
      (chunk) => {
        this.#isPumping = false
        const expected = Math.min(bytes, source.size - index * bytes)
        if (chunk.length < expected) return this.#giveUp('the file became shorter')
        this.#chunks.set(index, chunk)
        this.#pump()
      },
      (error: unknown) => this.#giveUp(error instanceof Error ? error.message : String(error)),
    )
  }

  #giveUp(reason: string): void {
    this.#post(encodeError(tftpError.undefined, 'cannot read the file'))
    this.#end('failed', reason)
  }
}
