import { byCodePoint } from '../../schemas/canonical.ts'
import type { CelValue } from '../../schemas/cel/value.ts'
import type { Report } from '../../schemas/diagnostic.ts'
import type { MachineDocument } from '../../schemas/documents/node.ts'
import type { RuleDocument } from '../../schemas/documents/rule.ts'
import { MACHINE_ENVIRONMENT } from '../../schemas/expression.ts'
import { warning } from '../diagnostics/diagnostic.ts'
import { rangeOf } from '../parse/document.ts'
import type { ResolvedSite } from '../resolve/resolved-site.ts'
import type { Located, Site, SiteNode } from '../validate/site.ts'
import type { BoundMachine, RuleOutcome } from './bound-site.ts'
import { compileCondition } from './condition.ts'
import type { Condition } from './condition.ts'
import { evaluateLabel } from './label.ts'
import { PinIndex } from './pin-index.ts'
import { isPinned } from './selector.ts'

/** Every machine of the inventory, by id, with what `machine` documents and rules say of it. */
export function bindMachines({ site }: ResolvedSite, report: Report): ReadonlyMap<string, BoundMachine> {
  const rules = rulesInOrder(site).map((rule) => ({ rule, when: compileCondition({ text: rule.value.when, document: rule.source, pointer: ['when'], environment: MACHINE_ENVIRONMENT }, report) }))
  const pinned = new PinIndex<SiteNode>()
  for (const node of site.nodes.values()) if (isPinned(node.value.machine)) pinned.add(node.value.machine ?? {}, node)
  const said = new PinIndex<Located<MachineDocument>>()
  for (const word of site.machines) said.add({ serial: word.value.serial, uuid: word.value.uuid, mac: word.value.mac }, word)
  const used = new Set<MachineDocument>()
  const machines = new Map<string, BoundMachine>()
  for (const [id, { value }] of site.inventory) {
    const words = said.find(value.facts)
    for (const word of words) used.add(word.value)
    const stateBy = (['retired', 'quarantined'] as const).flatMap((state) => words.find((word) => word.value.state === state) ?? [])[0] ?? null
    const state = stateBy?.value.state ?? 'available'
    const declaredTags = [...new Set(words.flatMap((word) => word.value.tags ?? []))].toSorted(byCodePoint)
    const pinnedBy = pinned.find(value.facts)[0] ?? null
    const bindings = ruleBindings({ id, facts: value.facts, declaredTags }, pinnedBy)
    machines.set(id, { id, facts: value.facts, state, stateBy, declaredTags, pinnedBy, outcome: applyRules(rules, { id, bindings, report }) })
  }
  for (const word of site.machines) {
    if (!used.has(word.value) && site.inventory.size > 0) report(warning('REFERENCE_UNKNOWN', rangeOf(word.source, []), 'No machine that has been seen is the one that this document is about.'))
  }
  return machines
}

/** The rules of a site, the strongest first: by `order`, then by name. */
export function rulesInOrder({ rules }: Pick<Site, 'rules'>): readonly Located<RuleDocument>[] {
  return [...rules.values()].toSorted((a, b) => orderOf(a) - orderOf(b) || byCodePoint(a.value.name, b.value.name))
}

export function orderOf({ value }: Located<RuleDocument>): number {
  return value.order ?? 100
}

/** What a rule's expressions read about a machine, and about the node that is pinned to it. */
export function ruleBindings(machine: Pick<BoundMachine, 'id' | 'facts' | 'declaredTags'>, pinned: SiteNode | null): { readonly [name: string]: CelValue } {
  return { machine: machineValue(machine), node: pinned === null ? null : pinnedValue(pinned) }
}

/** `machine`, as conditions see it: its facts, with its id and the tags that documents give it. */
export function machineValue({ id, facts, declaredTags }: Pick<BoundMachine, 'id' | 'facts' | 'declaredTags'>): CelValue {
  return { ...(facts as unknown as Record<string, CelValue>), id, tags: declaredTags }
}

interface RuleQuestion {
  readonly id: string
  readonly bindings: Readonly<Record<string, CelValue>>
  readonly report: Report
}

function applyRules(rules: readonly { readonly rule: Located<RuleDocument>; readonly when: Condition }[], { id, bindings, report }: RuleQuestion): RuleOutcome {
  const matching = rules.filter(({ when }) => when(bindings, `machine ${id}`) === true).map(({ rule }) => rule)
  const labels: Record<string, string> = {}
  for (const rule of matching) {
    for (const [name, text] of Object.entries(rule.value.set.labels ?? {})) {
      if (Object.hasOwn(labels, name)) continue
      const value = evaluateLabel({ text, rule, name, bindings, subject: `machine ${id}` }, report)
      if (value !== undefined) labels[name] = value
    }
  }
  const first = (field: 'os' | 'hardware') => {
    const rule = matching.find((rule) => rule.value.set[field] !== undefined)
    return rule === undefined ? null : { value: rule.value.set[field] as string, rule }
  }
  const tags = [...new Set(matching.flatMap((rule) => rule.value.set.tags ?? []))].toSorted(byCodePoint)
  return { os: first('os'), hardware: first('hardware'), tags, labels, rules: matching }
}

function pinnedValue(node: SiteNode): CelValue {
  return { name: node.name, tags: node.value.tags ?? [], labels: node.value.labels ?? {} }
}
