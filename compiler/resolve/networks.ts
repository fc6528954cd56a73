import type { Report } from '../../schemas/diagnostic.ts'
import type { NetworkDocument } from '../../schemas/documents/network.ts'
import { error } from '../diagnostics/diagnostic.ts'
import { rangeOf } from '../parse/document.ts'
import type { Pointer } from '../parse/document.ts'
import type { Located } from '../validate/site.ts'
import { contains, overlaps, parseAddress, parseCidr, parseRange } from './address.ts'
import type { Address, AddressRange, Cidr } from './address.ts'
import type { ResolvedNetwork, ResolvedSubnet } from './resolved-site.ts'

/** Reads the subnets and ranges of a network and checks that they fit into each other. */
export function resolveNetwork(document: Located<NetworkDocument>, report: Report): ResolvedNetwork {
  const { value, source } = document
  const subnets: ResolvedSubnet[] = []
  for (const [i, subnet] of (value.subnets ?? []).entries()) {
    const at = ['subnets', i] as const
    const interval = parseCidr(subnet.cidr)
    if (interval === undefined) {
      report(error('ADDRESS_INVALID', rangeOf(source, [...at, 'cidr']), `${subnet.cidr} is not a subnet.`, { fix: 'Write the first address of the subnet and its prefix length, such as 192.168.124.0/24.' }))
      continue
    }
    const clash = subnets.find((other) => overlaps(other.interval, interval))
    if (clash !== undefined) report(error('ADDRESS_CONFLICT', rangeOf(source, [...at, 'cidr']), `The subnets ${clash.cidr} and ${subnet.cidr} overlap.`))
    const check = { document, at, interval, report }
    const dns = subnet.dns ?? null
    for (const [j, text] of (dns ?? []).entries()) {
      if (parseAddress(text) === undefined) report(error('ADDRESS_INVALID', rangeOf(source, [...at, 'dns', j]), `${text} is not an IP address.`))
    }
    subnets.push({ cidr: subnet.cidr, interval, gateway: gatewayOf(subnet.gateway, check), dns, ranges: rangesOf(subnet.ranges ?? {}, check) })
  }
  return { name: value.name, document, vlan: value.vlan ?? 0, mtu: value.mtu ?? 1500, subnets }
}

interface SubnetCheck {
  readonly document: Located<NetworkDocument>
  readonly at: Pointer
  readonly interval: Cidr
  readonly report: Report
}

function gatewayOf(text: string | undefined, { document, at, interval, report }: SubnetCheck): Address | null {
  if (text === undefined) return null
  const address = parseAddress(text)
  const range = rangeOf(document.source, [...at, 'gateway'])
  if (address === undefined) report(error('ADDRESS_INVALID', range, `${text} is not an IP address.`))
  else if (!contains(interval, address)) report(error('ADDRESS_OUTSIDE_RANGE', range, `The gateway ${text} is not in the subnet.`))
  return address ?? null
}

function rangesOf(ranges: Readonly<Record<string, string>>, { document, at, interval, report }: SubnetCheck): ReadonlyMap<string, AddressRange> {
  const found = new Map<string, AddressRange>()
  for (const [name, text] of Object.entries(ranges)) {
    const range = rangeOf(document.source, [...at, 'ranges', name])
    const parsed = parseRange(text)
    if (parsed === undefined) {
      report(error('ADDRESS_INVALID', range, `${text} is not a range of addresses.`, { fix: 'Write first-last, such as 192.168.124.81-192.168.124.160.' }))
      continue
    }
    if (!contains(interval, parsed.first) || !contains(interval, parsed.last)) report(error('ADDRESS_OUTSIDE_RANGE', range, `The range ${name} is not in the subnet.`))
    for (const [other, interval] of found) {
      if (overlaps(interval, parsed)) report(error('ADDRESS_CONFLICT', range, `The ranges ${other} and ${name} overlap.`, { related: [{ message: `the range ${other}`, range: rangeOf(document.source, [...at, 'ranges', other]) }] }))
    }
    found.set(name, parsed)
  }
  return found
}
