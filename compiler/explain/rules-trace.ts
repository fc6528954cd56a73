import { byCodePoint, canonical } from '../../schemas/canonical.ts'
import { explainCondition } from '../../schemas/cel/explain.ts'
import type { Reason } from '../../schemas/cel/explain.ts'
import { suggest } from '../../schemas/cel/suggest.ts'
import { MACHINE_ENVIRONMENT } from '../../schemas/expression.ts'
import { own } from '../../schemas/own.ts'
import type { BoundMachine, BoundSite } from '../bind/bound-site.ts'
import { fieldsOf } from '../bind/check-rules.ts'
import { evaluateLabel } from '../bind/label.ts'
import { machineValue, orderOf, ruleBindings, rulesInOrder } from '../bind/machines.ts'
import { describeSelector, isBounded, isPinned, matchesPin, PIN_FIELDS } from '../bind/selector.ts'
import { placeOf, rangeInside, rangeOf } from '../parse/document.ts'
import { layerOfField, rangeOfField } from '../validate/site.ts'
import type { SiteNode } from '../validate/site.ts'

/** A part of a condition that decided, with its place in the site. */
export interface TracedReason extends Reason {
  /** file:line:column. */
  readonly at: string
}

/** A field that a rule sets; `lostTo`: the stronger rule that set it before. */
export interface TracedField {
  readonly field: string
  readonly value: string
  readonly lostTo: string | null
}

export interface TracedRule {
  readonly rule: string
  readonly order: number
  /** file:line:column of its condition. */
  readonly at: string
  readonly result: Reason['result']
  readonly reasons: readonly TracedReason[]
  /** Empty unless it is met. */
  readonly sets: readonly TracedField[]
}

/** Whether a node could claim a machine, by what its `machine` says; nodes that say it alike are one. */
export interface TracedClaim {
  readonly nodes: readonly string[]
  readonly selector: string
  /** file:line:column. */
  readonly at: string
  readonly could: boolean
  /** In words: what of the pin or of the tags does not fit. */
  readonly misses: readonly string[]
  /** Of `where`. */
  readonly reasons: readonly TracedReason[]
}

/** What becomes of a field of the node that has the machine, and who decided. */
export interface TracedOutcome {
  readonly field: 'os' | 'hardware'
  readonly value: string | null
  readonly by: string
}

export interface MachineTrace {
  readonly machine: string
  readonly state: BoundMachine['state']
  readonly serial: string
  /** The node that has it. */
  readonly node: string | null
  readonly rules: readonly TracedRule[]
  readonly outcome: readonly TracedOutcome[]
  readonly claims: readonly TracedClaim[]
}

/** A node without a machine, against every machine that was seen. */
export interface NodeTrace {
  readonly node: string
  readonly selector: string
  readonly at: string
  readonly machines: readonly (Pick<TracedClaim, 'could' | 'misses' | 'reasons'> & { readonly machine: string; readonly state: BoundMachine['state']; readonly node: string | null })[]
}

export type RulesTrace = MachineTrace | NodeTrace | { readonly problem: string; readonly near: string | undefined }

/**
 * Says of each rule whether it is met for a machine, which part of its condition decided, what it sets and what it
 * lost; and of each node whether it could claim the machine.
 *
 * @param name the id, serial, MAC, UUID or asset tag of a machine, or the name of a node: then of the machine that it
 * has. Of a node that has none, whether it could claim each machine.
 */
export function traceRules(bound: BoundSite, name: string): RulesTrace {
  const holders = new Map(Object.entries(bound.lock.claims).map(([node, id]) => [id, node]))
  const node = bound.resolved.site.nodes.get(name)
  const claimed = node === undefined ? undefined : own(bound.lock.claims, name)
  const machine = claimed === undefined ? (node === undefined ? findMachine(bound, name) : undefined) : bound.machines.get(claimed)
  if (machine !== undefined) return traceMachine(machine, bound, holders)
  if (node === undefined) {
    const known = [...bound.machines.values()].flatMap(({ id, facts }) => [id, facts.dmi.serial]).concat([...bound.nodes.keys()])
    return { problem: `there is no machine and no node ${name}`, near: suggest(name, known) }
  }
  if (node.value.admin === true) return { problem: `${name} is an admin node, which claims no machine`, near: undefined }
  const machines = [...bound.machines.values()].toSorted((a, b) => byCodePoint(a.id, b.id))
  return {
    node: name,
    selector: describeSelector(node.value.machine),
    at: placeOf(rangeOfField(node, ['machine'])),
    machines: machines.map((each) => ({ machine: each.id, state: each.state, node: holders.get(each.id) ?? null, ...judgeClaim(node, each) })),
  }
}

function findMachine({ machines }: BoundSite, name: string): BoundMachine | undefined {
  return machines.get(name) ?? [...machines.values()].find(({ facts }) => PIN_FIELDS.some((field) => matchesPin({ [field]: name }, facts)))
}

function traceMachine(machine: BoundMachine, bound: BoundSite, holders: ReadonlyMap<string, string>): MachineTrace {
  const { site } = bound.resolved
  const bindings = ruleBindings(machine, machine.pinnedBy)
  const winners = new Map<string, string>()
  const rules = rulesInOrder(site).map((rule): TracedRule => {
    const { value, source } = rule
    const explained = explainCondition(value.when, MACHINE_ENVIRONMENT, bindings)
    const sets: TracedField[] = []
    if (explained?.result === true) {
      for (const [field, setting] of fieldsOf(value)) {
        const label = field.startsWith('label ') ? evaluateLabel({ text: setting.value as string, rule, name: field.slice('label '.length), bindings, subject: '' }, () => {}) : undefined
        if (field.startsWith('label ') && label === undefined) continue
        const winner = winners.get(field)
        sets.push({ field, value: label ?? (typeof setting.value === 'string' ? setting.value : canonical(setting.value)), lostTo: winner ?? null })
        if (winner === undefined) winners.set(field, value.name)
      }
      for (const tag of value.set.tags ?? []) sets.push({ field: 'tag', value: tag, lostTo: null })
    }
    const reasons = (explained?.reasons ?? []).map((reason) => ({ ...reason, at: placeOf(rangeInside(source, ['when'], reason.offset, reason.offset + reason.length)) }))
    return { rule: value.name, order: orderOf(rule), at: placeOf(rangeOf(source, ['when'])), result: explained?.result ?? 'error', reasons, sets }
  })
  const node = holders.get(machine.id) ?? null
  return { machine: machine.id, state: machine.state, serial: machine.facts.dmi.serial, node, rules, outcome: node === null ? [] : outcomeOf(node, bound), claims: claimsOf(machine, bound) }
}

function outcomeOf(name: string, { nodes, resolved }: BoundSite): readonly TracedOutcome[] {
  const node = nodes.get(name)
  if (node === undefined) return []
  return (['os', 'hardware'] as const).map((field) => {
    const value = node[field]?.value.name ?? null
    const layer = layerOfField(node.site, [field])
    const chosen = node.machine?.outcome[field]
    if (layer !== undefined) return { field, value, by: `its document, ${placeOf(rangeOfField(node.site, [field]))}` }
    const kept = own(resolved.site.lock?.value.nodes, name)?.[field]
    if (kept !== undefined && kept !== chosen?.value) return { field, value, by: 'the lock, which keeps what a rule chose before' }
    return { field, value, by: chosen === null || chosen === undefined ? 'nothing' : `the rule ${chosen.rule.value.name}` }
  })
}

/** Pinned nodes that mean other machines are no news and left out. */
function claimsOf(machine: BoundMachine, { resolved }: BoundSite): readonly TracedClaim[] {
  const groups = new Map<string, { readonly node: SiteNode; readonly names: string[] }>()
  for (const node of resolved.site.nodes.values()) {
    const selector = node.value.machine
    if (node.value.admin === true || selector === undefined || !isBounded(selector) || (isPinned(selector) && !matchesPin(selector, machine.facts))) continue
    const key = `${placeOf(rangeOfField(node, ['machine']))} ${describeSelector(selector)}`
    const group = groups.get(key)
    if (group === undefined) groups.set(key, { node, names: [node.name] })
    else group.names.push(node.name)
  }
  return [...groups.values()].map(({ node, names }) => ({ nodes: names, selector: describeSelector(node.value.machine), at: placeOf(rangeOfField(node, ['machine'])), ...judgeClaim(node, machine) }))
}

function judgeClaim(node: SiteNode, machine: BoundMachine): Pick<TracedClaim, 'could' | 'misses' | 'reasons'> {
  const selector = node.value.machine ?? {}
  const tags = new Set([...machine.declaredTags, ...machine.outcome.tags])
  const misses = [
    ...PIN_FIELDS.filter((field) => selector[field] !== undefined && !matchesPin({ [field]: selector[field] }, machine.facts)).map((field) => `its ${field} is not ${selector[field]}`),
    ...(selector.tags ?? []).filter((tag) => !tags.has(tag)).map((tag) => `it has no tag ${tag}`),
    ...(machine.state === 'available' ? [] : [`it is ${machine.state}`]),
  ]
  const source = layerOfField(node, ['machine'])?.source
  if (selector.where === undefined || source === undefined) return { could: misses.length === 0, misses, reasons: [] }
  const explained = explainCondition(selector.where, MACHINE_ENVIRONMENT, { machine: machineValue({ ...machine, declaredTags: [...tags] }), node: null })
  const reasons = (explained?.reasons ?? []).map((reason) => ({ ...reason, at: placeOf(rangeInside(source, ['machine', 'where'], reason.offset, reason.offset + reason.length)) }))
  return { could: misses.length === 0 && explained?.result === true, misses, reasons }
}
