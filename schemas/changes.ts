import { CONSEQUENCES } from './documents/words.ts'
import { stepShape } from './plan.ts'
import { anything, boolean, integer, list, literal, map, nullable, object, oneOf, optional, string } from './shape.ts'
import type { TypeOf } from './shape.ts'

/** Why a step is to run: what differs, and which line of the site says so. */
const cause = object({
  kind: oneOf(['new', 'attribute', 'content', 'once', 'machine', 'os', 'disks', 'layout', 'generation', 'wants', 'packages', 'artifacts', 'reinstalled', 'unfinished', 'removed', 'other']),
  path: nullable(string({}, 'Attribute path, dotted.')),
  before: nullable(anything()),
  after: nullable(anything()),
  at: nullable(string({}, 'file:line:column.')),
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

/** What leads from a base to a plan, in plan order; removals come first, dependants before what they need. */
export const changesShape = object({
  version: literal(1),
  id: string(),
  base: object({ kind: oneOf(['ledger', 'plan', 'commit', 'empty']), commit: nullable(string()), run: nullable(integer()), state: nullable(string()) }),
  plan: string({}, 'Id of the plan.'),
  commit: nullable(string()),
  changes: list(change),
  unchanged: integer({ min: 0 }, 'Steps of the plan that stand as they are.'),
  values: map(anything(), undefined, 'Values of removals that the plan does not carry, by digest.'),
  violations: list(violation),
  missing: list(object({ what: string(), for: string(), because: string() })),
})
export type Changes = TypeOf<typeof changesShape>
