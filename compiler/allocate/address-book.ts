import type { Range } from '../../schemas/diagnostic.ts'
import { contains, formatAddress } from '../resolve/address.ts'
import type { Address, AddressRange } from '../resolve/address.ts'
import type { ResolvedNetwork, ResolvedSubnet } from '../resolve/resolved-site.ts'

/** Who has an address, and where that is said. */
export interface Holder {
  readonly name: string
  readonly range: Range
}

/** Which addresses of a network are taken. Owned by one run of allocate. */
export class AddressBook {
  readonly network: ResolvedNetwork
  readonly #taken = new Map<string, Holder>()
  /** Where the search of a range goes on: everything before it is taken. */
  readonly #cursor = new Map<AddressRange, bigint>()

  constructor(network: ResolvedNetwork) {
    this.network = network
  }

  holder(address: string): Holder | undefined {
    return this.#taken.get(address)
  }

  /** Gives an address to somebody; the holder before, if it is another one, stays and is returned. */
  take(address: string, holder: Holder): Holder | undefined {
    const other = this.#taken.get(address)
    if (other !== undefined) return other
    this.#taken.set(address, holder)
    return undefined
  }

  /** The lowest address of a range that is free and may be given away; undefined when there is none. */
  lowestFree(subnet: ResolvedSubnet, range: AddressRange, reserved: ReadonlySet<string>): string | undefined {
    const { version } = range.first
    for (let value = this.#cursor.get(range) ?? range.first.value; value <= range.last.value; value++) {
      this.#cursor.set(range, value)
      const text = formatAddress({ version, value })
      if (!this.#taken.has(text) && !reserved.has(text) && unusable(subnet, { version, value }) === undefined) return text
    }
    return undefined
  }
}

/** Why nobody can have an address of a subnet, in words; undefined when somebody can. */
export function unusable(subnet: ResolvedSubnet, address: Address): string | undefined {
  if (subnet.gateway?.value === address.value && subnet.gateway.version === address.version) return 'the gateway'
  const { first, last, prefix } = subnet.interval
  const bits = address.version === 4 ? 32 : 128
  if (prefix >= bits - 1) return undefined
  if (address.value === first.value) return address.version === 4 ? 'the address of the subnet itself' : 'the anycast address of the routers (RFC 4291 §2.6.1)'
  if (address.version === 4 && address.value === last.value) return 'the broadcast address'
  const dhcp = subnet.ranges.get('dhcp')
  return dhcp !== undefined && contains(dhcp, address) ? 'in the range `dhcp`, which is for unknown machines' : undefined
}
