import type { BootEvent } from '../../../../agent/boot/boot-event.ts'
import type { Booter } from '../../../../agent/boot/booter.ts'
import { debianLoaders } from '../../../../agent/boot/architecture.ts'
import { LeaseTable, type Lease } from '../../../../agent/boot/dhcp/lease-table.ts'
import { messageType, option } from '../../../../agent/boot/dhcp/option.ts'
import type { DhcpPacket } from '../../../../agent/boot/dhcp/packet.ts'
import { serveDhcp, type DhcpArrival, type DhcpOutcome } from '../../../../agent/boot/dhcp/serve.ts'
import { prepareSubnet, type DhcpSubnet } from '../../../../agent/boot/dhcp/subnet.ts'
import * as write from '../../../../agent/boot/dhcp/values.ts'
import { fixedBooter } from '../fake-booter.ts'

export const admin: DhcpSubnet = {
  name: 'admin',
  cidr: '192.168.124.0/24',
  pools: [{ from: '192.168.124.21', to: '192.168.124.24' }],
  reservations: () => [],
  gateway: '192.168.124.1',
  dns: ['192.168.124.10'],
  domain: 'example.com',
  leaseSeconds: { boot: 120, host: 7200 },
}
export const server = '192.168.124.10'

/** What a message is made of; whatever is missing is zero. */
export interface MessageSetup {
  readonly mac?: string
  readonly ciaddr?: string
  readonly giaddr?: string
  readonly options?: readonly (readonly [number, Buffer])[]
  readonly htype?: number
  readonly xid?: number
}

/** A client's message. */
export function message(type: keyof typeof messageType, setup: MessageSetup = {}): DhcpPacket {
  return {
    op: 1,
    htype: setup.htype ?? 1,
    hops: 0,
    xid: setup.xid ?? 7,
    secs: 0,
    flags: 0,
    ciaddr: setup.ciaddr ?? '0.0.0.0',
    yiaddr: '0.0.0.0',
    siaddr: '0.0.0.0',
    giaddr: setup.giaddr ?? '0.0.0.0',
    chaddr: Buffer.from((setup.mac ?? '52:54:00:00:00:01').replaceAll(':', ''), 'hex'),
    sname: '',
    file: '',
    options: new Map([[option.messageType, write.encodeByte(messageType[type])], ...(setup.options ?? [])]),
  }
}

/** Option 50, the address that a client wishes for. */
export const wish = (address: string): [number, Buffer] => [option.requestedAddress, write.encodeAddresses(address)]
/** Option 54, the server that a client chose. */
export const to = (address: string): [number, Buffer] => [option.serverId, write.encodeAddresses(address)]

/** What a reply comes down to. */
export interface Heard {
  readonly type: 'offer' | 'ack' | 'nak' | 'silence'
  readonly address: string
  readonly events: readonly BootEvent[]
  readonly outcome: DhcpOutcome
  readonly option: (code: number) => string | undefined
}

/** A DHCP server with its leases, whose clock the test turns. */
export class Conversation {
  readonly leases = new LeaseTable()
  readonly journal: Lease[] = []
  now = 1_000_000
  subnets: readonly DhcpSubnet[]
  booter: Booter = fixedBooter({ kind: 'local' })

  constructor(...subnets: readonly DhcpSubnet[]) {
    this.subnets = subnets.length > 0 ? subnets : [admin]
  }

  /** Says something to the server and carries out what follows. */
  say(packet: DhcpPacket, arrival: Partial<DhcpArrival> = {}): Heard {
    const state = {
      subnets: this.subnets.map(prepareSubnet),
      leases: this.leases,
      booter: this.booter,
      boot: { httpPort: 80, loaders: debianLoaders },
    }
    const outcome = serveDhcp(state, packet, { interface: 'eth1', localAddress: server, wasBroadcast: true, time: this.now, ...arrival })
    for (const lease of outcome.changes) this.leases.set(lease)
    this.journal.push(...outcome.changes.filter(({ state: each }) => each !== 'offered'))
    const reply = outcome.reply?.packet
    const type = reply?.options.get(option.messageType)?.[0]
    const names = { [messageType.offer]: 'offer', [messageType.ack]: 'ack', [messageType.nak]: 'nak' } as const
    return {
      type: type === 2 || type === 5 || type === 6 ? names[type] : 'silence',
      address: reply?.yiaddr ?? '',
      events: outcome.events,
      outcome,
      option: (code) => reply?.options.get(code)?.toString('hex'),
    }
  }

  /** DISCOVER and REQUEST; the address got, or empty. */
  obtain(setup: MessageSetup = {}): string {
    const offer = this.say(message('discover', setup))
    if (offer.type !== 'offer') return ''
    const ack = this.say(message('request', { ...setup, options: [wish(offer.address), to(server), ...(setup.options ?? [])] }))
    return ack.type === 'ack' ? ack.address : ''
  }
}
