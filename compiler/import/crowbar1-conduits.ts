import type { Json } from '../../schemas/shape.ts'
import { at, entriesOf, itemsOf, textAt } from './fields.ts'
import type { Fields, Place } from './fields.ts'
import { numberAt } from './machine-facts.ts'
import { word } from './names.ts'

type DocumentFields = { readonly [key: string]: Json }

/** By the number that Linux has for them. */
const BOND_MODES = ['balance-rr', 'active-backup', 'balance-xor', 'broadcast', '802.3ad', 'balance-tlb', 'balance-alb']
const HASHES: ReadonlySet<string> = new Set(['layer2', 'layer2+3', 'layer3+4', 'encap2+3', 'encap3+4'])

/** Hardware whose ports have an order of their own. */
interface Order {
  readonly place: Place
  /** CEL over `machine`. */
  readonly when: string
  /** PCI addresses, one a port. */
  readonly buses: readonly string[]
}

/** `conduit_map` and `interface_map` as documents of the kind conduit: of entries whose mode is the one that is in use. */
export function conduitsOf(network: Place, fields: Fields): readonly DocumentFields[] {
  const modePlace = at(network, 'mode')
  const mode = textAt(modePlace) ?? 'single'
  if (modePlace !== undefined) fields.mapped(modePlace, 'conduits', 'it decides which entries of the conduit map count')
  const orders = itemsOf(at(network, 'interface_map')).flatMap((entry) => orderOf(entry, fields))
  const ports = new Map<string, Json[]>()
  // Conduits that have ports for every machine by now.
  const settled = new Set<string>()
  for (const entry of itemsOf(at(network, 'conduit_map'))) {
    const pattern = at(entry, 'pattern')
    const parts = (textAt(pattern) ?? '').split('/')
    const [ofMode = '', count = '', role = ''] = parts
    if (pattern === undefined || parts.length !== 3) {
      fields.refused(entry, 'the pattern of an entry is `mode/number of ports/role`')
      continue
    }
    if (!isAny(ofMode) && !isMode(ofMode, mode)) {
      fields.beside(entry, `it is for another mode than ${mode}`)
      continue
    }
    if (!isAny(role) || (!isAny(count) && !/^[\^$0-9.*+?|()[\]-]+$/.test(count))) {
      fields.refused(entry, isAny(role) ? 'the number of ports is no number and no pattern of digits' : 'a conduit cannot hang on a role: choose by what the machine is')
      continue
    }
    const plain = /^\^?([0-9]+)\$?$/.exec(count)?.[1]
    const when = isAny(count) ? [] : [plain === undefined ? `string(machine.nics.size()).matches(${JSON.stringify(count)})` : `machine.nics.size() == ${Number(plain)}`]
    for (const [name, conduit] of entriesOf(at(entry, 'conduit_list'))) {
      const key = word(name) || 'conduit'
      if (settled.has(key)) {
        fields.beside(conduit, 'an entry before it is for every machine')
        continue
      }
      const into = ports.get(key) ?? []
      ports.set(key, into)
      const made = portsOf(conduit, { network, fields, when, orders, to: `conduit ${key}: ports.${into.length}` })
      if (made.length > 0) fields.mapped(pattern, `conduit ${key}: ports.${into.length}.when`)
      into.push(...made)
      if (made.length > 0 && when.length === 0) settled.add(key)
    }
  }
  return [...ports].filter(([, list]) => list.length > 0).map(([name, list]) => ({ kind: 'conduit', name, ports: list }))
}

interface PortReading {
  readonly network: Place
  readonly fields: Fields
  readonly when: readonly string[]
  readonly orders: readonly Order[]
  readonly to: string
}

function portsOf(conduit: Place, { network, fields, when, orders, to }: PortReading): readonly Json[] {
  const references = itemsOf(at(conduit, 'if_list'))
  const parsed = references.map((reference) => /^([-+?]?)([0-9]{1,3}[mg])([0-9]{1,3})$/.exec(textAt(reference) ?? ''))
  if (references.length === 0) fields.refused(conduit, 'a conduit has ports in `if_list`')
  let good = references.length > 0
  const use = references.map((reference, i): { readonly index: number; readonly speed?: string } => {
    const [, sign = '', speed = '', index = ''] = parsed[i] ?? []
    if (index === '' || Number(index) < 1 || Number(index) > 256 || sign === '-') {
      good = false
      fields.refused(reference, sign === '-' ? 'a port that may be slower cannot be asked for' : 'a port is a speed and a number from 1, such as 1g1 or +10g2')
      return { index: 0 }
    }
    fields.mapped(reference, `${to}.use.${i}`, sign === '?' ? 'of any speed, counted among all ports' : 'numbers begin with 0 here')
    // `?` takes what is there: the given speed first, then faster and slower ones.
    return { index: Number(index) - 1, ...(sign === '?' ? {} : { speed: `${speed}${sign}` }) }
  })
  if (!good) return []
  const bond = use.length > 1 ? bondOf(conduit, { network, fields, to: `${to}.bond` }) : {}
  if (bond === undefined) return []
  const entry = (conditions: readonly string[], selectors: Json): Json => ({ ...(conditions.length === 0 ? {} : { when: conditions.join(' && ') }), use: selectors, ...bond })
  const ordered = orders.flatMap(({ place, when: of, buses }) => {
    if (use.every(({ index }) => index < buses.length)) return [entry([of, ...when], use.map(({ index }) => ({ bus: buses[index] ?? '' })))]
    fields.refused(place, 'it names fewer ports than a conduit uses')
    return []
  })
  return [...ordered, entry(when, use as unknown as Json)]
}

function bondOf(conduit: Place, { network, fields, to }: Pick<PortReading, 'network' | 'fields' | 'to'>): DocumentFields | undefined {
  const find = (own: string, general: string): Place | undefined => at(conduit, own) ?? at(network, 'teaming', general)
  const [mode, miimon, hash] = [find('team_mode', 'mode'), find('team_miimon', 'miimon'), find('team_xmit_hash_policy', 'xmit_hash_policy')]
  const number = mode === undefined ? 5 : numberAt(mode)?.value
  const name = number === undefined ? undefined : BOND_MODES[number]
  if (name === undefined) {
    if (mode !== undefined) fields.refused(mode, 'the mode of a bond is a number from 0 to 6')
    return undefined
  }
  if (mode !== undefined) fields.mapped(mode, `${to}.mode`)
  const bond: Record<string, Json> = { mode: name }
  const milliseconds = numberAt(miimon)
  if (miimon !== undefined && (milliseconds === undefined || milliseconds.value > 10_000)) fields.refused(miimon, 'it is a number of milliseconds up to 10000')
  else if (milliseconds !== undefined) {
    bond['miimon'] = milliseconds.value
    fields.mapped(milliseconds.place, `${to}.miimon`)
  }
  if (hash !== undefined && !HASHES.has(textAt(hash) ?? '')) fields.refused(hash, `it is one of ${[...HASHES].join(', ')}`)
  else if (hash !== undefined) {
    bond['hash'] = textAt(hash) ?? ''
    fields.mapped(hash, `${to}.hash`)
  }
  return { bond }
}

function orderOf(entry: Place, fields: Fields): readonly Order[] {
  const [pattern, serial] = [at(entry, 'pattern'), at(entry, 'serial_number')]
  const buses = itemsOf(at(entry, 'bus_order'))
  const last = buses.map((bus) => (textAt(bus) ?? '').split('/').at(-1)?.toLowerCase() ?? '')
  if (pattern === undefined && serial === undefined) fields.refused(entry, 'it does not say which machines it is for')
  else if (last.length === 0 || last.some((bus) => !/^[0-9a-f]{4}:[0-9a-f]{2}:[0-9a-f]{2}\.[0-7]$/.test(bus))) fields.refused(entry, 'each line of a bus order has to end with a whole PCI address, its function too: a slot may have several ports')
  else {
    const conditions = [...(pattern === undefined ? [] : [`machine.dmi.product.matches(${JSON.stringify(textAt(pattern) ?? '')})`]), ...(serial === undefined ? [] : [`machine.dmi.serial == ${JSON.stringify(textAt(serial) ?? '')}`])]
    for (const place of [pattern, serial, ...buses]) if (place !== undefined) fields.mapped(place, 'conduits', 'for machines of this make')
    return [{ place: entry, when: conditions.join(' && '), buses: last }]
  }
  return []
}

/** A mode, several with `|` between them, in parentheses or not. */
function isMode(pattern: string, mode: string): boolean {
  return pattern.replaceAll(/[\^$()]/g, '').split('|').includes(mode)
}

function isAny(pattern: string): boolean {
  return pattern === '' || pattern === '.*' || pattern === '.+' || pattern === '^.*$'
}
