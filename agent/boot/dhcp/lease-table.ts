import { formatIpv4, type Ipv4 } from '../ipv4.ts'
import type { PreparedSubnet } from './subnet.ts'

/** What we know about one address. */
export interface Lease {
  readonly address: Ipv4
  /** Name of the subnet. */
  readonly subnet: string
  /** Whose it is: `mac:52:54:…`, or `id:` and option 61 in hexadecimal for hardware without an address. */
  readonly client: string
  /**
   * `offered`: held for a short while, in memory only. `bound`: given. `released`: given back; still this client's if
   * nobody else needed it. `declined`: somebody we do not know uses it.
   */
  readonly state: 'offered' | 'bound' | 'released' | 'declined'
  /** When it ends, milliseconds since 1970. */
  readonly expires: number
  /** Name that the client gave itself, for people. */
  readonly hostname?: string
}

/** All leases of one agent, by address and by client. Holds no more than one lease per address. */
export class LeaseTable {
  readonly #byAddress = new Map<Ipv4, Lease>()
  /** A client has more than one for a while, when it moves to another address. The last one comes last. */
  readonly #byClient = new Map<string, Map<Ipv4, Lease>>()

  constructor(leases: Iterable<Lease> = []) {
    for (const lease of leases) this.set(lease)
  }

  /** The lease of an address, in whatever state, also an expired one. */
  at(address: Ipv4): Lease | undefined {
    return this.#byAddress.get(address)
  }

  /** The last lease of a client in a subnet, also an expired one: a client that comes back gets its address again. */
  of(client: string, subnet: string): Lease | undefined {
    return this.allOf(client, subnet).at(-1)
  }

  /** Every lease of a client in a subnet, in whatever state but declined, the last one last. */
  allOf(client: string, subnet: string): readonly Lease[] {
    return [...(this.#byClient.get(clientKey(client, subnet))?.values() ?? [])]
  }

  /** Every lease, oldest entry first. */
  all(): IterableIterator<Lease> {
    return this.#byAddress.values()
  }

  /** Puts a lease in place of what was known of its address. */
  set(lease: Lease): void {
    this.delete(lease.address)
    this.#byAddress.set(lease.address, lease)
    if (lease.state === 'declined') return
    const key = clientKey(lease.client, lease.subnet)
    const own = this.#byClient.get(key)
    if (own) own.set(lease.address, lease)
    else this.#byClient.set(key, new Map([[lease.address, lease]]))
  }

  /** Forgets an address. */
  delete(address: Ipv4): void {
    const lease = this.#byAddress.get(address)
    if (!lease) return
    this.#byAddress.delete(address)
    const key = clientKey(lease.client, lease.subnet)
    const own = this.#byClient.get(key)
    own?.delete(address)
    if (own?.size === 0) this.#byClient.delete(key)
  }

  /**
   * Whether `client` may have an address: nobody else holds it.
   *
   * @param now milliseconds since 1970.
   */
  isFree(address: Ipv4, client: string, now: number): boolean {
    const lease = this.#byAddress.get(address)
    if (!lease || lease.expires <= now || lease.state === 'released') return true
    return lease.client === client && lease.state !== 'declined'
  }

  /**
   * Finds an address in the pools of `subnet` for a client that has none: one that nobody had, beginning at a place
   * that the client's name gives, so that it finds the same one again; else the one that has been free for longest.
   *
   * @param isKept addresses that must not be handed out, such as reserved ones.
   * @returns undefined if every address is taken.
   */
  findFree(subnet: PreparedSubnet, client: string, options: { now: number; isKept: (address: Ipv4) => boolean }): Ipv4 | undefined {
    const { now, isKept } = options
    if (subnet.poolSize === 0) return undefined
    const start = hash(client) % subnet.poolSize
    let oldest: Lease | undefined
    for (let step = 0; step < subnet.poolSize; step += 1) {
      const address = poolAddress(subnet, (start + step) % subnet.poolSize)
      if (isKept(address)) continue
      const lease = this.#byAddress.get(address)
      if (!lease || (lease.state === 'offered' && lease.expires <= now)) return address
      if (this.isFree(address, client, now) && (!oldest || lease.expires < oldest.expires)) oldest = lease
    }
    return oldest?.address
  }
}

function clientKey(client: string, subnet: string): string {
  return `${subnet} ${client}`
}

function poolAddress(subnet: PreparedSubnet, index: number): Ipv4 {
  let rest = index
  for (const { from, to } of subnet.pools) {
    if (rest <= to - from) return formatIpv4(from + rest)
    rest -= to - from + 1
  }
  throw new RangeError(`no address ${index} in the pools of ${subnet.config.name}`)
}

/** FNV-1a, 32 bits. */
function hash(text: string): number {
  let value = 0x811c9dc5
  for (let at = 0; at < text.length; at += 1) value = Math.imul(value ^ text.charCodeAt(at), 0x01000193) >>> 0
  return value
}
