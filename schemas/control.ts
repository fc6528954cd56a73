import { selectionShape } from './changes.ts'
import { diagnosticShape } from './diagnostic.ts'
import { foreseenShape } from './foreseen.ts'
import { CONSEQUENCES } from './documents/words.ts'
import { boolean, either, integer, list, literal, nullable, object, oneOf, optional, string } from './shape.ts'
import type { TypeOf } from './shape.ts'

/** What a step is doing. `unknown`: sent, no answer, and it must not simply be sent again. */
export const STEP_STATES = ['blocked', 'ready', 'running', 'waiting', 'succeeded', 'unchanged', 'failed', 'skipped', 'cancelled', 'unknown'] as const
export type StepState = (typeof STEP_STATES)[number]

const stepStatus = object({
  id: string(),
  node: nullable(string()),
  state: oneOf(STEP_STATES),
  reason: nullable(string({}, 'Why it is not done: what it waits for, or how it failed.')),
  seconds: nullable(integer({ min: 0 }, 'From its first start to its end, or until now.')),
  attempts: integer({ min: 0 }),
})
export type StepStatus = TypeOf<typeof stepStatus>

/** A disk that a waiting step would overwrite. */
const disk = object({ id: string(), serial: string(), bytes: integer({ min: 0 }), summary: string() })

/** What waits for a person, as it is shown to him. */
const pendingApproval = object({
  step: string(),
  node: nullable(string()),
  machine: string(),
  disks: list(disk),
  code: string({}, 'Stands for exactly this: step, work, machine, disks and what is on them.'),
})
export type PendingApproval = TypeOf<typeof pendingApproval>

/** `GET /status` of the agent's socket. */
export const statusShape = object({
  agent: object({ node: string(), epoch: integer({ min: 0 }), version: string(), frozen: boolean(), ready: boolean(), readyReason: nullable(string()) }),
  site: object({
    repository: string(),
    branch: string(),
    commit: nullable(string()),
    state: oneOf(['starting', 'good', 'refused', 'unreachable']),
    reason: nullable(string()),
    diagnostics: list(diagnosticShape),
  }),
  run: nullable(object({ run: integer({ min: 1 }), commit: string(), state: oneOf(['running', 'complete', 'partial', 'failed']), started: string(), ended: nullable(string()) })),
  held: nullable(object({ commit: string(), consequence: nullable(oneOf(CONSEQUENCES, 'The worst of it.')), steps: integer({ min: 0 }), because: string() }, 'What of the newest commit `automation.apply` leaves to a person.')),
  nodes: list(object({ name: string(), machine: nullable(string()), os: nullable(string()), address: nullable(string()), connected: nullable(oneOf(['discovery', 'installed'])), incarnation: nullable(string({}, 'Of what is installed on it.')), doing: string({}, 'In words, for people.') })),
  machines: list(object({ id: string(), node: nullable(string()), summary: string() })),
  steps: list(stepStatus),
  rollouts: list(
    object({
      id: string(),
      batch: integer({ min: 0 }, 'The one that goes on, or after which it stands; counts from 1.'),
      batches: integer({ min: 0 }),
      nodes: integer({ min: 0 }),
      failed: list(string(), {}, 'Nodes.'),
      maxFailures: integer({ min: 0 }),
      state: oneOf(['rolling', 'gate', 'paused', 'stopped', 'done']),
      reason: nullable(string()),
    }),
    {},
    'Of the last run.',
  ),
  refusals: list(object({ step: string(), node: nullable(string()), because: string() }), {}, 'Steps of the last run that must not run as things are: protected nodes, machines of others.'),
  approvals: list(pendingApproval),
})
export type Status = TypeOf<typeof statusShape>

/** What the dry run of a step on its node found. */
export const triedShape = object({
  foreseen: list(foreseenShape, {}, 'Empty: nothing would change.'),
  assumes: list(string({}, 'Steps that run before it: what they provided last is what it was given now.')),
  because: nullable(string({}, 'Why it was not tried: then nobody knows what it would do.')),
})
export type Tried = TypeOf<typeof triedShape>

/** `POST /apply`. */
export const applyRequestShape = object({
  ref: nullable(string({}, 'Branch, tag or commit; null: the head of the followed branch.')),
  approve: list(string({}, 'Ids of steps or rollouts, or globs.')),
  target: optional(list(string({ min: 1 }), {}, 'Only these steps or nodes (globs), and what they need.')),
  exclude: optional(list(string({ min: 1 }), {}, 'Not these steps or nodes (globs), nor what needs them.')),
  dryRun: optional(either([boolean(), literal('nodes')], '`nodes`: the tools on the nodes also say what each step would do there.')),
})
export type ApplyRequest = TypeOf<typeof applyRequestShape>

export const applyAnswerShape = object({
  outcome: oneOf(['started', 'extended', 'nothing', 'refused', 'planned']),
  denied: boolean('Refused by a policy, and by nothing that is wrong with the site.'),
  run: nullable(integer({ min: 1 })),
  commit: nullable(string()),
  steps: integer({ min: 0 }, 'How many steps are to run.'),
  message: string(),
  diagnostics: list(diagnosticShape),
  preview: optional(
    object({
      steps: list(object({ id: string(), node: nullable(string()), consequence: oneOf(CONSEQUENCES), waits: nullable(string({}, 'What keeps it from running as things are: an approval, a refusal.')), tried: optional(triedShape) })),
      rollouts: list(object({ id: string(), batches: list(list(string())), pause: string() })),
    }, 'Of a dry run: what would run.'),
  ),
  selection: optional(selectionShape),
})
export type ApplyAnswer = TypeOf<typeof applyAnswerShape>

/** `GET /runs`: one run of the past or the present. */
export const runRecordShape = object({
  run: integer({ min: 1 }),
  commit: string({}, 'The last one that it carried out.'),
  state: oneOf(['running', 'complete', 'partial', 'failed']),
  reason: string({}, 'Why it ended, or why it goes on.'),
  started: string(),
  ended: nullable(string()),
  steps: integer({ min: 0 }),
  succeeded: integer({ min: 0 }),
  unchanged: integer({ min: 0 }),
  failed: integer({ min: 0 }),
  skipped: integer({ min: 0 }),
  waiting: integer({ min: 0 }),
})
export type RunRecord = TypeOf<typeof runRecordShape>

/** `GET /why-not?step=`. The step first, then what it waits for, each once. */
export const whyNotShape = object({
  step: string(),
  chain: list(object({ step: string(), state: string(), because: list(string(), {}, 'For people.') })),
})
export type WhyNot = TypeOf<typeof whyNotShape>

/**
 * `POST /approve`. A glob is expanded once, over waiting steps whose disks were seen and rollouts that have a
 * pause before them.
 */
export const approveRequestShape = object({
  steps: list(string({ min: 1 }), { min: 1 }),
  seen: optional(list(string(), {}, 'Codes of what was shown. Given: whatever does not have one of them is not approved, and nothing else is either.')),
  dryRun: optional(boolean('Says what would be approved.')),
})
export type ApproveRequest = TypeOf<typeof approveRequestShape>

export const approveAnswerShape = object({
  outcome: oneOf(['approved', 'shown', 'nothing', 'changed']),
  approved: list(string()),
  approvals: list(pendingApproval, {}, 'What the steps would overwrite as things are now.'),
  rollouts: list(string(), {}, 'Those that go on after their pause.'),
  message: string(),
})
export type ApproveAnswer = TypeOf<typeof approveAnswerShape>
