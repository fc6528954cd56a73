import type { Json } from '../../schemas/shape.ts'
import { contains, formatAddress, overlaps, parseAddress, parseCidr, parseRange } from '../resolve/address.ts'
import type { Address, Cidr } from '../resolve/address.ts'
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
  const taken: { readonly name: string; readonly cidr: Cidr }[] = []
  const names = new Set<string>()
  // Those of the BMCs, whose subnet often is that of `admin`, come last.
  const documents = entriesOf(at(place, 'networks')).toSorted(([a], [b]) => rankOf(a) - rankOf(b)).flatMap(([original, network]) => {
    const name = word(original) || 'network'
    if (!isMap(network.value)) fields.refused(network, 'a network is a map')
    else if (names.has(name)) fields.refused(network, `another network is called ${name} here too`)
    else {
      names.add(name)
      return [networkOf(name, network, { fields, taken })]
    }
    return []
  })
  const start = textAt(place, 'networks', 'admin', 'ranges', 'admin', 'start')
  return { documents: [...documents, ...conduitsOf(place, fields)], admin: start !== undefined && parseAddress(start) !== undefined ? start : undefined }
}

function rankOf(name: string): number {
  return name === 'admin' ? 0 : name.startsWith('bmc') ? 2 : 1
}

interface Reading {
  readonly fields: Fields
  /** Subnets that other networks have. */
  readonly taken: { readonly name: string; readonly cidr: Cidr }[]
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
  else if (conduit !== undefined && word(textAt(conduit) ?? '') !== '') {
    document['conduit'] = word(textAt(conduit) ?? '')
    fields.mapped(conduit, to('conduit'))
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
  const subnet = subnetOf(name, network, reading)
  if (subnet !== undefined) document['subnets'] = [subnet]
  return document
}

function subnetOf(name: string, network: Place, { fields, taken }: Reading): DocumentFields | undefined {
  const find = (key: string): Place | undefined => at(network, key)
  const [subnet, netmask] = [find('subnet'), find('netmask')]
  if (subnet === undefined) return undefined
  const prefix = prefixOf(netmask?.value)
  const cidr = prefix === undefined ? undefined : parseCidr(`${textAt(subnet) ?? ''}/${prefix}`)
  const clash = cidr === undefined ? undefined : taken.find((other) => overlaps(other.cidr, cidr))
  if (cidr === undefined || clash !== undefined) {
    for (const key of ['subnet', 'netmask', 'broadcast', 'router', 'ranges']) {
      const place = find(key)
      if (place !== undefined) fields.refused(place, clash === undefined ? '`subnet` and `netmask` are no subnet' : `the subnet overlaps that of ${clash.name}, and no two networks may`)
    }
    return undefined
  }
  taken.push({ name, cidr })
  const to = (path: string): string => `network ${name}: subnets.0.${path}`
  for (const place of [subnet, netmask]) if (place !== undefined) fields.mapped(place, to('cidr'))
  const broadcast = find('broadcast')
  if (broadcast !== undefined && textAt(broadcast) !== formatAddress(cidr.last)) fields.refused(broadcast, `the broadcast address of this subnet is ${formatAddress(cidr.last)}`)
  else if (broadcast !== undefined) fields.mapped(broadcast, to('cidr'), 'it follows from the subnet')
  const router = find('router')
  const gateway = addressIn(router, cidr)
  if (router !== undefined && router.value !== null && router.value !== '' && gateway === undefined) fields.refused(router, 'the router is not in the subnet')
  else if (router !== undefined) fields.mapped(router, to('gateway'))
  const ranges: Record<string, Json> = {}
  const used: { readonly name: string; readonly range: { readonly first: Address; readonly last: Address } }[] = []
  for (const [original, range] of entriesOf(find('ranges'))) {
    const key = word(original)
    const text = `${textAt(range, 'start') ?? ''}-${textAt(range, 'end') ?? ''}`
    const parsed = parseRange(text)
    const other = parsed === undefined ? undefined : used.find((one) => overlaps(one.range, parsed))
    if (parsed === undefined || !contains(cidr, parsed.first) || !contains(cidr, parsed.last)) fields.refused(range, 'a range has `start` and `end` in the subnet')
    else if (other !== undefined) fields.refused(range, `it overlaps the range ${other.name}`)
    else if (!/^[a-z]/.test(key) || key in ranges) fields.refused(range, 'the name of a range begins with a letter and is there once')
    else {
      used.push({ name: key, range: parsed })
      ranges[key] = text
      for (const end of ['start', 'end']) fields.mapped(at(range, end) as Place, to(`ranges.${key}`))
    }
  }
  return { cidr: `${formatAddress(cidr.first)}/${cidr.prefix}`, ...(gateway === undefined ? {} : { gateway }), ...(Object.keys(ranges).length === 0 ? {} : { ranges }) }
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
