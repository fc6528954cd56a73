import { byCodePoint } from '../../schemas/canonical.ts'
import { unknown } from '../../schemas/cel/value.ts'
import type { CelValue } from '../../schemas/cel/value.ts'
import type { Report } from '../../schemas/diagnostic.ts'
import type { Lock } from '../../schemas/lock.ts'
import { own } from '../../schemas/own.ts'
import { error, warning } from '../diagnostics/diagnostic.ts'
import { rangeOf } from '../parse/document.ts'
import type { ResolvedSite } from '../resolve/resolved-site.ts'
import { rangeOfField } from '../validate/site.ts'
import type { SiteNode } from '../validate/site.ts'
import type { BoundMachine, BoundNode } from './bound-site.ts'
import { oncePerPlace } from './once-per-place.ts'
import { describeSelector } from './selector.ts'

const CARRIED_OUT: ReadonlySet<string> = new Set(['image', 'joined'])

export interface BoundNodes {
  readonly nodes: ReadonlyMap<string, BoundNode>
  /** The new lock's lines. Those of nodes that are gone stay: an index is never given to another node. */
  readonly lock: Lock['nodes']
}

/** Gives every node its machine, operating system, hardware, tags and labels. */
export function bindNodes(resolved: ResolvedSite, given: { readonly machines: ReadonlyMap<string, BoundMachine>; readonly claims: ReadonlyMap<string, string> }, sink: Report): BoundNodes {
  const report = oncePerPlace(sink)
  const old = resolved.site.lock?.value.nodes ?? {}
  const lock: Record<string, Lock['nodes'][string]> = { ...old }
  let next = Object.values(old).reduce((highest, { index }) => Math.max(highest, index + 1), 0)
  const nodes = new Map<string, BoundNode>()
  for (const site of [...resolved.site.nodes.values()].toSorted((a, b) => byCodePoint(a.name, b.name))) {
    const kept = own(old, site.name)
    refuseGone({ resolved, site, kept }, report)
    const index = kept?.index ?? next++
    const machine = given.machines.get(given.claims.get(site.name) ?? '') ?? null
    const node = bindNode({ resolved, site, machine, index, kept })
    nodes.set(site.name, node)
    lock[site.name] = {
      index,
      ...(site.value.os === undefined && node.os !== null ? { os: node.os.value.name } : {}),
      ...(site.value.hardware === undefined && node.hardware !== null ? { hardware: node.hardware.value.name } : {}),
      ...(kept?.generation === undefined ? {} : { generation: kept.generation }),
      ...(kept?.was === undefined ? {} : { was: kept.was }),
    }
    if (node.os !== null && !CARRIED_OUT.has(node.os.value.install)) {
      const { value, source } = node.os
      report(warning('UNSUPPORTED', rangeOf(source, ['install']), `${value.name} is installed by ${value.install}, which no agent of this version carries out: a run with ${site.name} is refused.`, { related: [{ message: `${site.name} gets it`, range: rangeOfField(site, ['os']) }], fix: 'Take an operating system with `install: image` or `install: joined`.' }))
    }
    for (const field of ['os', 'hardware'] as const) {
      const chosen = machine?.outcome[field]
      if (kept?.[field] === undefined || chosen === null || chosen === undefined || site.value[field] !== undefined || kept[field] === chosen.value) continue
      report(warning('RULE_STALE', rangeOf(chosen.rule.source, ['set', field]), `${site.name} keeps ${kept[field]}, which a rule chose for it before, and not ${chosen.value}.`, { fix: `\`crowbar lock --rebind ${site.name}:${field}\` takes what the rules say now, which installs the node anew; or write \`${field}\` into the node.` }))
    }
    const undecided = site.value.os === undefined && kept?.os === undefined
    if (!node.admin && machine !== null && node.os === null && undecided) {
      report(error('OS_UNDECIDED', site.at, `Nothing says which operating system ${site.name} gets.`, { fix: 'Add `os` to the node, or a rule that sets it.' }))
    }
  }
  return { nodes, lock }
}

/** What a rule chose and no document is any more: without it the node would be laid out in another way, and nobody asked for that. */
function refuseGone({ resolved, site, kept }: Pick<NodeParts, 'resolved' | 'site' | 'kept'>, report: Report): void {
  const known = { os: resolved.systems, hardware: resolved.site.hardware }
  const source = resolved.site.lock?.source
  for (const field of ['os', 'hardware'] as const) {
    const name = site.value[field] === undefined ? kept?.[field] : undefined
    if (name === undefined || known[field].has(name)) continue
    report(error('REFERENCE_UNKNOWN', source === undefined ? site.at : rangeOf(source, ['nodes', site.name, field]), `There is no ${field} ${name}, which the lock keeps for ${site.name}.`, { related: [{ message: 'the node', range: site.at }], fix: `Put the document back, under that name; or take what the rules say now: \`crowbar lock --rebind ${site.name}:${field}\`.` }))
  }
}

interface NodeParts {
  readonly resolved: ResolvedSite
  readonly site: SiteNode
  readonly machine: BoundMachine | null
  readonly index: number
  readonly kept: Lock['nodes'][string] | undefined
}

function bindNode({ resolved, site, machine, index, kept }: NodeParts): BoundNode {
  const { value } = site
  const outcome = machine?.outcome
  const os = value.os ?? kept?.os ?? outcome?.os?.value
  const hardware = value.hardware ?? kept?.hardware ?? outcome?.hardware?.value
  return {
    name: site.name,
    index,
    site,
    admin: value.admin ?? false,
    machine,
    selector: value.admin === true ? 'an admin node has its machine already' : describeSelector(value.machine),
    os: os === undefined ? null : (resolved.systems.get(os) ?? null),
    hardware: hardware === undefined ? null : (resolved.site.hardware.get(hardware) ?? null),
    tags: [...new Set([...(value.tags ?? []), ...(outcome?.tags ?? [])])].toSorted(byCodePoint),
    labels: { ...outcome?.labels, ...value.labels },
    rules: outcome?.rules ?? [],
    generation: kept?.generation ?? 0,
    protect: value.protect ?? false,
  }
}

/** A node as conditions see it. */
export function nodeValue(node: BoundNode) {
  return { name: node.name, tags: node.tags, labels: node.labels, os: node.os?.value.name ?? '', admin: node.admin }
}

/** A node as `where` of deployments and operations sees it: facts of a machine that has not been seen are unknown. */
export function conditionBindings(node: BoundNode): Readonly<Record<string, CelValue>> {
  const facts = node.machine === null ? unknown('facts') : (node.machine.facts as unknown as CelValue)
  return { node: { ...nodeValue(node), facts } as CelValue }
}

/** The place that a node's machine is asked for at, or its name. */
export function placeOfSelector(node: BoundNode) {
  return rangeOfField(node.site, ['machine'])
}
