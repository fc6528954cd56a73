import type { Changes, Rollout } from '../../schemas/changes.ts'
import { nodesOf } from './groups.ts'
import type { ChangeGroup } from './groups.ts'
import { labelled, thousands } from './layout.ts'

/** Nodes of waves of one that are named one by one. */
const NODES_NAMED = 6

/** Waves as far as some nodes are in them. */
export interface Waves {
  readonly rollout: Rollout
  /** None of them is empty. */
  readonly batches: Rollout['batches']
}

/** The waves of a group; null: nothing holds it back, or all is one wave that nothing follows. */
export function wavesOf(group: ChangeGroup, changes: Pick<Changes, 'rollouts'>): Waves | null {
  if (changes.rollouts.length === 0 || group.kind === 'removal' || group.kind === 'release') return null
  const steps = new Set(group.variants.flatMap((variant) => variant.changes.map((one) => one.step.id)))
  const nodes = new Set(nodesOf(group))
  const rollout = changes.rollouts.find((one) => one.steps.some((step) => steps.has(step)))
  if (rollout === undefined || (rollout.batches.length < 2 && rollout.gate === null)) return null
  return { rollout, batches: rollout.batches.map((batch) => batch.filter((node) => nodes.has(node))).filter((batch) => batch.length > 0) }
}

/** `waves 1, 6, 46`; nodes in their order when they are few and go one at a time; empty for one wave. */
export function wavesText({ batches }: Waves): string {
  if (batches.length < 2) return ''
  if (batches.every((batch) => batch.length === 1)) return batches.length <= NODES_NAMED ? batches.flat().join(', ') : 'one at a time'
  const runs: { readonly size: number; times: number }[] = []
  for (const { length } of batches) {
    const last = runs.at(-1)
    if (last?.size === length) last.times++
    else runs.push({ size: length, times: 1 })
  }
  const words = runs.flatMap(({ size, times }) => (times > 2 ? [`${thousands(times)} x ${thousands(size)}`] : Array.from({ length: times }, () => thousands(size))))
  return `waves ${words.length > 8 ? [...words.slice(0, 7), `... (${thousands(batches.length)} in all)`].join(', ') : words.join(', ')}`
}

/** The same in the few words that a summary has room for. */
export function wavesInShort(waves: Waves | null): string {
  if (waves === null || waves.batches.length < 2) return ''
  return waves.batches.every((batch) => batch.length === 1) ? ', one at a time' : `, ${thousands(waves.batches.length)} waves`
}

/** What lets the next wave start, and what stops it. */
export function waveLines({ rollout }: Waves): readonly string[] {
  const { gate, pause, maxFailures, batches, id } = rollout
  const stops = `stops ${maxFailures === 0 ? 'at the first node that fails' : `when more than ${thousands(maxFailures)} ${maxFailures === 1 ? 'node fails' : 'nodes fail'}`}`
  const each = batches.length === 1 ? 'at the end' : 'after each wave'
  return [
    ...(gate === null ? labelled('budget', stops) : labelled('gate', `${gate.role}#check ${each}, within ${timeText(gate.timeout)}${batches.length === 1 ? '' : `; ${stops}`}`)),
    ...(pause === 'never' || batches.length === 1 ? [] : labelled('pause', `after ${pause === 'after-first' ? 'the first' : 'each'} wave, until: crowbar approve ${id}`)),
  ]
}

function timeText(seconds: number): string {
  for (const [unit, size] of [['h', 3600], ['m', 60]] as const) if (seconds % size === 0 && seconds >= size) return `${seconds / size}${unit}`
  return `${seconds}s`
}
