import type { Change, Changes, Rollout } from '../../schemas/changes.ts'
import { own } from '../../schemas/own.ts'
import type { Plan, PlanRollout } from '../../schemas/plan.ts'
import { actionOf, operationOf } from './operations.ts'

/**
 * The waves of changes: of each rollout that governs some, its nodes with work, by index, in batches.
 *
 * A node comes after one whose step its own step needs, whatever their indexes: a founder first. With `spreadBy` nodes
 * are taken from different values of the label in turn. A removal is never governed, nor is what waits for a machine.
 */
export function rolloutsOf(changes: readonly Change[], plan: Plan): readonly Rollout[] {
  if (plan.rollouts.length === 0) return []
  const governed = governedSteps(changes, plan)
  return plan.rollouts.flatMap((declared): readonly Rollout[] => {
    const mine = governed.get(declared.id)
    if (mine === undefined) return []
    const nodes = inTurn(byNeeds(byIndex(mine, declared, plan), mine), declared.spreadBy, plan)
    return [
      {
        id: declared.id,
        steps: mine.map(({ step }) => step.id),
        batches: batchesOf(nodes, declared.batches),
        maxFailures: shareOf(declared.maxFailures, nodes.length, Math.floor),
        gate: declared.gate,
        pause: declared.pause,
        at: declared.at,
      },
    ]
  })
}

/** The changes that each rollout governs; one governs each of them at most. */
function governedSteps(changes: readonly Change[], plan: Plan): ReadonlyMap<string, readonly Change[]> {
  const declared = new Set(plan.rollouts.map(({ id }) => id))
  const reinstalling = new Map<string, string>()
  for (const { step } of changes) if (operationOf(step) !== null && actionOf(step) === 'reinstall') reinstalling.set(`install@${step.node ?? ''}`, `operation/${operationOf(step) ?? ''}`)
  const governed = new Map<string, Change[]>()
  for (const change of changes) {
    const { step } = change
    if (step.node === null || step.action === 'remove' || (own(plan.nodes, step.node)?.machine ?? null) === null) continue
    const name = operationOf(step)
    // It takes the machine out of its system, as the installation does that it comes before.
    const beforeInstall = step.runsOn === 'discovery'
    const candidates = [
      name === null ? undefined : `operation/${name}`,
      reinstalling.get(beforeInstall ? `install@${step.node}` : step.id),
      step.kind === 'role' && !beforeInstall ? `rollout/${step.deployment ?? ''}/${step.role ?? ''}` : undefined,
      step.kind === 'install' || beforeInstall ? 'rollout/install' : undefined,
      step.kind === 'packages' ? 'rollout/packages' : undefined,
      step.kind !== 'install' && change.consequence === 'network' ? 'rollout/network' : undefined,
      step.kind !== 'install' && change.consequence === 'reboot' ? 'rollout/reboot' : undefined,
    ]
    const id = candidates.find((candidate) => candidate !== undefined && declared.has(candidate))
    if (id === undefined) continue
    const mine = governed.get(id)
    if (mine === undefined) governed.set(id, [change])
    else mine.push(change)
  }
  return governed
}

/** Members of a role by their index in it, other nodes by their own. */
function byIndex(changes: readonly Change[], { id }: PlanRollout, plan: Plan): readonly string[] {
  const members = own(plan.roles, id.slice('rollout/'.length))?.members
  const place = new Map(members?.map(({ node, index }) => [node, index]))
  const indexOf = (node: string): number => place.get(node) ?? own(plan.nodes, node)?.index ?? 0
  return [...new Set(changes.map(({ step }) => step.node ?? ''))].toSorted((a, b) => indexOf(a) - indexOf(b))
}

/** Puts nodes whose step is needed before those whose step needs it; the order stays as it is where that leaves a choice. */
function byNeeds(nodes: readonly string[], changes: readonly Change[]): readonly string[] {
  const nodeOf = new Map(changes.map(({ step }) => [step.id, step.node ?? '']))
  const before = new Map<string, Set<string>>()
  for (const { step } of changes) {
    for (const need of step.needs) {
      const other = nodeOf.get(need.step)
      if (other !== undefined && other !== step.node) before.set(step.node ?? '', (before.get(step.node ?? '') ?? new Set()).add(other))
    }
  }
  if (before.size === 0) return nodes
  const done = new Set<string>()
  const visit = (node: string): void => {
    if (done.has(node)) return
    done.add(node)
    for (const other of before.get(node) ?? []) visit(other)
    order.push(node)
  }
  const order: string[] = []
  for (const node of nodes) visit(node)
  return order
}

/** Takes nodes from the values of a label in turn, values as they come up first. */
function inTurn(nodes: readonly string[], label: string | null, plan: Plan): readonly string[] {
  if (label === null) return nodes
  const groups = new Map<string, string[]>()
  for (const node of nodes) {
    const value = own(own(plan.nodes, node)?.labels, label) ?? ''
    groups.set(value, [...(groups.get(value) ?? []), node])
  }
  const most = Math.max(0, ...[...groups.values()].map((group) => group.length))
  return Array.from({ length: most }, (_, round) => [...groups.values()].flatMap((group) => group[round] ?? [])).flat()
}

function batchesOf(nodes: readonly string[], sizes: readonly string[]): Rollout['batches'] {
  const batches: (readonly string[])[] = []
  for (let start = 0; start < nodes.length; ) {
    const size = Math.max(1, shareOf(sizes[Math.min(batches.length, sizes.length - 1)] ?? '100%', nodes.length, Math.ceil))
    batches.push(nodes.slice(start, start + size))
    start += size
  }
  return batches
}

/** `3` or `10%` of so many. */
function shareOf(share: string, of: number, round: (exact: number) => number): number {
  return share.endsWith('%') ? round((Number(share.slice(0, -1)) * of) / 100) : Number(share)
}

/** Rollouts whose batches and whose steps wait for each other, so that neither could go on: refused before anything runs. */
export function knots(changes: readonly Change[], rollouts: readonly Rollout[]): Changes['violations'] {
  if (rollouts.length === 0) return []
  const needs = new Map<string, string[]>(changes.map(({ step }) => [step.id, step.needs.map((need) => need.step)]))
  const checked = new Map<string, Map<string, string[]>>()
  for (const { step } of changes) {
    if (step.kind !== 'role' || step.action === 'remove' || step.node === null) continue
    const role = `${step.deployment ?? ''}/${step.role ?? ''}`
    const onNode = checked.get(role) ?? new Map<string, string[]>()
    checked.set(role, onNode.set(step.node, [...(onNode.get(step.node) ?? []), step.id]))
  }
  for (const { id, steps, batches, gate } of rollouts) {
    const batchOf = new Map(batches.flatMap((nodes, index) => nodes.map((node) => [node, index] as const)))
    const nodeOf = new Map(changes.map(({ step }) => [step.id, step.node ?? '']))
    const settled = batches.map((nodes, index): string[] => [...(index === 0 ? [] : [`${id} ${index - 1}`]), ...(gate === null ? [] : nodes.flatMap((node) => checked.get(gate.role)?.get(node) ?? []))])
    for (const step of steps) {
      const batch = batchOf.get(nodeOf.get(step) ?? '') ?? 0
      settled[batch]?.push(step)
      if (batch > 0) needs.get(step)?.push(`${id} ${batch - 1}`)
    }
    for (const [index, list] of settled.entries()) needs.set(`${id} ${index}`, list)
  }
  const cycle = cycleIn(needs)
  if (cycle === null) return []
  const involved = rollouts.filter(({ id }) => cycle.some((one) => one.startsWith(`${id} `)))
  const steps = cycle.filter((one) => !one.includes(' '))
  const message = `the waves of ${involved.map(({ id }) => id).join(' and ')} and the order of steps wait for each other (${steps.slice(0, 4).join(', ')}${steps.length > 4 ? ', ...' : ''}): make the batches larger, or take the rollout away.`
  return [{ policy: 'rollout', level: 'deny', message, at: involved[0]?.at ?? null }]
}

/** Some things that need each other in a circle; null: there are none. */
function cycleIn(needs: ReadonlyMap<string, readonly string[]>): readonly string[] | null {
  const open = new Map<string, number>()
  const dependants = new Map<string, string[]>()
  for (const [id, list] of needs) {
    const known = list.filter((other) => needs.has(other))
    open.set(id, known.length)
    for (const other of known) {
      const found = dependants.get(other)
      if (found === undefined) dependants.set(other, [id])
      else found.push(id)
    }
  }
  const free = [...open].filter(([, count]) => count === 0).map(([id]) => id)
  for (const id of free) {
    for (const other of dependants.get(id) ?? []) {
      const left = (open.get(other) ?? 0) - 1
      open.set(other, left)
      if (left === 0) free.push(other)
    }
  }
  if (free.length === needs.size) return null
  const done = new Set(free)
  const path: string[] = []
  let at = [...needs.keys()].find((id) => !done.has(id))
  while (at !== undefined && !path.includes(at)) {
    path.push(at)
    at = needs.get(at)?.find((other) => needs.has(other) && !done.has(other))
  }
  return path.slice(at === undefined ? 0 : path.indexOf(at))
}
