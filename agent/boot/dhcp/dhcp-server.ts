import type { Socket } from 'node:dgram'
import type { ReportBootEvent } from '../boot-event.ts'
import { anyAddress, broadcastAddress } from '../ipv4.ts'
import { openDeviceSocket } from '../socket.ts'
import { isInUse } from './address-in-use.ts'
import { probeForServers, serverNamedIn } from './foreign-server.ts'
import { LeaseJournalError, type LeaseJournal } from './lease-journal.ts'
import type { LeaseTable } from './lease-table.ts'
import { encodeDhcpPacket, parseDhcpPacket, type DhcpPacket } from './packet.ts'
import { serverPort, type DhcpReply } from './reply.ts'
import { proxyPort, serveProxy } from './serve-proxy.ts'
import { serveDhcp, type DhcpOutcome, type DhcpState } from './serve.ts'

/** One interface to serve; see {@link startDhcp}. */
export interface DhcpOptions {
  readonly interface: string
  /** Our address on it. */
  readonly address: string
  /** `server` gives addresses, `proxy` only boot files beside another server, `listen` reports other servers. */
  readonly mode: 'server' | 'proxy' | 'listen'
  /** Asked for each message, so that a change takes effect with the next one. Its `leases` must be the table below. */
  readonly state: () => Omit<DhcpState, 'leases'>
  readonly leases: LeaseTable
  readonly journal: Pick<LeaseJournal, 'append'>
  /** Look for strangers at a pool's address before it is offered, which takes about a third of a second. */
  readonly probe: boolean
  /** Milliseconds since 1970. */
  readonly clock: () => number
  readonly report: ReportBootEvent
  readonly signal: AbortSignal
}

/** Replies that wait for the disk or a probe, at most; beyond it messages are dropped, and clients ask again. */
const mostWaiting = 4096
/** Probes at once, at most: beyond it offers go out unprobed rather than fill the kernel's neighbour table. */
const mostProbes = 32
/** Short, because the kernel's table may still know a machine that has just left; the next probe knows better. */
const inUseMs = 60_000

/**
 * Serves DHCP on one interface until it is disposed of.
 *
 * Two sockets: one at `0.0.0.0` hears broadcasts, one at our address hears relays and renewals, and sends. What
 * happens to a message is decided in the pure {@link serveDhcp}; here leases are made durable before a reply leaves.
 *
 * @throws {BootSocketError} if the sockets cannot be had.
 */
export async function startDhcp(options: DhcpOptions): Promise<AsyncDisposable> {
  await using sockets = new AsyncDisposableStack()
  const open = async (address: string, port: number): Promise<Socket> => {
    const socket = await openDeviceSocket({ device: options.interface, address, port, signal: options.signal })
    sockets.defer(() => void socket.close())
    return socket
  }
  const sender = await open(options.address, serverPort)
  const listener = new DhcpListener(options, sender)
  listener.listen(sender, { port: serverPort, wasBroadcast: false })
  listener.listen(await open(anyAddress, serverPort), { port: serverPort, wasBroadcast: true })
  if (options.mode === 'proxy') {
    const proxy = await open(options.address, proxyPort)
    listener.listen(proxy, { port: proxyPort, wasBroadcast: false })
  }
  if (options.mode === 'listen') {
    const client = await open(anyAddress, 68)
    listener.listen(client, { port: 68, wasBroadcast: true })
    const ask = (): void => client.send(encodeDhcpPacket(probeForServers()), serverPort, broadcastAddress, () => {})
    const timer = setInterval(ask, 30_000)
    sockets.defer(() => clearInterval(timer))
    ask()
  }
  sockets.defer(() => listener.stop())
  return sockets.move()
}

interface Ear {
  readonly port: number
  readonly wasBroadcast: boolean
}

class DhcpListener {
  readonly #options: DhcpOptions
  readonly #sender: Socket
  readonly #foreign = new Set<string>()
  readonly #work = new Set<Promise<void>>()
  /** Addresses that a probe found free, and when. */
  readonly #probed = new Map<string, number>()
  readonly #stop = new AbortController()
  #probes = 0

  constructor(options: DhcpOptions, sender: Socket) {
    this.#options = options
    this.#sender = sender
  }

  listen(socket: Socket, ear: Ear): void {
    socket.on('error', ({ message }) => this.#fail('', `socket: ${message}`))
    socket.on('message', (bytes, from) => {
      const parsed = parseDhcpPacket(bytes)
      if (parsed.kind === 'packet') this.#receive(parsed.packet, { socket, ear, from })
      else this.#report({ type: 'boot.dhcp.malformed', interface: this.#options.interface, from: from.address, reason: parsed.reason })
    })
  }

  /** Waits for what is under way; what waits for a probe is dropped. */
  async stop(): Promise<void> {
    this.#stop.abort()
    await Promise.all(this.#work)
  }

  #receive(packet: DhcpPacket, { socket, ear, from }: { socket: Socket; ear: Ear; from: { address: string; port: number } }): void {
    if (this.#stop.signal.aborted) return
    const { mode, address, clock, leases, state } = this.#options
    if (mode !== 'server') this.#noteServer(serverNamedIn(packet))
    if (mode === 'listen') return
    const arrival = { interface: this.#options.interface, localAddress: address, wasBroadcast: ear.wasBroadcast, time: clock() }
    const outcome =
      mode === 'proxy'
        ? serveProxy(state(), packet, { ...arrival, port: ear.port, from })
        : serveDhcp({ ...state(), leases }, packet, arrival)
    if (this.#work.size >= mostWaiting) return this.#fail('', `${mostWaiting} replies are waiting`)
    const reply = ear.port === proxyPort ? socket : this.#sender
    const work = this.#carryOut(outcome, reply)
    if (!work) return
    const tracked = work.finally(() => this.#work.delete(tracked))
    this.#work.add(tracked)
  }

  #noteServer(server: string | undefined): void {
    if (server === undefined || server === this.#options.address || this.#foreign.has(server)) return
    // A client can name any server: the cap keeps a flood from filling the memory.
    if (this.#foreign.size >= 64) return
    this.#foreign.add(server)
    this.#report({ type: 'boot.dhcp.foreign', interface: this.#options.interface, server })
  }

  /** Leases change at once; the reply follows when it may. Undefined: it is done already. */
  #carryOut(outcome: DhcpOutcome, socket: Socket): Promise<void> | undefined {
    const { leases, journal } = this.#options
    const before = outcome.changes.map(({ address }) => leases.at(address))
    for (const lease of outcome.changes) leases.set(lease)
    const finish = (): void => {
      for (const event of outcome.events) {
        if (event.type === 'boot.dhcp.foreign') this.#noteServer(event.server)
        else this.#report(event)
      }
      if (outcome.reply) this.#send(outcome.reply, socket)
    }
    if (outcome.changes.some(({ state }) => state !== 'offered')) {
      return journal.append(outcome.changes).then(finish, (error: unknown) => {
        // What is not on disk did not happen; the client asks again.
        outcome.changes.forEach((lease, at) => {
          const previous = before[at]
          if (leases.at(lease.address) !== lease) return
          if (previous) leases.set(previous)
          else leases.delete(lease.address)
        })
        this.#fail('', error instanceof LeaseJournalError ? `${error.code}: ${error.message}` : String(error))
      })
    }
    const probe = this.#options.probe ? outcome.probe : undefined
    const isFresh = probe !== undefined && this.#options.clock() - (this.#probed.get(probe) ?? -Infinity) < 60_000
    if (probe !== undefined && !isFresh && this.#probes < mostProbes) return this.#probe(probe, outcome, finish)
    finish()
    return undefined
  }

  async #probe(address: string, outcome: DhcpOutcome, finish: () => void): Promise<void> {
    const { leases, journal, clock } = this.#options
    const offered = leases.at(address)
    this.#probes += 1
    try {
      const mac = await isInUse(address, { device: this.#options.interface, signal: this.#stop.signal })
      if (this.#stop.signal.aborted) return
      const owner = outcome.events.map((event) => ('mac' in event ? event.mac : undefined)).find((each) => each !== undefined)
      if (mac === undefined || mac === owner || !offered) {
        if (this.#probed.size >= mostWaiting) this.#probed.clear()
        this.#probed.set(address, clock())
        return finish()
      }
      const until = clock() + inUseMs
      const declined = { ...offered, state: 'declined', expires: until } as const
      leases.set(declined)
      this.#report({ type: 'boot.dhcp.in-use', interface: this.#options.interface, mac: owner ?? '', address, until })
      await journal.append([declined])
    } catch (error) {
      this.#fail('', error instanceof Error ? error.message : String(error))
    } finally {
      this.#probes -= 1
    }
  }

  #send(reply: DhcpReply, socket: Socket): void {
    const bytes = encodeDhcpPacket(reply.packet, reply.maximumBytes)
    socket.send(bytes, reply.to.port, reply.to.address, (error) => {
      if (error) this.#fail('', `cannot send to ${reply.to.address}: ${error.message}`)
    })
  }

  #fail(mac: string, reason: string): void {
    this.#report({ type: 'boot.dhcp.failed', interface: this.#options.interface, mac, reason })
  }

  #report(event: Parameters<ReportBootEvent>[0]): void {
    this.#options.report(event)
  }
}
