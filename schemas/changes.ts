import { CONSEQUENCES } from './documents/words.ts'
import { stepShape } from './plan.ts'
import { anything, boolean, integer, list, literal, map, nullable, object, oneOf, optional, string } from './shape.ts'
import type { TypeOf } from './shape.ts'

/** Why a step is to run: what differs, and which line of the site says so. */
const cause = object({
  kind: oneOf(['new', 'attribute', 'content', 'once', 'machine', 'os', 'disks', 'layout', 'generation', 'wants', 'packages', 'artifacts', 'reinstalled', 'unfinished', 'removed', 'operation', 'other']),
  path: nullable(string({}, 'Attribute path, dotted.')),
  before: nullable(anything()),
  after: nullable(anything()),
  at: nullable(string({}, 'file:line:column; of kind `removed` in the commit that the step last ran under.')),
})
export type Cause = TypeOf<typeof cause>

/** What happens to a disk of the machine that a step runs on. */
const disk = object({
  id: string(),
  serial: string(),
  model: string(),
  bytes: integer({ min: 0 }),
  fate: oneOf(['wiped', 'kept']),
  blank: nullable(boolean()),
  summary: string({}, 'What is on it, for people.'),
  signature: nullable(string()),
  at: optional(string({}, 'file:line:column of what the site says of the disk.')),
})
export type DiskFate = TypeOf<typeof disk>

const change = object({
  step: stepShape,
  consequence: oneOf(CONSEQUENCES),
  certain: boolean('false: classed at its worst because something is not known yet.'),
  causes: list(cause),
  disks: list(disk),
  needsApproval: boolean(),
  protectedBy: nullable(string({}, 'file:line:column of the node, now or at the base, whose `protect` refuses it.')),
  lacks: optional(list(string({}, 'Id of a disk.'), { min: 1 }, 'Of what installs a node or erases its disks: those of them that are not in its machine any more.')),
  heldBy: optional(string({}, 'Of an install: the node that the base has on this machine, that stays in the site and was not released.')),
})
export type Change = TypeOf<typeof change>

/** What an approval binds: exactly this step, key, machine and disks as they were seen. */
export const approvalShape = object({
  step: string(),
  once: string(),
  machine: string(),
  disks: list(object({ id: string(), serial: string(), bytes: integer({ min: 0 }), signature: string({}, 'Digest of the content signature as seen.') })),
})
export type Approval = TypeOf<typeof approvalShape>

const violation = object({ policy: string(), level: oneOf(['advise', 'warn', 'deny']), message: string(), at: nullable(string()) })

/** Waves of one rollout, resolved: how many nodes at once, and when to stop. */
const rollout = object({
  id: string({}, '`rollout/<deployment>/<role>`, `rollout/<install|network|packages|reboot>` or `operation/<name>`.'),
  steps: list(string(), {}, 'Ids of the changes that it governs. No removal is among them.'),
  batches: list(list(string(), { min: 1 }), {}, 'Names of the nodes of the steps, each once: batch after batch.'),
  maxFailures: integer({ min: 0 }, 'Nodes that may fail before no further batch starts.'),
  gate: nullable(object({ role: string({}, 'deployment/role, whose `check` has to succeed on every node of a batch that has the role.'), timeout: integer({ min: 1 }, 'Seconds.') })),
  pause: oneOf(['never', 'after-first', 'after-each']),
  at: string({}, 'file:line:column.'),
})
export type Rollout = TypeOf<typeof rollout>

/** What `--target` and `--exclude` left of the changes, and why. */
const selection = object({
  target: list(string()),
  exclude: list(string()),
  pulledIn: list(object({ step: string(), by: string({}, 'The step that needs it.') }), {}, 'Not asked for, and needed by what was.'),
  deferred: list(object({ step: string(), by: string({}, 'The step that it needs and that does not run.') }), {}, 'Asked for, and not possible without what was left out.'),
  excluded: integer({ min: 0 }, 'Changes that were left out because nobody asked for them, or somebody asked for them not to run.'),
})
export type Selection = TypeOf<typeof selection>
export { selection as selectionShape }

/** Where a value stands that changes elsewhere, because something nearer to the node sets it. */
const override = object({ role: string({}, 'deployment/role'), path: string({}, 'Attribute path, dotted.'), nodes: list(string()), at: string({}, 'file:line:column of what sets it there.') })
export type Override = TypeOf<typeof override>

/** A node that the base has under another name. */
const renamed = object({ from: string(), to: string(), machine: nullable(string({}, 'That the base has it on.')), at: nullable(string({}, 'file:line:column of `moved`.')) })
export type Renamed = TypeOf<typeof renamed>

/** What leads from a base to a plan, in plan order; removals come first, dependants before what they need. */
export const changesShape = object({
  version: literal(1),
  id: string(),
  base: object({ kind: oneOf(['ledger', 'plan', 'commit', 'empty']), commit: nullable(string()), run: nullable(integer()), state: nullable(string()) }),
  plan: string({}, 'Id of the plan.'),
  commit: nullable(string()),
  changes: list(change),
  rollouts: list(rollout, {}, 'Waves of the changes. A change that none of them governs runs as soon as its needs are done.'),
  overrides: list(override, {}, 'Members of roles that change on which a value that changes does not.'),
  moved: object({ claims: integer({ min: 0 }), addresses: integer({ min: 0 }) }, 'Nodes that the base has on another machine, or with other addresses.'),
  renamed: list(renamed, {}, 'Nodes of the base that have another name from now on, by the old one: all at once, and before anything else.'),
  erased: optional(list(object({ node: string(), step: string({}, 'That erased its disks, or began to.') }), {}, 'Nodes that stay without an installation until somebody asks for one.')),
  selection: optional(selection),
  judged: optional(integer({ min: 0 }, 'Policies that were judged.')),
  unchanged: integer({ min: 0 }, 'Steps of the plan that stand as they are.'),
  values: map(anything(), undefined, 'Values of removals that the plan does not carry, by digest.'),
  violations: list(violation),
  missing: list(object({ what: string(), for: string(), because: string() })),
})
export type Changes = TypeOf<typeof changesShape>

/** Whether there is nothing to do: no step runs, and no node has another name. */
export function isNothing({ changes, renamed }: Pick<Changes, 'changes' | 'renamed'>): boolean {
  return changes.length === 0 && renamed.length === 0
}
