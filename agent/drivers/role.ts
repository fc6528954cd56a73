import type { Plan, Step } from '../../schemas/plan.ts'
import type { PackageRepository, RoleTask, TaskResult } from '../../schemas/protocol.ts'
import type { Json } from '../../schemas/shape.ts'
import type { Environment } from '../log/event-types.ts'
import { chooseJig } from '../jigs/choose-jig.ts'
import { awaitAttempt } from './await-attempt.ts'
import type { AttemptEnd } from './await-attempt.ts'
import { collectProvides } from './collect-provides.ts'
import { discoverySession } from './discovery-session.ts'
import type { Driver, StepContext, StepOutcome } from './driver.ts'
import { installedSession } from './installed-session.ts'
import { networkBoots } from './network-boots.ts'
import type { NetworkBoots } from './network-boots.ts'
import { contentOf, roleDocument } from './role-document.ts'
import type { RoleDocument } from './role-document.ts'
import type { Secrets } from '../secrets/secrets.ts'
import type { NodeSessions } from './sessions.ts'
import { settleByCheck } from './settle-by-check.ts'
import type { Stager } from './stage.ts'

/** What roles need from the rest of the agent. */
export interface RoleDriverOptions {
  readonly sessions: NodeSessions
  readonly stager: Stager
  /** A keyed digest that stands for a sensitive value: `AgentKey.reference`. */
  readonly reference: (value: Json) => string
  readonly secrets: Secrets
}

/**
 * Runs an entry of a barclamp on its node, or in the discovery image on its machine, with the step's document. An attempt that got lost is settled by the node's
 * journal, else by the role's `check`; else it runs again, unless it destroys something.
 */
export function roleDriver(options: RoleDriverOptions): Driver {
  const { sessions } = options
  const boots = networkBoots()
  return {
    kind: 'role',
    refuse(step) {
      if (step.runsOn === 'admin' || step.node === null) return 'this agent runs roles on nodes only'
      if (step.jig === null || chooseJig(step.jig) === undefined) return `this agent has no jig ${step.jig}`
      return step.entry === null && step.jig !== 'noop' ? 'its role names no file to run' : undefined
    },
    run: (step, context) => run(step, context, { ...options, boots }),
    async settle(step, sent, context) {
      if (sent.machine === null) return { kind: 'unknown', reason: 'it was sent without a machine', repeatable: !step.destructive }
      const end = await awaitAttempt(sessions, { machine: sent.machine, attempt: sent.attempt, environment: environmentOf(step), over: undefined, timers: context.timers, signal: context.signal })
      const outcome = await outcomeOf(step, end, context)
      if (outcome.kind !== 'unknown' || step.entries['check'] === undefined || step.action !== 'run') return outcome
      const given = await roleDocument(step, context, options)
      if (given.kind !== 'ready') return outcome
      return settled(step, outcome, { task: taskOf(step, given, { attempt: sent.attempt, repository: null, context, options }), machine: sent.machine, context, options })
    },
    ended: (attempt, machine) => sessions.session(machine)?.acknowledge(attempt),
  }
}

/** Where a role runs: on what is installed, or before that is. */
function environmentOf({ runsOn }: Step): Environment {
  return runsOn === 'discovery' ? 'discovery' : 'installed'
}

async function run(step: Step, context: StepContext, options: RoleDriverOptions & { readonly boots: NetworkBoots }): Promise<StepOutcome> {
  const given = await roleDocument(step, context, options)
  if (given.kind !== 'ready') return given
  const before = step.node === null ? undefined : context.ledger.nodes[step.node]?.steps[step.id]
  if (context.mayBeUnchanged && before?.digest === step.digest && before.inputs === given.inputs) {
    return { kind: 'unchanged', provides: before.provides, sealed: before.sealed, ...(before.facts === undefined ? {} : { facts: before.facts }), inputs: given.inputs, told: given.told }
  }

  const session = step.runsOn === 'discovery' ? discoverySession(step, context, options) : installedSession(step, context, options.sessions)
  if ('kind' in session) return session
  const brought = await packagesOf(step, context.plan, options.stager)
  if ('kind' in brought) return brought

  const { attempt } = await context.intend({ machine: session.machine, inputs: given.inputs, told: given.told })
  if (context.signal.aborted) return { kind: 'cancelled' }
  const task = taskOf(step, given, { attempt, repository: brought.repository, context, options })
  session.send(task)
  const end = await awaitAttempt(options.sessions, { machine: session.machine, attempt, environment: environmentOf(step), over: session, timers: context.timers, signal: context.signal })
  return settled(step, await outcomeOf(step, end, context), { task, machine: session.machine, context, options })
}

function taskOf(step: Step, { document, sensitive, mask }: RoleDocument, { attempt, repository, context, options }: { readonly attempt: string; readonly repository: PackageRepository | null; readonly context: StepContext; readonly options: RoleDriverOptions }): RoleTask {
  const { id, jig, entry, packages, provides, timeout } = step
  return { kind: 'role', attempt, step: id, jig: jig as string, entry: entry ?? '', content: contentOf(step, context, options.stager), document, sensitive: [...sensitive], mask: [...mask], packages, repository, provides, timeout }
}

/** What nobody knows, the role's check may know: what it provides then counts as provided. */
async function settled(step: Step, outcome: StepOutcome, { task, machine, context, options }: { readonly task: RoleTask; readonly machine: string; readonly context: StepContext; readonly options: RoleDriverOptions }): Promise<StepOutcome> {
  if (outcome.kind !== 'unknown' || step.action !== 'run') return outcome
  const result = await settleByCheck(step, task, { sessions: options.sessions, machine, context })
  const checked = result === undefined ? undefined : await fromResult(step, result, context)
  return checked?.kind === 'succeeded' || checked?.kind === 'unchanged' ? { ...checked, kind: 'succeeded' } : outcome
}

async function outcomeOf(step: Step, end: AttemptEnd, context: StepContext): Promise<StepOutcome> {
  switch (end.kind) {
    case 'result':
      return fromResult(step, end.result, context)
    case 'lost':
      return { kind: 'unknown', reason: end.reason, repeatable: !step.destructive }
    case 'stopped':
      if (end.stop !== 'TIMEOUT') return { kind: 'cancelled' }
      if (step.destructive) return { kind: 'unknown', reason: `${step.node} did not say within its time how it ended`, repeatable: false }
      return { kind: 'failed', code: 'TIMEOUT', message: `${step.node} did not say within ${step.timeout} seconds how ${step.id} ended`, retryable: true }
  }
}

async function fromResult(step: Step, result: TaskResult, context: StepContext): Promise<StepOutcome> {
  switch (result.outcome) {
    case 'cancelled':
      return { kind: 'cancelled' }
    case 'failed':
      if (result.code === 'INTERRUPTED') return { kind: 'unknown', reason: result.message ?? 'the node agent was stopped while it ran', repeatable: !step.destructive }
      return { kind: 'failed', code: result.code ?? 'FAILED', message: result.message ?? `${step.id} failed and did not say why`, retryable: true }
    case 'succeeded':
    case 'unchanged': {
      const collected = collectProvides(step, result)
      if (collected.kind === 'refused') return { kind: 'failed', code: collected.code, message: collected.message, retryable: false }
      const sealed: Record<string, string> = {}
      for (const [name, value] of Object.entries(collected.sensitive)) sealed[name] = await context.seal(value)
      return { kind: result.outcome, provides: collected.provides, sealed, ...(result.facts === undefined ? {} : { facts: result.facts as Readonly<Record<string, Json>> }) }
    }
  }
}

/** Where the node gets the distribution packages of the step. */
async function packagesOf(step: Step, plan: Plan, stager: Stager): Promise<{ readonly repository: PackageRepository | null } | StepOutcome> {
  const name = step.artifacts.find((artifact) => plan.artifacts[artifact]?.kind === 'packages')
  const staged = name === undefined ? undefined : await stager.locate(name, plan)
  if (staged?.kind === 'repository') return { repository: { url: staged.url, index: staged.index, key: staged.key } }
  if (step.packages.length === 0) return { repository: null }
  return { kind: 'failed', code: 'NOT_STAGED', message: `${step.id} brings ${step.packages.join(', ')}, and ${name ?? 'no artifact set with them'} is not in the store`, retryable: false }
}
