import { byCodePoint } from '../../schemas/canonical.ts'
import type { Range, Report } from '../../schemas/diagnostic.ts'
import { own } from '../../schemas/own.ts'
import { oncePerPlace } from '../bind/once-per-place.ts'
import { error, warning } from '../diagnostics/diagnostic.ts'
import { knownNames } from '../diagnostics/known-names.ts'
import { rangeOf } from '../parse/document.ts'
import { ADDRESS_FORM, contains, formatAddress, parseAddress, rangeText } from '../resolve/address.ts'
import type { BoundNode, BoundSite } from '../bind/bound-site.ts'
import type { Address, AddressRange } from '../resolve/address.ts'
import type { ResolvedNetwork, ResolvedSubnet } from '../resolve/resolved-site.ts'
import { rangeOfField } from '../validate/site.ts'
import { AddressBook, unusable } from './address-book.ts'
import { subnetOf } from './subnet-of.ts'

export interface Addresses {
  /** Node → network → addresses, IPv4 first. */
  readonly nodes: ReadonlyMap<string, ReadonlyMap<string, readonly string[]>>
  /** Deployment → name → address. */
  readonly virtual: ReadonlyMap<string, Readonly<Record<string, string>>>
  /** The new lock's lines. */
  readonly lock: Readonly<Record<string, string>>
}

/** One who is to have an address on a network, for one version of IP. */
interface Seeker {
  /** In diagnostics. */
  readonly name: string
  /** In the lock; ends in /6 for IPv6. */
  readonly key: string
  readonly network: ResolvedNetwork
  readonly version: 4 | 6
  /** As written. */
  readonly explicit: string | undefined
  readonly rangeName: string
  /** The range was asked for, so a kept address has to lie in it. */
  readonly rangeAsked: boolean
  /** Ranges that a written address has to lie in one of, as far as its subnet has them. */
  readonly within: readonly string[]
  /** Whether it may have the admin address. */
  readonly admin: boolean
  readonly at: Range
  readonly give: (address: string) => void
}

/**
 * Gives addresses: first those that are written down, then those that the lock keeps, then, in order of name, the lowest
 * free one of each range. So nothing that has an address moves because somebody else came or went.
 */
export function allocateAddresses(bound: BoundSite, report: Report): Addresses {
  const { resolved } = bound
  const books = new Map([...resolved.networks].map(([name, network]) => [name, new AddressBook(network)]))
  const nodes = new Map<string, Map<string, string[]>>()
  const virtual = new Map<string, Record<string, string>>()
  const adminAddress = checkAdminAddress(bound, report)
  const seekers = [...nodeSeekers(bound, { found: nodes, adminAddress, report }), ...virtualSeekers(bound, virtual, report)]
  const locked = resolved.site.lock?.value.addresses ?? {}
  const lock: Record<string, string> = {}
  const reserved = new Set([resolved.site.site.value.admin.address])
  const settle = (seeker: Seeker, address: string): void => {
    lock[seeker.key] = address
    seeker.give(address)
  }
  // One address for all nodes of a document is one mistake.
  const reportOnce = oncePerPlace(report)
  const rest: Seeker[] = []
  for (const seeker of seekers) {
    const book = books.get(seeker.network.name) as AddressBook
    if (seeker.explicit === undefined) {
      rest.push(seeker)
      continue
    }
    const address = checkExplicit(seeker, { book, reserved, report: reportOnce })
    if (address !== undefined) settle(seeker, address)
  }
  const newcomers: Seeker[] = []
  const moved = new Map<Seeker, string>()
  for (const seeker of rest) {
    const kept = own(locked, seeker.key)
    const book = books.get(seeker.network.name) as AddressBook
    const verdict = kept === undefined ? { kind: 'moves' as const, why: undefined } : judgeKept(seeker, { book, kept, reserved })
    if (verdict.kind === 'invalid') {
      report(error('LOCK_INVALID', lockRange(bound, seeker.key), `${seeker.name} cannot have ${kept}: ${verdict.why}.`, { related: [{ message: 'the network', range: rangeOf(seeker.network.document.source, ['name']) }], fix: `Put back what was here, or take the line out, so that ${seeker.name} gets another address.` }))
    } else if (kept !== undefined && verdict.kind === 'stays') {
      const other = book.take(kept, { name: seeker.name, range: seeker.at })
      if (other === undefined) settle(seeker, kept)
      else report(error('ADDRESS_CONFLICT', other.range, `${other.name} asks for ${kept}, which ${seeker.name} has.`, { related: [{ message: `${seeker.name} has it by the lock`, range: lockRange(bound, seeker.key) }], fix: 'Take another address, or take the line out of the lock so that the other one moves.' }))
    } else {
      newcomers.push(seeker)
      if (verdict.kind === 'moves' && verdict.why !== undefined) moved.set(seeker, `${seeker.name} had ${kept}, which is ${verdict.why}`)
    }
  }
  const without = new Map<string, Seeker[]>()
  for (const seeker of newcomers) {
    const address = findFree(seeker, { book: books.get(seeker.network.name) as AddressBook, reserved })
    if (address !== undefined) {
      settle(seeker, address)
      const why = moved.get(seeker)
      if (why !== undefined) report(warning('ADDRESS_MOVED', seeker.at, `${why}, and gets ${address}.`, { related: [{ message: 'it had that by the lock', range: lockRange(bound, seeker.key) }] }))
    } else without.set(`${seeker.network.name} ${seeker.rangeName}`, [...(without.get(`${seeker.network.name} ${seeker.rangeName}`) ?? []), seeker])
  }
  for (const seekers of without.values()) report(exhausted(seekers))
  return { nodes, virtual, lock }
}

/** The admin address, when it is one that its network can have. */
function checkAdminAddress({ resolved }: BoundSite, report: Report): string | undefined {
  const { value, source } = resolved.site.site
  const range = rangeOf(source, ['admin', 'address'])
  const address = parseAddress(value.admin.address)
  const network = resolved.networks.get(value.admin.network)
  if (address === undefined) report(error('ADDRESS_INVALID', range, `${value.admin.address} is not an IP address.`, { fix: ADDRESS_FORM }))
  else if (network !== undefined && !network.subnets.some((subnet) => contains(subnet.interval, address))) {
    report(error('ADDRESS_OUTSIDE_RANGE', range, `${value.admin.address} is not in the network ${network.name}.`, { related: [{ message: 'the network', range: rangeOf(network.document.source, ['name']) }], fix: network.subnets.length === 0 ? `Give ${network.name} a subnet.` : `Take an address of ${network.subnets.map(({ cidr }) => cidr).join(' or ')}.` }))
  } else return value.admin.address
  return undefined
}

interface NodeQuestion {
  readonly found: Map<string, Map<string, string[]>>
  readonly adminAddress: string | undefined
  readonly report: Report
}

function* nodeSeekers({ resolved, nodes }: BoundSite, { found, adminAddress, report }: NodeQuestion): Generator<Seeker> {
  const { admin } = resolved.site.site.value
  const admins = [...nodes.values()].filter((node) => node.admin).length
  for (const node of [...nodes.values()].toSorted((a, b) => byCodePoint(a.name, b.name))) {
    const given = new Map<string, string[]>()
    found.set(node.name, given)
    for (const name of networksOf(node, admin.network)) {
      const network = resolved.networks.get(name)
      if (network === undefined) continue
      const addresses: string[] = []
      given.set(name, addresses)
      const wish = own(node.site.value.networks, name)
      const field = wish?.address === undefined ? (wish?.range === undefined ? [] : ['networks', name, 'range']) : ['networks', name, 'address']
      const at = field.length === 0 ? node.site.at : rangeOfField(node.site, field)
      const alone = node.admin && admins === 1 && name === admin.network && wish?.range === undefined
      const explicit = wish?.address ?? (alone ? adminAddress : undefined)
      const rangeName = wish?.range ?? (node.admin ? 'admin' : 'host')
      if (wish?.range !== undefined && !checkRange({ network, range: wish.range, at }, report)) continue
      yield* versions({ network, explicit, rangeName, at, report }).map((version): Seeker => ({
        name: node.name, key: lockKey(`${name}/${node.name}`, version), network, version, rangeName, at, admin: node.admin,
        explicit: explicit !== undefined && parseAddress(explicit)?.version !== (version === 4 ? 6 : 4) ? explicit : undefined,
        rangeAsked: wish?.range !== undefined,
        within: wish?.range !== undefined ? [wish.range] : wish?.address === undefined ? [] : node.admin ? ['admin', 'host'] : ['host'],
        give: (address) => (version === 4 ? addresses.unshift(address) : addresses.push(address)),
      }))
    }
  }
}

function* virtualSeekers({ resolved }: BoundSite, found: Map<string, Record<string, string>>, report: Report): Generator<Seeker> {
  for (const deployment of resolved.deployments.values()) {
    const given: Record<string, string> = Object.create(null) as Record<string, string>
    found.set(deployment.name, given)
    const { value, source } = deployment.document
    for (const [name, wish] of Object.entries(value.addresses ?? {}).toSorted(([a], [b]) => byCodePoint(a, b))) {
      const network = resolved.networks.get(wish.network)
      if (network === undefined) continue
      const field = wish.address === undefined ? (wish.range === undefined ? [] : ['range']) : ['address']
      const at = rangeOf(source, ['addresses', name, ...field], field.length === 0 ? 'key' : 'value')
      const rangeName = wish.range ?? 'vip'
      if (wish.range !== undefined && !checkRange({ network, range: wish.range, at }, report)) continue
      yield* versions({ network, explicit: wish.address, rangeName, at, report }).slice(0, 1).map((version): Seeker => ({
        name: `${deployment.name}:${name}`, key: lockKey(`${wish.network}/${deployment.name}:${name}`, version), network, version, rangeName, at, admin: false,
        explicit: wish.address, rangeAsked: wish.range !== undefined, within: wish.range === undefined ? [] : [wish.range], give: (address) => (given[name] = address),
      }))
    }
  }
}

/** Every node joins the admin network, and those that it names. */
export function networksOf(node: BoundNode, admin: string): readonly string[] {
  return [admin, ...Object.keys(node.site.value.networks ?? {}).filter((name) => name !== admin).toSorted(byCodePoint)]
}

interface VersionQuestion {
  readonly network: ResolvedNetwork
  readonly explicit: string | undefined
  readonly rangeName: string
  readonly at: Range
  readonly report: Report
}

/** The versions of IP that somebody gets on a network: those with the range, and that of a written address. */
function versions({ network, explicit, rangeName, at, report }: VersionQuestion): readonly (4 | 6)[] {
  const written = explicit === undefined ? undefined : parseAddress(explicit)
  if (explicit !== undefined && written === undefined) {
    report(error('ADDRESS_INVALID', at, `${explicit} is not an IP address.`, { fix: ADDRESS_FORM }))
    return []
  }
  const found = ([4, 6] as const).filter((version) => written?.version === version || network.subnets.some((subnet) => subnet.interval.version === version && subnet.ranges.has(rangeName)))
  if (found.length === 0 && network.subnets.length > 0) {
    report(error('ADDRESS_EXHAUSTED', at, `The network ${network.name} has no range ${rangeName} to take an address from.`, { related: [{ message: 'the network', range: rangeOf(network.document.source, ['subnets']) }], fix: `Add the range ${rangeName} to a subnet, name another range, or write the address down.` }))
  }
  return found
}

/** Whether a range that somebody asks for is one to take addresses from; reports when it is none. */
function checkRange({ network, range, at }: { readonly network: ResolvedNetwork; readonly range: string; readonly at: Range }, report: Report): boolean {
  const names = new Set(network.subnets.flatMap((subnet) => [...subnet.ranges.keys()]))
  const others = [...names].filter((name) => name !== 'dhcp')
  if (range === 'dhcp') report(error('ADDRESS_RESERVED', at, 'The range dhcp is for unknown machines: nobody else gets an address of it.', { fix: `Name another range${others.length === 0 ? '' : ` (${others.join(', ')})`}.` }))
  else if (names.has(range)) return true
  else report(error('REFERENCE_UNKNOWN', at, `The network ${network.name} has no range ${range}.`, { fix: knownNames(range, others) }))
  return false
}

interface Given {
  readonly book: AddressBook
  readonly reserved: ReadonlySet<string>
}

function checkExplicit(seeker: Seeker, { book, reserved, report }: Given & { readonly report: Report }): string | undefined {
  const parsed = parseAddress(seeker.explicit as string)
  if (parsed === undefined) return undefined
  const text = formatAddress(parsed)
  const subnet = subnetOf(book.network, parsed)
  if (subnet === undefined) {
    const subnets = book.network.subnets.map((other) => other.cidr).join(' and ')
    report(error('ADDRESS_OUTSIDE_RANGE', seeker.at, `${text} is not in the network ${book.network.name}${subnets === '' ? ', which has no subnet' : `, which is ${subnets}`}.`, { fix: subnets === '' ? `Give ${book.network.name} a subnet, or take the address away.` : `Take an address of ${subnets}, or leave it out so that one is given.` }))
    return undefined
  }
  const why = unusable(subnet, parsed) ?? (reserved.has(text) && !seeker.admin ? 'the address of the admin node' : undefined)
  if (why !== undefined) {
    report(error('ADDRESS_RESERVED', seeker.at, `${seeker.name} cannot have ${text}: it is ${why}.`, { fix: 'Take another address, or leave it out so that one is given.' }))
    return undefined
  }
  checkWithin(seeker, { subnet, address: parsed, report })
  const other = book.take(text, { name: seeker.name, range: seeker.at })
  if (other === undefined) return text
  report(error('ADDRESS_CONFLICT', seeker.at, `${other.name} and ${seeker.name} both ask for ${text}.`, { related: [{ message: `${other.name} asks for it here`, range: other.range }], fix: 'Give one of them another address.' }))
  return undefined
}

/** An address that is written down lies in a range that is meant for whoever has it, so that nobody else is given it meanwhile. */
function checkWithin({ name, within, rangeAsked, network, at }: Seeker, { subnet, address, report }: { readonly subnet: ResolvedSubnet; readonly address: Address; readonly report: Report }): void {
  const declared = within.filter((range) => subnet.ranges.has(range))
  if (declared.length === 0 || declared.some((range) => contains(subnet.ranges.get(range) as AddressRange, address))) return
  const text = formatAddress(address)
  const other = [...subnet.ranges].find(([range, addresses]) => range !== 'dhcp' && contains(addresses, address))?.[0]
  const why = rangeAsked ? `which ${name} asks for as well` : 'which an address comes from unless another one is named'
  const ranges = declared.map((range) => `${range} (${rangeText(subnet.ranges.get(range) as AddressRange)})`).join(' or ')
  const fix = `Take an address of ${ranges}${other === undefined ? '' : `, or say \`range: ${other}\``}.`
  report(error('ADDRESS_OUTSIDE_RANGE', at, `${text} is not in the range ${declared.join(' or ')} of the network ${network.name}, ${why}.`, { related: [{ message: 'the network', range: rangeOf(network.document.source, ['subnets']) }], fix }))
}

/** What becomes of an address that the lock has. `why` completes "it is …". */
type KeptVerdict = { readonly kind: 'stays' } | { readonly kind: 'moves'; readonly why: string | undefined } | { readonly kind: 'invalid'; readonly why: string }

/**
 * What was given stays, unless the network moved away from under it or another range is asked for. One that nobody may
 * have is never repaired silently: somebody edited the lock, or put the network's own addresses over those of nodes.
 */
function judgeKept(seeker: Seeker, { book, kept, reserved }: Given & { readonly kept: string }): KeptVerdict {
  const address = parseAddress(kept)
  if (address === undefined || formatAddress(address) !== kept || address.version !== seeker.version) return { kind: 'invalid', why: `that is no IPv${seeker.version} address as Crowbar writes it` }
  const subnet = subnetOf(book.network, address)
  if (subnet === undefined) return { kind: 'moves', why: `not in the network ${seeker.network.name} any more` }
  const why = unusable(subnet, address) ?? (reserved.has(kept) && !seeker.admin ? 'the address of the admin node' : undefined)
  if (why !== undefined) return { kind: 'invalid', why: `it is ${why}` }
  const range = subnet.ranges.get(seeker.rangeName)
  if (!seeker.rangeAsked || (range !== undefined && contains(range, address))) return { kind: 'stays' }
  return { kind: 'moves', why: `not in the range ${seeker.rangeName} of the network ${seeker.network.name}` }
}

function findFree(seeker: Seeker, { book, reserved }: Given): string | undefined {
  for (const subnet of book.network.subnets) {
    const range = subnet.ranges.get(seeker.rangeName)
    if (subnet.interval.version !== seeker.version || range === undefined) continue
    const address = book.lowestFree(subnet, range, reserved)
    if (address === undefined) continue
    book.take(address, { name: seeker.name, range: seeker.at })
    return address
  }
  return undefined
}

function exhausted(seekers: readonly Seeker[]) {
  const { name, network, rangeName, at } = seekers[0] as Seeker
  const others = seekers.length === 1 ? '' : ` and ${seekers.length - 1} more`
  return error('ADDRESS_EXHAUSTED', at, `The range ${rangeName} of the network ${network.name} has no address left for ${name}${others}.`, { related: [{ message: 'the network', range: rangeOf(network.document.source, ['subnets']) }], fix: 'Make the range larger, or add a subnet.' })
}

function lockKey(key: string, version: 4 | 6): string {
  return version === 4 ? key : `${key}/6`
}

function lockRange({ resolved }: BoundSite, key: string): Range {
  const { lock, site } = resolved.site
  return lock === null ? rangeOf(site.source, []) : rangeOf(lock.source, ['addresses', key])
}
