import type { Report } from '../../schemas/diagnostic.ts'
import type { ConduitDocument } from '../../schemas/documents/network.ts'
import { MACHINE_ENVIRONMENT } from '../../schemas/expression.ts'
import type { NicFact } from '../../schemas/inventory.ts'
import { byCodePoint } from '../../schemas/canonical.ts'
import type { Json } from '../../schemas/shape.ts'
import { compileCondition } from '../bind/condition.ts'
import type { Condition } from '../bind/condition.ts'
import type { BoundMachine, BoundNode } from '../bind/bound-site.ts'
import { machineValue } from '../bind/machines.ts'
import { error } from '../diagnostics/diagnostic.ts'
import { rangeOf } from '../parse/document.ts'
import type { ResolvedNetwork } from '../resolve/resolved-site.ts'
import type { Located, Site } from '../validate/site.ts'

export interface Ports {
  /** MACs; empty as long as the machine is not known. */
  readonly ports: readonly string[]
  readonly bond: Json
}

type PortSelector = ConduitDocument['ports'][number]['use'][number]

/** Finds the ports of machines that networks are on. */
export class PortFinder {
  readonly #site: Site
  readonly #report: Report
  readonly #conditions = new Map<ConduitDocument, readonly (Condition | null)[]>()

  constructor(site: Site, report: Report) {
    this.#site = site
    this.#report = report
    for (const conduit of site.conduits.values()) this.#conditionsOf(conduit)
  }

  find(node: BoundNode, network: ResolvedNetwork): Ports {
    const { machine } = node
    if (machine === null) return { ports: [], bond: null }
    const name = network.document.value.conduit
    if (name === undefined) return { ports: bootPort(node, machine), bond: null }
    const conduit = this.#site.conduits.get(name)
    return conduit === undefined ? { ports: [], bond: null } : this.#resolve(conduit, node, machine)
  }

  #resolve(conduit: Located<ConduitDocument>, node: BoundNode, machine: BoundMachine): Ports {
    const conditions = this.#conditionsOf(conduit)
    const bindings = { machine: machineValue(machine), node: null }
    const entry = conduit.value.ports.findIndex((_, i) => conditions[i]?.(bindings, `machine ${machine.id}`) ?? true)
    const chosen = conduit.value.ports[entry]
    if (chosen === undefined) {
      this.#report(error('PORT_MISSING', rangeOf(conduit.source, ['ports']), `The conduit ${conduit.value.name} has no entry for machine ${machine.id}, which ${node.name} has.`, { fix: 'Add an entry without `when` as the last one.' }))
      return { ports: [], bond: null }
    }
    const ports: string[] = []
    for (const [i, selector] of chosen.use.entries()) {
      const nic = selectPort(selector, machine.facts.nics)
      if (nic !== undefined && !ports.includes(nic.mac)) {
        ports.push(nic.mac)
        continue
      }
      const has = machine.facts.nics.map((nic) => `${nic.mac} (${nic.driver}${nic.speed === null ? '' : `, ${nic.speed} Mbit/s`})`).join(', ')
      const why = nic === undefined ? 'has no port that matches' : 'has that port only once'
      this.#report(error('PORT_MISSING', rangeOf(conduit.source, ['ports', entry, 'use', i]), `Machine ${machine.id}, which ${node.name} has, ${why}.`, { detail: `Its ports in bus order: ${has}.` }))
    }
    return { ports, bond: chosen.bond ?? null }
  }

  #conditionsOf(conduit: Located<ConduitDocument>): readonly (Condition | null)[] {
    const known = this.#conditions.get(conduit.value)
    if (known !== undefined) return known
    const compiled = conduit.value.ports.map(({ when }, i) => (when === undefined ? null : compileCondition({ text: when, document: conduit.source, pointer: ['ports', i, 'when'], environment: MACHINE_ENVIRONMENT }, this.#report)))
    this.#conditions.set(conduit.value, compiled)
    return compiled
  }
}

/** Without a conduit: the port that the pin names, else the first one on the bus. */
function bootPort(node: BoundNode, machine: BoundMachine): readonly string[] {
  const pinned = node.site.value.machine?.mac?.toLowerCase()
  if (pinned !== undefined && machine.facts.nics.some((nic) => nic.mac === pinned)) return [pinned]
  const first = inBusOrder(machine.facts.nics)[0]
  return first === undefined ? [] : [first.mac]
}

/** The port that a selector means: `index` counts, in bus order, those that the rest of it matches. */
export function selectPort(selector: PortSelector, nics: readonly NicFact[]): NicFact | undefined {
  return inBusOrder(nics).filter((nic) => matches(selector, nic))[selector.index ?? 0]
}

function matches(selector: PortSelector, nic: NicFact): boolean {
  if (selector.mac !== undefined && nic.mac !== selector.mac.toLowerCase()) return false
  if (selector.driver !== undefined && nic.driver !== selector.driver) return false
  if (selector.bus !== undefined && !nic.bus.startsWith(selector.bus)) return false
  if (selector.speed === undefined) return true
  const speed = /^([0-9]+)(m|g)(\+?)$/.exec(selector.speed)
  if (speed === null || nic.speed === null) return false
  const wanted = Number(speed[1]) * (speed[2] === 'g' ? 1000 : 1)
  return speed[3] === '+' ? nic.speed >= wanted : nic.speed === wanted
}

/** A port without a bus address comes after all that have one. */
function inBusOrder(nics: readonly NicFact[]): readonly NicFact[] {
  return nics.toSorted((a, b) => Number(a.bus === '') - Number(b.bus === '') || byCodePoint(a.bus, b.bus) || byCodePoint(a.mac, b.mac))
}
