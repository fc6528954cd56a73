import type { Diagnostic, Range, Report } from '../../schemas/diagnostic.ts'
import type { NetworkDocument } from '../../schemas/documents/network.ts'
import { error } from '../diagnostics/diagnostic.ts'
import { rangeOf } from '../parse/document.ts'
import type { Pointer } from '../parse/document.ts'
import type { Located } from '../validate/site.ts'
import { ADDRESS_FORM, contains, overlaps, parseAddress, parseCidr, parseRange, rangeText } from './address.ts'
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
    if (clash !== undefined) report(error('ADDRESS_CONFLICT', rangeOf(source, [...at, 'cidr']), `The subnets ${clash.cidr} and ${subnet.cidr} overlap.`, { fix: 'Give each subnet addresses of its own.' }))
    const check = { document, at, interval, report }
    const dns = subnet.dns ?? null
    for (const [j, text] of (dns ?? []).entries()) {
      if (parseAddress(text) === undefined) report(notAnAddress(text, rangeOf(source, [...at, 'dns', j])))
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
  if (address === undefined) report(notAnAddress(text, range))
  else if (!contains(interval, address)) report(error('ADDRESS_OUTSIDE_RANGE', range, `The gateway ${text} is not in the subnet.`, { fix: `Take an address of ${rangeText(interval)}.` }))
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
    if (!contains(interval, parsed.first) || !contains(interval, parsed.last)) report(error('ADDRESS_OUTSIDE_RANGE', range, `The range ${name} is not in the subnet.`, { fix: `Keep it within ${rangeText(interval)}.` }))
    for (const [other, interval] of found) {
      if (overlaps(interval, parsed)) report(error('ADDRESS_CONFLICT', range, `The ranges ${other} and ${name} overlap.`, { related: [{ message: `the range ${other}`, range: rangeOf(document.source, [...at, 'ranges', other]) }], fix: 'Let each address be in one range only.' }))
    }
    found.set(name, parsed)
  }
  return found
}

/** Two networks with the same addresses cannot be told apart by a router, nor by the DHCP server. */
export function checkSubnets(networks: ReadonlyMap<string, ResolvedNetwork>, report: Report): void {
  const all = [...networks.values()].flatMap((network) => network.subnets.map((subnet) => ({ network, subnet })))
  const sorted = all.toSorted((a, b) => a.subnet.interval.version - b.subnet.interval.version || Number(a.subnet.interval.first.value - b.subnet.interval.first.value))
  for (const [i, here] of sorted.entries()) {
    const before = sorted[i - 1]
    if (before === undefined || before.network === here.network || !overlaps(before.subnet.interval, here.subnet.interval)) continue
    const [first, second] = all.indexOf(before) < all.indexOf(here) ? [before, here] : [here, before]
    report(error('ADDRESS_CONFLICT', rangeOfSubnet(second), `${second.subnet.cidr} of the network ${second.network.name} overlaps ${first.subnet.cidr} of the network ${first.network.name}.`, { related: [{ message: `the network ${first.network.name}`, range: rangeOfSubnet(first) }], fix: 'Give each network addresses of its own.' }))
  }
}

function rangeOfSubnet({ network, subnet }: { readonly network: ResolvedNetwork; readonly subnet: ResolvedSubnet }): Range {
  const { value, source } = network.document
  return rangeOf(source, ['subnets', value.subnets?.findIndex(({ cidr }) => cidr === subnet.cidr) ?? 0, 'cidr'])
}

function notAnAddress(text: string, range: Range): Diagnostic {
  return error('ADDRESS_INVALID', range, `${text} is not an IP address.`, { fix: ADDRESS_FORM })
}
