import { canonical } from '../../schemas/canonical.ts'
import type { Expression } from '../../schemas/cel/ast.ts'
import { compile, evaluate } from '../../schemas/cel/evaluate.ts'
import { implies } from '../../schemas/cel/implies.ts'
import { parse } from '../../schemas/cel/parse.ts'
import { unknown } from '../../schemas/cel/value.ts'
import type { Report } from '../../schemas/diagnostic.ts'
import type { RuleDocument } from '../../schemas/documents/rule.ts'
import { MACHINE_ENVIRONMENT } from '../../schemas/expression.ts'
import type { Json } from '../../schemas/shape.ts'
import { warning } from '../diagnostics/diagnostic.ts'
import { rangeOf } from '../parse/document.ts'
import type { Pointer } from '../parse/document.ts'
import type { Located, Site } from '../validate/site.ts'
import type { BoundMachine } from './bound-site.ts'
import { evaluateLabel } from './label.ts'
import { orderOf, ruleBindings, rulesInOrder } from './machines.ts'
import { oncePerPlace } from './once-per-place.ts'

interface Rule extends Located<RuleDocument> {
  readonly ast: Expression
  /** What the condition is whatever the machine; null: that depends. */
  readonly always: boolean | null
  /** Every field that it sets, but for tags, which add up. */
  readonly fields: ReadonlyMap<string, Setting>
}

interface Setting {
  readonly pointer: Pointer
  readonly value: Json
}

/**
 * Finds rules that can never do anything, and rules of one order that disagree about a machine which was seen. What
 * cannot be shown from the form of the conditions is left alone, so every warning is true.
 */
export function checkRules(site: Site, machines: ReadonlyMap<string, BoundMachine>, sink: Report): void {
  const report = oncePerPlace(sink)
  const rules = rulesInOrder(site).flatMap(readRule)
  for (const [i, rule] of rules.entries()) checkReach(rule, rules.slice(0, i), report)
  const fields = new Map(rules.map((rule) => [rule.value, rule.fields]))
  for (const machine of machines.values()) checkAgreement(machine, { fields, report })
}

function readRule(rule: Located<RuleDocument>): readonly Rule[] {
  const { program } = compile(rule.value.when, MACHINE_ENVIRONMENT)
  const { ast } = parse(rule.value.when)
  if (program === undefined || ast === undefined) return []
  const result = evaluate(program, { machine: unknown('machine'), node: unknown('node') })
  const always = result.kind === 'value' && typeof result.value === 'boolean' ? result.value : null
  return [{ ...rule, ast, always, fields: fieldsOf(rule.value) }]
}

/** Every field that a rule sets, but for tags: `os`, `hardware`, `label NAME`, `attribute PATH` to each leaf. */
export function fieldsOf({ set }: RuleDocument): ReadonlyMap<string, Setting> {
  const fields = new Map<string, Setting>()
  for (const field of ['os', 'hardware'] as const) if (set[field] !== undefined) fields.set(field, { pointer: ['set', field], value: set[field] })
  for (const [name, value] of Object.entries(set.labels ?? {})) fields.set(`label ${name}`, { pointer: ['set', 'labels', name], value })
  const walk = (value: Json, path: readonly string[]): void => {
    if (value !== null && typeof value === 'object' && !Array.isArray(value)) {
      for (const [key, inner] of Object.entries(value)) walk(inner, [...path, key])
    } else fields.set(`attribute ${path.join('.')}`, { pointer: ['set', 'attributes', ...path], value })
  }
  for (const [key, value] of Object.entries(set.attributes ?? {})) walk(value, [key])
  return fields
}

function checkReach(rule: Rule, stronger: readonly Rule[], report: Report): void {
  const { name, set } = rule.value
  const say = (range: Parameters<typeof warning>[1], summary: string, more: Parameters<typeof warning>[3]): void => report(warning('RULE_UNREACHABLE', range, summary, more))
  if (rule.always === false) return say(rangeOf(rule.source, ['when']), `The rule ${name} is never met: its condition is false for every machine.`, { fix: 'Correct the condition, or take the rule away.' })
  const tags = set.tags ?? []
  if (rule.fields.size + tags.length === 0) return say(rangeOf(rule.source, ['set'], 'key'), `The rule ${name} sets nothing.`, { fix: 'Take it away.' })
  const before = stronger.filter((other) => other.always !== false && (other.always === true || implies(rule.ast, other.ast)))
  const winners = new Set<Rule>()
  // How attributes of two rules come together is a matter of their operators and of what stands around them.
  for (const [field, setting] of rule.fields) {
    const winner = field.startsWith('attribute ') ? undefined : before.find((other) => settles(other.fields.get(field), setting))
    if (winner === undefined) return
    winners.add(winner)
  }
  for (const tag of tags) {
    const winner = before.find((other) => other.value.set.tags?.includes(tag))
    if (winner === undefined) return
    winners.add(winner)
  }
  const related = [...winners].map((other) => ({ message: `${other.value.name} is met whenever ${name} is`, range: rangeOf(other.source, ['when']) }))
  say(rangeOf(rule.source, ['name']), `The rule ${name} never changes anything: all that it sets is always set by stronger rules.`, { related, fix: 'Give it a lower `order`, narrow the conditions of the others, or take it away.' })
}

/** Whether a stronger rule's word on a field leaves nothing for a weaker one: a label that cannot be made does. */
function settles(strong: Setting | undefined, weak: Setting): boolean {
  return strong !== undefined && (typeof strong.value !== 'string' || !strong.value.includes('${') || strong.value === weak.value)
}

function checkAgreement(machine: BoundMachine, { fields, report }: { readonly fields: ReadonlyMap<RuleDocument, Rule['fields']>; readonly report: Report }): void {
  const { rules } = machine.outcome
  const settings = new Map<string, { readonly rule: Located<RuleDocument>; readonly setting: Setting }[]>()
  for (const rule of rules) {
    for (const [field, setting] of fields.get(rule.value) ?? []) {
      const list = settings.get(field)
      if (list === undefined) settings.set(field, [{ rule, setting }])
      else list.push({ rule, setting })
    }
  }
  for (const [field, setters] of settings) {
    if (setters.length < 2 || field.includes('$')) continue
    const valued = setters.flatMap((each) => {
      const value = valueFor(machine, field, each)
      return value === undefined ? [] : [{ ...each, value }]
    })
    const [winner, ...others] = valued
    const loser = others.find(({ rule, value }) => winner !== undefined && orderOf(rule) === orderOf(winner.rule) && value !== winner.value)
    if (winner === undefined || loser === undefined) continue
    const { name } = winner.rule.value
    report(warning('RULE_CONFLICT', rangeOf(loser.rule.source, loser.setting.pointer), `${name} and ${loser.rule.value.name} both set ${field} for machine ${machine.id}, differently; ${name} wins only by its name.`, { related: [{ message: `${name} sets it here`, range: rangeOf(winner.rule.source, winner.setting.pointer) }], fix: 'Give one of them another `order`, or make their conditions exclude each other.' }))
  }
}

/** What a rule gives a machine; undefined: a label that cannot be made for it. */
function valueFor(machine: BoundMachine, field: string, { rule, setting }: { readonly rule: Located<RuleDocument>; readonly setting: Setting }): string | undefined {
  if (!field.startsWith('label ') || typeof setting.value !== 'string') return canonical(setting.value)
  if (!setting.value.includes('${')) return setting.value
  return evaluateLabel({ text: setting.value, rule, name: field.slice('label '.length), bindings: ruleBindings(machine, machine.pinnedBy), subject: '' }, () => {})
}
