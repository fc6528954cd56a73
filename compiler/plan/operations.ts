import { digest } from '../../schemas/canonical.ts'
import { CONSEQUENCES } from '../../schemas/documents/words.ts'
import type { OperationAction } from '../../schemas/documents/words.ts'
import type { InstallTarget } from '../../schemas/install.ts'
import type { OperationPart, OperationWork } from '../../schemas/operation.ts'
import type { Need, Plan, PlanOperation, PlanRollout, Step } from '../../schemas/plan.ts'
import type { Json } from '../../schemas/shape.ts'
import { stepDigest } from '../../schemas/step-digest.ts'
import type { BoundNode, BoundOperation, BoundRollout } from '../bind/bound-site.ts'
import { packagesOf } from '../order/artifacts.ts'
import { placeOf, rangeOf } from '../parse/document.ts'
import { seconds } from './seconds.ts'
import type { Values } from './values.ts'

export interface OperationParts {
  /** Of the plan, in its order. */
  readonly steps: readonly Step[]
  readonly artifacts: Plan['artifacts']
  readonly values: Values
  /** Node → the disks that its installation writes; null or absent as long as they are not known. */
  readonly targets: ReadonlyMap<string, readonly InstallTarget[] | null>
}

/** Seconds that erasing takes at most: an hour, and what overwriting and reading back takes at 20 MB/s. */
function eraseTimeout(targets: readonly InstallTarget[]): number {
  return 3600 + Math.ceil((2 * Math.max(0, ...targets.map(({ bytes }) => bytes))) / 20_000_000)
}

/** Writes operations down: on every node that has a machine, one step after another. */
export function planOperations(operations: ReadonlyMap<string, BoundOperation>, parts: OperationParts): readonly PlanOperation[] {
  if (operations.size === 0) return []
  const onNode = new Map<string, Step[]>()
  for (const step of parts.steps) {
    if (step.node === null || (step.kind !== 'role' && step.kind !== 'install')) continue
    const there = onNode.get(step.node)
    if (there === undefined) onNode.set(step.node, [step])
    else there.push(step)
  }
  return [...operations.values()].map((operation) => {
    const { value, source } = operation.document
    const members = (operation.members ?? []).filter(({ machine }) => machine !== null)
    const names = members.map(({ name }) => name)
    const steps = members.flatMap((node) => nodeSteps(operation, { node, there: onNode.get(node.name) ?? [], names, ...parts }))
    return { name: operation.name, at: placeOf(rangeOf(source, ['name'])), do: value.do, steps }
  })
}

/** Writes rollouts down as they are declared. */
export function planRollouts(rollouts: readonly BoundRollout[]): readonly PlanRollout[] {
  return rollouts.map(({ id, value, gate, at }) => ({
    id,
    batches: (value.batches ?? ['100%']).map(String),
    maxFailures: String(value.maxFailures ?? 0),
    spreadBy: value.spreadBy ?? null,
    gate: gate === null ? null : { role: gate.role, timeout: seconds(gate.timeout) },
    pause: value.pause ?? 'never',
    at: placeOf(at),
  }))
}

interface OnNode extends OperationParts {
  readonly node: BoundNode
  /** The install and the roles of the node, in plan order. */
  readonly there: readonly Step[]
  readonly names: readonly string[]
}

function nodeSteps({ name, document: { value, source } }: BoundOperation, { node, there, names, artifacts, values, targets }: OnNode): readonly Step[] {
  const steps: Step[] = []
  const times = new Map<OperationAction, number>()
  const cohorts = new Map(there.map((step) => [step.id, step.cohort]))
  // What runs on the node comes first: an operation works on a node that is as the plan has it. A new installation comes in its midst.
  const reinstalls = value.do.indexOf('reinstall')
  for (const [i, action] of value.do.entries()) {
    const time = (times.get(action) ?? 0) + 1
    times.set(action, time)
    const at = placeOf(rangeOf(source, ['do', i]))
    const roles = workOf(action, value.role, there)
    const disks = action === 'erase' ? (targets.get(node.name) ?? null) : []
    const holds = action === 'erase' && reinstalls < 0 ? { holds: node.generation } : {}
    const part: OperationPart = { name, do: action, place: i + 1, of: value.do.length, roles, targets: disks ?? [], ...holds }
    const staged = action === 'packages' && node.os !== null && Object.hasOwn(artifacts, packagesOf(node.os.value)) ? packagesOf(node.os.value) : null
    const before = steps.at(-1)
    const needs: Need[] = [
      ...(before === undefined ? [] : [{ at, kind: 'fence' as const, step: before.id }]),
      ...(i === Math.max(reinstalls, 0) ? there.map(({ id }) => ({ at, kind: 'fence' as const, step: id })) : []),
      ...(staged === null ? [] : [{ at, kind: 'lifecycle' as const, step: `stage/${staged}` }]),
    ]
    const cohort = needs.reduce((highest, need) => Math.max(highest, (need.step === before?.id ? before.cohort : (cohorts.get(need.step) ?? 0)) + 1), 0)
    const step: Step = {
      id: `operation/${name}/${action}${time === 1 ? '' : `-${time}`}@${node.name}`,
      kind: 'operation', action: 'run', node: node.name, runsOn: action === 'reinstall' ? 'admin' : action === 'erase' ? 'discovery' : 'node', deployment: null, role: null,
      barclamp: null, content: null, jig: null, entry: null,
      attributes: disks === null ? null : values.addDocument({ operation: part as unknown as Json, members: names }),
      artifacts: staged === null ? [] : [staged], packages: [], provides: {}, needs,
      once: action === 'erase' && disks !== null ? digest({ erase: name, machine: node.machine?.id ?? null, targets: disks } as unknown as Json) : null, destructive: action === 'erase',
      timeout: action === 'erase' ? eraseTimeout(disks ?? []) : roles.length === 0 ? 3600 : roles.reduce((sum, { timeout }) => sum + timeout, 0),
      retries: { max: 0, backoff: 0 }, onChange: action === 'run' || action === 'upgrade' ? declaredOf(roles, there) : {}, removal: null, entries: {}, cohort, digest: '',
    }
    steps.push({ ...step, digest: stepDigest(step) })
  }
  return steps
}

/** What running these roles again does by default: the worst of what they declare. */
function declaredOf(roles: readonly OperationWork[], there: readonly Step[]): Step['onChange'] {
  const run = new Set(roles.map(({ step }) => step))
  const declared = there.flatMap(({ id, onChange }) => (run.has(id) ? (onChange['default'] ?? []) : []))
  const worst = CONSEQUENCES.find((consequence) => declared.includes(consequence))
  return worst === undefined ? {} : { default: worst }
}

/** What the roles of a node do, in plan order; a node is drained from the last role back to the first. */
function workOf(action: OperationAction, role: string | undefined, there: readonly Step[]): readonly OperationWork[] {
  if (action !== 'drain' && action !== 'resume' && action !== 'check' && action !== 'upgrade' && action !== 'run') return []
  const work = there.flatMap((step): readonly OperationWork[] => {
    const entry = action === 'run' ? step.entry : (step.entries[action] ?? null)
    if (step.kind !== 'role' || entry === null || (role !== undefined && step.role !== role)) return []
    return [{ step: step.id, barclamp: step.barclamp ?? '', content: step.content ?? '', jig: step.jig ?? 'noop', entry, attributes: step.attributes, timeout: step.timeout }]
  })
  return action === 'drain' ? work.toReversed() : work
}
