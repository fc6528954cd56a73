import { createSocket, type Socket } from 'node:dgram'
import { once } from 'node:events'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { negotiate } from '../../../../agent/boot/tftp/negotiate.ts'
import { encodeAck, encodeError, parseTftpPacket, type TftpPacket } from '../../../../agent/boot/tftp/packet.ts'
import { memorySource } from '../../../../agent/boot/tftp/source.ts'
import { sendFile, type TransferEnd } from '../../../../agent/boot/tftp/transfer.ts'

const limits = { mostBlockBytes: 1468, mostWindowBlocks: 64 }

/** A client on loopback that says only what the test makes it say. */
class Client {
  readonly socket: Socket = createSocket('udp4')
  readonly heard: TftpPacket[] = []
  server = 0
  #wake = Promise.withResolvers<void>()

  async open(): Promise<void> {
    this.socket.bind(0, '127.0.0.1')
    await once(this.socket, 'listening')
    this.socket.on('message', (bytes, from) => {
      const packet = parseTftpPacket(Buffer.from(bytes))
      if (packet) this.heard.push(packet)
      this.server = from.port
      this.#wake.resolve()
      this.#wake = Promise.withResolvers<void>()
    })
  }

  async count(packets: number): Promise<void> {
    while (this.heard.length < packets) await this.#wake.promise
  }

  say(bytes: Buffer, port = this.server): void {
    this.socket.send(bytes, port, '127.0.0.1')
  }

  blocks(): readonly number[] {
    return this.heard.flatMap((packet) => (packet.kind === 'data' ? [packet.block] : []))
  }
}

let client: Client
let stranger: Client
let stop: AbortController
beforeEach(async () => {
  client = new Client()
  stranger = new Client()
  await client.open()
  await stranger.open()
  stop = new AbortController()
})
afterEach(() => {
  stop.abort()
  client.socket.close()
  stranger.socket.close()
})

function send(bytes: Buffer, options: Readonly<Record<string, string>> = {}): Promise<TransferEnd> {
  const terms = negotiate(new Map(Object.entries(options)), bytes.length, limits)
  const peer = { address: '127.0.0.1', port: client.socket.address().port }
  return sendFile({ source: memorySource(bytes), terms, peer, localAddress: '127.0.0.1', signal: stop.signal })
}

test('a file that fills its last block is ended by an empty one', async () => {
  const end = send(Buffer.alloc(1024, 7))
  for (let block = 1; block <= 3; block += 1) {
    await client.count(block)
    client.say(encodeAck(block))
  }
  expect(await end).toEqual({ kind: 'sent', reason: '', resent: 0 })
  expect(client.heard.map((packet) => (packet.kind === 'data' ? packet.data.length : -1))).toEqual([512, 512, 0])
})

test('a repeated ACK is not answered: only the timer sends again', async () => {
  const end = send(Buffer.alloc(1000))
  await client.count(1)
  client.say(encodeAck(1))
  client.say(encodeAck(1))
  client.say(encodeAck(1))
  client.say(encodeAck(0))
  await client.count(2)
  // The stranger's answer comes after all of those were read.
  stranger.say(encodeAck(1), client.server)
  await stranger.count(1)
  expect(client.blocks()).toEqual([1, 2])
  client.say(encodeAck(2))
  expect(await end).toMatchObject({ kind: 'sent', resent: 0 })
})

test('a stranger is told so and cannot end, abort or advance the transfer', async () => {
  const end = send(Buffer.alloc(1000))
  await client.count(1)
  stranger.say(encodeError(0, 'stop'), client.server)
  stranger.say(encodeAck(1), client.server)
  await stranger.count(2)
  expect(stranger.heard).toEqual([
    { kind: 'error', code: 5, message: 'unknown transfer' },
    { kind: 'error', code: 5, message: 'unknown transfer' },
  ])
  expect(client.blocks()).toEqual([1])
  client.say(encodeAck(1))
  await client.count(2)
  client.say(encodeAck(2))
  expect(await end).toMatchObject({ kind: 'sent' })
})

test('what is lost is sent again by the timer', async () => {
  const end = send(Buffer.alloc(100), { timeout: '1' })
  await client.count(1)
  client.say(encodeAck(0))
  // Says nothing to the first DATA.
  await client.count(3)
  expect(client.blocks()).toEqual([1, 1])
  client.say(encodeAck(1))
  expect(await end).toMatchObject({ kind: 'sent', resent: 1 })
})

test('a window is sent whole, and after a gap from the last block that was acknowledged', async () => {
  const end = send(Buffer.alloc(512 * 6), { windowsize: '4' })
  await client.count(1)
  expect(client.heard[0]).toEqual({ kind: 'options', options: new Map([['windowsize', '4']]) })
  client.say(encodeAck(0))
  await client.count(5)
  // Blocks 3 and 4 are lost.
  client.say(encodeAck(2))
  await client.count(9)
  client.say(encodeAck(6))
  await client.count(10)
  client.say(encodeAck(7))
  expect(await end).toMatchObject({ kind: 'sent', resent: 2 })
  expect(client.blocks()).toEqual([1, 2, 3, 4, 3, 4, 5, 6, 7])
})

test.each([0, 8])('firmware that only asks for the size hangs up with error %i, which is no failure', async (code) => {
  const end = send(Buffer.alloc(1000), { tsize: '0' })
  await client.count(1)
  expect(client.heard[0]).toEqual({ kind: 'options', options: new Map([['tsize', '1000']]) })
  client.say(encodeError(code, 'User aborted the transfer'))
  expect(await end).toMatchObject({ kind: 'aborted' })
})

test('a disk full at the client is a failure', async () => {
  const end = send(Buffer.alloc(1000))
  await client.count(1)
  client.say(encodeError(3, 'disk full'))
  expect(await end).toMatchObject({ kind: 'failed', reason: 'client: error 3 disk full' })
})

test('stops when told, and tells the client', async () => {
  const end = send(Buffer.alloc(1000))
  await client.count(1)
  stop.abort()
  expect(await end).toMatchObject({ kind: 'failed', reason: 'server is stopping' })
  await client.count(2)
  expect(client.heard[1]).toMatchObject({ kind: 'error', code: 0 })
})

test('fails, with what was waited for, when the file becomes shorter under its hands', async () => {
  const peer = { address: '127.0.0.1', port: client.socket.address().port }
  const source = { ...memorySource(Buffer.alloc(10)), size: 1000 }
  const end = await sendFile({ source, terms: negotiate(new Map(), 1000, limits), peer, localAddress: '127.0.0.1', signal: stop.signal })
  expect(end).toMatchObject({ kind: 'failed', reason: 'the file became shorter' })
})
