import { byCodePoint } from '../../schemas/canonical.ts'
import type { Range, Report } from '../../schemas/diagnostic.ts'
import { MACHINE_ENVIRONMENT } from '../../schemas/expression.ts'
import { own } from '../../schemas/own.ts'
import type { Missing } from '../../schemas/plan.ts'
import { error, warning } from '../diagnostics/diagnostic.ts'
import { rangeOf } from '../parse/document.ts'
import type { SourceDocument } from '../parse/document.ts'
import { foldNames } from '../print/fold-names.ts'
import type { ResolvedSite } from '../resolve/resolved-site.ts'
import { layerOfField, rangeOfField } from '../validate/site.ts'
import type { NodeLayer, SiteNode } from '../validate/site.ts'
import type { BoundMachine } from './bound-site.ts'
import { compileCondition } from './condition.ts'
import type { Condition } from './condition.ts'
import { machineValue } from './machines.ts'
import { oncePerPlace } from './once-per-place.ts'
import { MachineIndex } from './pin-index.ts'
import type { Rebind } from './rebind.ts'
import { describeSelector, isBounded, isPinned, matchesPin, PIN_FIELDS } from './selector.ts'

export interface Claims {
  /** Node → machine id. */
  readonly claims: ReadonlyMap<string, string>
  readonly missing: readonly Missing[]
}

export interface ClaimQuestion {
  readonly resolved: ResolvedSite
  readonly machines: ReadonlyMap<string, BoundMachine>
  readonly rebind: Rebind
}

/**
 * Decides which machine each node has.
 *
 * Pins first, then what the lock keeps, then nodes by name, each the free machine with the lowest id that matches. What
 * the lock keeps is let go only when its machine is retired, when a pin names another machine that has been seen, or when
 * the node is to be rebound and could not claim that machine today.
 */
export function claimMachines({ resolved, machines, rebind }: ClaimQuestion, report: Report): Claims {
  const nodes = [...resolved.site.nodes.values()].filter((node) => node.value.admin !== true)
  const conflicting = checkSelectors(nodes, report)
  const matcher = selectorMatcher(report)
  const taken = new Map<string, SiteNode>()
  const claims = new Map<string, string>()
  const locked = resolved.site.lock?.value.claims ?? {}
  const claim = (node: SiteNode, id: string): void => {
    const other = taken.get(id)
    if (other !== undefined) {
      report(ambiguous(id, [other, node]))
      return
    }
    taken.set(id, node)
    claims.set(node.name, id)
  }

  const index = new MachineIndex([...machines.values()].filter((machine) => machine.state !== 'retired'))
  const gone = new MachineIndex([...machines.values()].filter((machine) => machine.state === 'retired'))
  for (const node of nodes.filter((node) => isPinned(node.value.machine) && !conflicting.has(node))) {
    const found = pinnedMachine({ node, machines: index, locked: own(locked, node.name), report })
    if (found !== undefined) claim(node, found)
    else for (const machine of gone.find(node.value.machine ?? {})) report(retired(node, machine, `${node.name} is pinned to machine ${machine.id}, which is retired, so it has none.`))
  }
  for (const node of nodes) {
    const id = own(locked, node.name)
    if (id === undefined || claims.has(node.name)) continue
    const machine = machines.get(id)
    if (machine?.state === 'retired') {
      if (!isPinned(node.value.machine)) report(retired(node, machine, `${node.name} lets machine ${id} go, which is retired, and claims another one.`))
      continue
    }
    const fits = machine !== undefined && matcher(node, machine)
    if (!fits && rebind.machine.has(node.name)) continue
    claim(node, id)
    if (machine !== undefined && !fits) {
      report(warning('CLAIM_STALE', rangeOfField(node, ['machine']), `${node.name} keeps machine ${id}, although it is not ${describeSelector(node.value.machine)}.`, { fix: `\`crowbar lock --rebind ${node.name}:machine\` lets it go, if that is meant.` }))
    }
  }
  claimFree({ nodes: nodes.filter((node) => !claims.has(node.name) && !isPinned(node.value.machine) && isBounded(node.value.machine)), machines, taken, matcher, claim, report })
  return { claims, missing: nodes.flatMap((node) => missingMachine(node, claims.get(node.name), { machines, gone, matcher })) }
}

interface MissingQuestion extends Pick<FreeClaims, 'machines' | 'matcher'> {
  readonly gone: MachineIndex<BoundMachine>
}

function missingMachine(node: SiteNode, id: string | undefined, { machines, gone, matcher }: MissingQuestion): readonly Missing[] {
  const machine = id === undefined ? undefined : machines.get(id)
  // Whoever pins a node to another machine waits for that one, which has not come yet.
  const awaited = machine !== undefined && isPinned(node.value.machine) && !matcher(node, machine)
  if (machine !== undefined && !awaited) return []
  const entry = { what: 'machine', for: `node/${node.name}` }
  if (awaited) return [{ ...entry, because: `no machine with ${describeSelector(node.value.machine)} has been seen, and until one is it keeps ${id}` }]
  if (id !== undefined) return [{ ...entry, because: `machine ${id}, which it has claimed, is not in the inventory` }]
  const [dead] = gone.find(node.value.machine ?? {})
  if (dead !== undefined) return [{ ...entry, because: `machine ${dead.id}, which it is pinned to, is retired` }]
  const because = isPinned(node.value.machine) ? `no machine with ${describeSelector(node.value.machine)} has been seen` : `no free machine that it may claim has been seen (${describeSelector(node.value.machine)})`
  return [{ ...entry, because }]
}

interface PinQuestion {
  readonly node: SiteNode
  readonly machines: MachineIndex<BoundMachine>
  readonly locked: string | undefined
  readonly report: Report
}

function pinnedMachine({ node, machines, locked, report }: PinQuestion): string | undefined {
  const matches = machines.find(node.value.machine ?? {})
  if (matches.length <= 1) return matches[0]?.id
  const kept = matches.find((machine) => machine.id === locked)
  if (kept !== undefined) return kept.id
  report(error('CLAIM_AMBIGUOUS', rangeOfField(node, ['machine']), `${matches.length} machines are ${describeSelector(node.value.machine)}: ${foldNames(matches.map((machine) => machine.id))}.`, { fix: 'Pin the node by something that only one of them has.' }))
  return undefined
}

interface FreeClaims {
  readonly nodes: readonly SiteNode[]
  readonly machines: ReadonlyMap<string, BoundMachine>
  readonly taken: ReadonlyMap<string, SiteNode>
  readonly matcher: (node: SiteNode, machine: BoundMachine) => boolean
  readonly claim: (node: SiteNode, id: string) => void
  readonly report: Report
}

/** Nodes of one document are alike, so the lowest name takes the lowest id; nodes of two must not want the same machine. */
function claimFree({ nodes, machines, taken, matcher, claim, report }: FreeClaims): void {
  const byDocument = new Map<SourceDocument, SiteNode[]>()
  for (const node of nodes) {
    const { source } = layerOfField(node, ['machine']) as NodeLayer
    byDocument.set(source, [...(byDocument.get(source) ?? []), node].toSorted((a, b) => byCodePoint(a.name, b.name)))
  }
  for (const machine of [...machines.values()].toSorted((a, b) => byCodePoint(a.id, b.id))) {
    if (taken.has(machine.id) || machine.state !== 'available') continue
    const able = [...byDocument.values()].filter((group) => group.length > 0 && matcher(group[0] as SiteNode, machine))
    if (able.length > 1) {
      report(ambiguous(machine.id, able.map((group) => group[0] as SiteNode)))
      continue
    }
    const node = able[0]?.shift()
    if (node !== undefined) claim(node, machine.id)
  }
}

function selectorMatcher(report: Report): (node: SiteNode, machine: BoundMachine) => boolean {
  const conditions = new Map<SourceDocument, Condition>()
  return (node, machine) => {
    const selector = node.value.machine ?? {}
    if (!matchesPin(selector, machine.facts)) return false
    const tags = new Set([...machine.declaredTags, ...machine.outcome.tags])
    if (!(selector.tags ?? []).every((tag) => tags.has(tag))) return false
    if (selector.where === undefined) return true
    const { source } = layerOfField(node, ['machine']) as NodeLayer
    let condition = conditions.get(source)
    if (condition === undefined) {
      condition = compileCondition({ text: selector.where, document: source, pointer: ['machine', 'where'], environment: MACHINE_ENVIRONMENT }, report)
      conditions.set(source, condition)
    }
    return condition({ machine: machineValue({ ...machine, declaredTags: [...tags] }), node: null }, `machine ${machine.id}`) === true
  }
}

/** @returns nodes whose pin another node has as well. */
function checkSelectors(nodes: readonly SiteNode[], sink: Report): ReadonlySet<SiteNode> {
  const report = oncePerPlace(sink)
  const pins = new Map<string, SiteNode>()
  const checked = new Set<SourceDocument>()
  const conflicting = new Set<SiteNode>()
  for (const node of nodes) {
    if (!isBounded(node.value.machine)) {
      report(error('CLAIM_UNBOUNDED', rangeOfField(node, ['machine']), `${node.name} does not say which machine it may claim.`, { fix: 'Add `machine` with a serial, mac, uuid or asset, or with `tags` or `where`.' }))
      continue
    }
    const layer = layerOfField(node, ['machine'])
    if (node.value.machine?.where !== undefined && layer !== undefined && !checked.has(layer.source)) {
      checked.add(layer.source)
      compileCondition({ text: node.value.machine.where, document: layer.source, pointer: ['machine', 'where'], environment: MACHINE_ENVIRONMENT }, report)
    }
    for (const field of PIN_FIELDS) {
      const value = node.value.machine?.[field]
      if (value === undefined) continue
      const key = `${field} ${field === 'mac' || field === 'uuid' ? value.toLowerCase() : value}`
      const other = pins.get(key)
      if (other === undefined) {
        pins.set(key, node)
        continue
      }
      conflicting.add(node)
      report(error('MAC_CONFLICT', rangeOfField(node, ['machine', field]), `${other.name} and ${node.name} are both pinned to ${key}.`, { related: [{ message: `${other.name} is pinned here`, range: rangeOfField(other, ['machine', field]) }], fix: 'Give each node a machine of its own.' }))
    }
  }
  return conflicting
}

function retired(node: SiteNode, { stateBy }: BoundMachine, summary: string) {
  const related = stateBy === null ? [] : [{ message: 'it is retired here', range: rangeOf(stateBy.source, ['state']) }]
  return warning('MACHINE_RETIRED', rangeOfField(node, ['machine']), summary, { related, fix: `\`crowbar replace ${node.name}\` names another machine; or take the word \`retired\` away.` })
}

function ambiguous(id: string, nodes: readonly SiteNode[]) {
  const places = nodes.map((node): { message: string; range: Range } => ({ message: `${node.name} may claim it: ${describeSelector(node.value.machine)}`, range: rangeOfField(node, ['machine']) }))
  return error('CLAIM_AMBIGUOUS', places.at(-1)?.range, `${foldNames(nodes.map((node) => node.name))} can all claim machine ${id}.`, { related: places.slice(0, -1), fix: 'Make the conditions exclude each other, or pin one of the nodes.' })
}
