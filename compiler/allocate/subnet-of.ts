import { contains } from '../resolve/address.ts'
import type { Address } from '../resolve/address.ts'
import type { ResolvedNetwork, ResolvedSubnet } from '../resolve/resolved-site.ts'

/** The subnet of a network that an address lies in. */
export function subnetOf({ subnets }: ResolvedNetwork, address: Address): ResolvedSubnet | undefined {
  return subnets.find((subnet) => contains(subnet.interval, address))
}
