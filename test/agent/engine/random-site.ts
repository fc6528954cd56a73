import type { Rollout } from '../../../schemas/changes.ts'
import type { Plan, Step } from '../../../schemas/plan.ts'
import { operationOf, planOf, rolloutOf, step } from './build-work.ts'

/** Numbers from 0 up to below `below`, the same for the same seed. */
export type Random = (below: number) => number

export function randomOf(seed: number): Random {
  let state = seed >>> 0
  return (below) => {
    // mulberry32
    state = (state + 0x6d2b79f5) >>> 0
    let t = Math.imul(state ^ (state >>> 15), 1 | state)
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t
    return ((t ^ (t >>> 14)) >>> 0) % below
  }
}

/** What a site says, as far as it is edited at random: which version of which role is on which node, and what is done once. */
export interface RandomSite {
  readonly nodes: readonly string[]
  /** Role → node → version. `c` destroys what it had, `b` comes after `a` on every node. */
  readonly roles: Readonly<Record<string, Readonly<Record<string, number>>>>
  readonly operations: readonly { readonly name: string; readonly nodes: readonly string[] }[]
  readonly rollout: { readonly size: number; readonly maxFailures: number; readonly gate: boolean; readonly pause: Rollout['pause'] }
}

export function startingSite(nodes: readonly string[], random: Random): RandomSite {
  const roles = Object.fromEntries(['a', 'b', 'c'].map((role) => [role, Object.fromEntries(nodes.filter(() => random(3) > 0).map((node) => [node, 1]))]))
  return { nodes, roles, operations: [], rollout: { size: 3, maxFailures: 1, gate: true, pause: 'never' } }
}

/** One commit: a role comes to a node, leaves it or changes there; an operation is asked for; the rollout is told otherwise. */
export function edited(site: RandomSite, random: Random, commit: number): RandomSite {
  let { roles, operations, rollout } = site
  for (let edits = 1 + random(5); edits > 0; edits--) {
    const role = ['a', 'b', 'c'][random(3)] as string
    const node = site.nodes[random(site.nodes.length)] as string
    const others = Object.fromEntries(Object.entries(roles[role] ?? {}).filter(([one]) => one !== node))
    const what = random(10)
    if (what < 2) roles = { ...roles, [role]: others }
    else if (what < 5) roles = { ...roles, [role]: { ...others, [node]: commit * 100 + edits } }
    else if (what < 7) roles = { ...roles, [role]: Object.fromEntries(Object.keys(roles[role] ?? {}).map((one) => [one, commit * 100 + 50 + edits])) }
    else if (what === 7) operations = [...operations, { name: `op-${commit}-${edits}`, nodes: site.nodes.filter(() => random(3) === 0) }]
    else rollout = { size: 1 + random(5), maxFailures: random(3), gate: random(2) === 0, pause: (['never', 'after-first', 'after-each'] as const)[random(3)] ?? 'never' }
  }
  return { ...site, roles, operations, rollout }
}

export function planOfSite({ nodes, roles, operations }: RandomSite): Plan {
  const has = (role: string, node: string): boolean => roles[role]?.[node] !== undefined
  const steps: Step[] = ['a', 'b', 'c'].flatMap((role) =>
    Object.entries(roles[role] ?? {}).map(([node, version]) =>
      step({
        id: `d/${role}@${node}`,
        document: { d: { role, version } },
        needs: role === 'b' && has('a', node) ? [`d/a@${node}`] : [],
        entries: role === 'a' ? { check: 'check.sh', drain: 'drain.sh' } : {},
        removal: { entry: 'remove.sh', deletesData: role === 'c' },
        ...(role === 'c' ? { destructive: true, once: `once-${node}-${version}` } : {}),
      })))
  const members = [...steps]
  const barrier = step({ id: 'barrier/d/a', needs: members.filter((one) => one.id.startsWith('d/a@')).map((one) => one.id) })
  const done = operations.map(({ name, nodes: on }) => operationOf(name, on, [{ do: 'reboot' }, { do: 'resume' }]))
  return planOf([...steps, barrier], { operations: done, nodes: Object.fromEntries(nodes.map((node) => [node, {}])) })
}

/** The rollout of role `a`, over the nodes that are among the changed. */
export function rolloutsOf({ rollout }: RandomSite, changed: readonly Step[]): readonly Rollout[] {
  const steps = changed.filter((one) => one.id.startsWith('d/a@') && one.action === 'run')
  const nodes = steps.map((one) => one.node as string)
  const batches: string[][] = []
  for (let at = 0; at < nodes.length; at += batches.length === 1 ? 1 : rollout.size) batches.push(nodes.slice(at, batches.length === 0 ? 1 : at + rollout.size))
  if (steps.length === 0) return []
  return [rolloutOf(steps, batches, { maxFailures: rollout.maxFailures, pause: rollout.pause, gate: rollout.gate ? { role: 'd/a', timeout: 30 } : null })]
}
