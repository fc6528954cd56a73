import type { Json } from '../../schemas/shape.ts'
import { contains, formatAddress, overlaps, parseAddress, parseCidr, parseRange, rangeText } from '../resolve/address.ts'
import type { AddressRange, Cidr } from '../resolve/address.ts'
import { at, entriesOf, isMap, textAt } from './fields.ts'
import type { Fields, Place } from './fields.ts'
import { conduitsOf } from './crowbar1-conduits.ts'
import { numberAt } from './machine-facts.ts'
import { word } from './names.ts'

type DocumentFields = { readonly [key: string]: Json }

/** What a site needs to know of the networks. */
export interface Networks {
  readonly documents: readonly DocumentFields[]
  /** The first address of the range `admin` of the network `admin`. */
  readonly admin: string | undefined
}

/** `networks`, `conduit_map` and `interface_map` of Crowbar 1 as documents. */
export function networksOf(place: Place, fields: Fields): Networks {
  fields.beside(place, 'nothing here reads it')
  const taken: Subnet[] = []
  const conduits = conduitsOf(place, fields)
  const names = new Set<string>()
  // What holds others comes before them: those of the BMCs often have the subnet of `admin`, the floating addresses are some of `public`.
  const inOrder = entriesOf(at(place, 'networks')).toSorted(([a, one], [b, other]) => rankOf(a) - rankOf(b) || (cidrOf(one)?.prefix ?? 0) - (cidrOf(other)?.prefix ?? 0))
  const documents = inOrder.flatMap(([original, network]) => {
    const name = word(original) || 'network'
    if (!isMap(network.value)) fields.refused(network, 'a network is a map')
    else if (names.has(name)) fields.refused(network, `another network is called ${name} here too`)
    else {
      names.add(name)
      return [networkOf(name, network, { fields, taken, conduits })]
    }
    return []
  })
  const withSubnets = documents.map((document) => {
    const subnet = taken.find((one) => one.name === document['name'])
    return subnet === undefined ? document : { ...document, subnets: subnetsOf(subnet) }
  })
  const start = textAt(place, 'networks', 'admin', 'ranges', 'admin', 'start')
  return { documents: [...withSubnets, ...conduits], admin: start !== undefined && parseAddress(start) !== undefined ? start : undefined }
}

function rankOf(name: string): number {
  return name === 'admin' ? 0 : name.startsWith('bmc') ? 2 : 1
}

interface Subnet {
  /** The network that has it. */
  readonly name: string
  readonly cidr: Cidr
  readonly gateway: string | undefined
  /** Those of networks inside too. */
  readonly ranges: Map<string, AddressRange>
}

interface Reading {
  readonly fields: Fields
  /** Subnets of the networks before. */
  readonly taken: Subnet[]
  readonly conduits: readonly DocumentFields[]
}

function networkOf(name: string, network: Place, reading: Reading): DocumentFields {
  const { fields } = reading
  const to = (path: string): string => `network ${name}: ${path}`
  const find = (key: string): Place | undefined => at(network, key)
  const document: Record<string, Json> = { kind: 'network', name }
  if (Object.keys(network.value ?? {}).length === 0) fields.mapped(network, to('name'))

  const tagged = find('use_vlan')
  const vlan = find('vlan')
  const number = numberAt(vlan)
  if (tagged !== undefined) fields.mapped(tagged, to('vlan'))
  if (vlan !== undefined && tagged?.value !== true) fields.mapped(vlan, to('vlan'), 'not in use, since `use_vlan` is not true')
  else if (vlan !== undefined && (number === undefined || number.value > 4094)) fields.refused(vlan, 'a VLAN is a number up to 4094')
  else if (number !== undefined) {
    document['vlan'] = number.value
    fields.mapped(number.place, to('vlan'))
  }

  const mtu = find('mtu')
  const bytes = numberAt(mtu)
  if (mtu !== undefined && (bytes === undefined || bytes.value < 576 || bytes.value > 9216)) fields.refused(mtu, 'an MTU is a number from 576 to 9216')
  else if (bytes !== undefined) {
    document['mtu'] = bytes.value
    fields.mapped(bytes.place, to('mtu'))
  }

  const conduit = find('conduit')
  if (conduit !== undefined && conduit.value === 'bmc') fields.beside(conduit, 'the port of the BMC is no conduit here')
  else if (conduit !== undefined) {
    const known = reading.conduits.find((one) => one['name'] === word(textAt(conduit) ?? ''))
    if (known === undefined) fields.refused(conduit, 'no conduit of this name has ports: the network is left without one')
    else {
      document['conduit'] = known['name'] as string
      fields.mapped(conduit, to('conduit'))
    }
  }

  const [bridged, bridge, ovs] = [find('add_bridge'), find('bridge_name'), find('add_ovs_bridge')]
  if (bridged !== undefined) fields.mapped(bridged, to('bridge'))
  if (ovs?.value === true) fields.refused(ovs, 'there are no Open vSwitch bridges here')
  else if (ovs !== undefined) fields.mapped(ovs, to('bridge'))
  if (bridged?.value === true) {
    const wanted = (textAt(bridge) ?? `br-${name}`).toLowerCase().slice(0, 15)
    if (/^[a-z][a-z0-9_.-]{0,14}$/.test(wanted)) document['bridge'] = wanted
    else fields.refused(bridge ?? bridged, 'the name of a bridge is lower case, begins with a letter and has 15 characters at most')
    if (bridge !== undefined && document['bridge'] !== undefined) fields.mapped(bridge, to('bridge'))
  }
  subnetOf(name, network, reading)
  return document
}

function subnetOf(name: string, network: Place, { fields, taken }: Reading): void {
  const find = (key: string): Place | undefined => at(network, key)
  const [subnet, netmask, broadcast, router] = [find('subnet'), find('netmask'), find('broadcast'), find('router')]
  if (subnet === undefined) return
  const refuse = (why: string): void => {
    for (const place of [subnet, netmask, broadcast, router, find('ranges')]) if (place !== undefined) fields.refused(place, why)
  }
  const cidr = cidrOf(network)
  if (cidr === undefined) return refuse('`subnet` and `netmask` are no subnet')
  const clash = taken.find((other) => overlaps(other.cidr, cidr))
  if (clash !== undefined && !(contains(clash.cidr, cidr.first) && contains(clash.cidr, cidr.last))) return refuse(`the subnet overlaps that of ${clash.name}, and no two networks may`)
  const gateway = addressIn(router, cidr)
  // A network inside of another one has its addresses as ranges of that.
  const into = clash ?? { name, cidr, gateway, ranges: new Map<string, AddressRange>() }
  if (clash === undefined) taken.push(into)
  const to = (path: string): string => `network ${into.name}: subnets.0.${path}`
  for (const place of [subnet, netmask]) if (place !== undefined) fields.mapped(place, to('cidr'), clash === undefined ? undefined : `it is a part of the subnet of ${clash.name}`)
  if (broadcast !== undefined && textAt(broadcast) !== formatAddress(cidr.last)) fields.refused(broadcast, `the broadcast address of this subnet is ${formatAddress(cidr.last)}`)
  else if (broadcast !== undefined) fields.mapped(broadcast, to('cidr'), 'it follows from the subnet')
  if (router !== undefined && router.value !== null && router.value !== '' && gateway === undefined) fields.refused(router, 'the router is not in the subnet')
  else if (router !== undefined && gateway !== undefined && gateway !== into.gateway) fields.refused(router, `the router of ${into.name}, whose subnet this is a part of, is ${into.gateway ?? 'none'}`)
  else if (router !== undefined) fields.mapped(router, to('gateway'))
  const ranges = entriesOf(find('ranges'))
  for (const [original, range] of ranges) {
    const key = clash === undefined ? word(original) : ranges.length === 1 ? name : `${name}-${word(original)}`
    const parsed = parseRange(`${textAt(range, 'start') ?? ''}-${textAt(range, 'end') ?? ''}`)
    const other = parsed === undefined ? undefined : [...into.ranges].find(([, one]) => overlaps(one, parsed))
    if (parsed === undefined || !contains(cidr, parsed.first) || !contains(cidr, parsed.last)) fields.refused(range, 'a range has `start` and `end` in the subnet')
    else if (other !== undefined) fields.refused(range, `it overlaps the range ${other[0]}${clash === undefined ? '' : ` of ${clash.name}`}`)
    else if (!/^[a-z]/.test(key) || into.ranges.has(key)) fields.refused(range, 'the name of a range begins with a letter and is there once')
    else {
      into.ranges.set(key, parsed)
      for (const end of ['start', 'end']) fields.mapped(at(range, end) as Place, to(`ranges.${key}`))
    }
  }
}

function subnetsOf({ cidr, gateway, ranges }: Subnet): Json {
  return [{
    cidr: `${formatAddress(cidr.first)}/${cidr.prefix}`,
    ...(gateway === undefined ? {} : { gateway }),
    ...(ranges.size === 0 ? {} : { ranges: Object.fromEntries([...ranges].map(([name, range]) => [name, rangeText(range)])) }),
  }]
}

/** Of `subnet` with `netmask`, or as `subnet` alone may have it, with a slash. */
function cidrOf(network: Place): Cidr | undefined {
  const [subnet, netmask] = [textAt(network, 'subnet') ?? '', at(network, 'netmask')]
  const prefix = prefixOf(netmask?.value)
  if (!subnet.includes('/')) return prefix === undefined ? undefined : parseCidr(`${subnet}/${prefix}`)
  const cidr = parseCidr(subnet)
  return netmask === undefined || cidr?.prefix === prefix ? cidr : undefined
}

function addressIn(place: Place | undefined, cidr: Cidr): string | undefined {
  const address = parseAddress(textAt(place) ?? '')
  return address !== undefined && contains(cidr, address) ? textAt(place) : undefined
}

/** Dotted, or the length of the prefix. */
function prefixOf(netmask: Json | undefined): number | undefined {
  if (typeof netmask === 'number') return netmask
  if (typeof netmask !== 'string') return undefined
  if (/^[0-9]{1,3}$/.test(netmask)) return Number(netmask)
  const address = parseAddress(netmask)
  const bits = address?.version === 4 ? address.value.toString(2).padStart(32, '0') : ''
  return /^1*0*$/.test(bits) && bits !== '' ? bits.indexOf('0') < 0 ? 32 : bits.indexOf('0') : undefined
}
