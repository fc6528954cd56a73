import { digest } from '../../schemas/canonical.ts'
import type { ContentFile, Plan, Step } from '../../schemas/plan.ts'
import type { PackageRepository, RoleTask, TaskResult } from '../../schemas/protocol.ts'
import { resolveDocument } from '../../schemas/resolve-deferred.ts'
import type { Json } from '../../schemas/shape.ts'
import { stepDocument } from '../../schemas/step-values.ts'
import type { StepDocument } from '../../schemas/step-values.ts'
import { chooseJig } from '../jigs/choose-jig.ts'
import { awaitAttempt } from './await-attempt.ts'
import type { AttemptEnd } from './await-attempt.ts'
import { collectProvides } from './collect-provides.ts'
import { crowbarDocument } from '../../schemas/crowbar-document.ts'
import type { Driver, StepContext, StepOutcome, StepWaiting } from './driver.ts'
import { replaceAt } from './json-pointer.ts'
import { inputKey, resolveInputs } from './resolve-inputs.ts'
import { standingInstallation } from '../state/standing-installation.ts'
import type { Secrets } from '../secrets/secrets.ts'
import type { NodeSession, NodeSessions } from './sessions.ts'
import type { Stager } from './stage.ts'

/** What roles need from the rest of the agent. */
export interface RoleDriverOptions {
  readonly sessions: NodeSessions
  readonly stager: Stager
  /** A keyed digest that stands for a sensitive value: `AgentKey.reference`. */
  readonly reference: (value: Json) => string
  readonly secrets: Secrets
}

/** Milliseconds between looks; a machine that connects asks sooner. */
const LOOK = 60_000

/** Runs an entry of a barclamp on its node, with the step's document. */
export function roleDriver(options: RoleDriverOptions): Driver {
  const { sessions } = options
  return {
    kind: 'role',
    refuse(step, plan) {
      if (step.node !== null && plan.nodes[step.node]?.admin === true) return 'this agent runs no roles on admin nodes'
      if (step.runsOn !== 'node' || step.node === null) return 'this agent runs roles on nodes only'
      if (step.jig === null || chooseJig(step.jig) === undefined) return `this agent has no jig ${step.jig}`
      return step.entry === null && step.jig !== 'noop' ? 'its role names no file to run' : undefined
    },
    run: (step, context) => run(step, context, options),
    async settle(step, sent, context) {
      if (sent.machine === null) return { kind: 'unknown', reason: 'it was sent without a machine', repeatable: !step.destructive }
      const end = await awaitAttempt(sessions, { machine: sent.machine, attempt: sent.attempt, environment: 'installed', over: undefined, timers: context.timers, signal: context.signal })
      return outcomeOf(step, end, context)
    },
    ended: (attempt, machine) => sessions.session(machine)?.acknowledge(attempt),
  }
}

async function run(step: Step, context: StepContext, options: RoleDriverOptions): Promise<StepOutcome> {
  const { plan, changes } = context
  // The document of a removal is among the changes, but for what the plan has of it already.
  const planned = stepDocument(step, plan.values) ?? (step.attributes === null ? null : stepDocument(step, { ...plan.values, ...changes.values }))
  if (planned === null) return waiting(`what ${step.id} is given is not known before ${step.node} has a machine`)
  const inputs = await resolveInputs(planned, { step, context, secrets: options.secrets })
  if (inputs.kind === 'missing') return { kind: 'failed', code: inputs.code, message: inputs.message, retryable: false }
  const resolved = resolveDocument(planned, (input) => inputs.values.get(inputKey(input)))
  const [wrong] = resolved.failed
  if (wrong !== undefined) return { kind: 'failed', code: 'DEFERRED_INVALID', message: `${wrong.pointer}: ${wrong.message}`, retryable: false }
  const digested = digest(replaceAt(resolved.document, resolved.sensitive, options.reference))

  const before = step.node === null ? undefined : context.ledger.nodes[step.node]?.steps[step.id]
  if (context.mayBeUnchanged && before?.digest === step.digest && before.inputs === digested) {
    return { kind: 'unchanged', provides: before.provides, sealed: before.sealed, inputs: digested }
  }

  const session = sessionOf(step, context, options.sessions)
  if ('kind' in session) return session
  const brought = await packagesOf(step, plan, options.stager)
  if ('kind' in brought) return brought

  const { attempt } = await context.intend({ machine: session.machine, inputs: digested })
  if (context.signal.aborted) return { kind: 'cancelled' }
  const document = { ...(resolved.document as StepDocument), crowbar: crowbarDocument(step, context) }
  session.send({
    kind: 'role',
    attempt,
    step: step.id,
    jig: step.jig as string,
    entry: step.entry ?? '',
    content: contentOf(step, context, options.stager),
    document,
    sensitive: resolved.sensitive,
    mask: inputs.sensitive,
    packages: step.packages,
    repository: brought.repository,
    provides: step.provides,
    timeout: step.timeout,
  })
  const end = await awaitAttempt(options.sessions, { machine: session.machine, attempt, environment: 'installed', over: session, timers: context.timers, signal: context.signal })
  return outcomeOf(step, end, context)
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
      return { kind: result.outcome, provides: collected.provides, sealed }
    }
  }
}

/** The installed system of the step's node, or why it cannot be used now. */
function sessionOf(step: Step, { plan, state, ledger }: StepContext, sessions: NodeSessions): NodeSession | StepWaiting {
  const node = step.node as string
  // A removal of a node that the plan has no longer runs where the ledger has it.
  const machine = plan.nodes[node]?.machine ?? ledger.nodes[node]?.machine ?? null
  if (machine === null) return waiting(`${node} has no machine yet`)
  const session = sessions.session(machine)
  if (session === undefined) return waiting(`${node} is not connected`)
  if (session.environment !== 'installed') return waiting(`${node} runs the discovery image, not its own system`)
  const installed = standingInstallation(node, { state, ledger })?.incarnation ?? null
  // A joined machine was not installed by us and bears no name of an installation.
  if (session.incarnation !== null && session.incarnation !== installed) return waiting(`${node} runs another installation than the one it should`)
  return session
}

/** Where the node gets the distribution packages of the step. */
async function packagesOf(step: Step, plan: Plan, stager: Stager): Promise<{ readonly repository: PackageRepository | null } | StepOutcome> {
  const name = step.artifacts.find((artifact) => plan.artifacts[artifact]?.kind === 'packages')
  const staged = name === undefined ? undefined : await stager.locate(name, plan)
  if (staged?.kind === 'repository') return { repository: { url: staged.url, index: staged.index } }
  if (step.packages.length === 0) return { repository: null }
  return { kind: 'failed', code: 'NOT_STAGED', message: `${step.id} brings ${step.packages.join(', ')}, and ${name ?? 'no artifact set with them'} is not in the store`, retryable: false }
}

function contentOf(step: Step, { plan, changes }: StepContext, stager: Stager): RoleTask['content'] {
  if (step.content === null) return []
  const files = plan.contents[step.content] ?? (changes.values[step.content] as Readonly<Record<string, ContentFile>> | undefined) ?? {}
  return Object.entries(files).map(([path, file]) => ({ path, mode: file.mode, file: stager.content(file) }))
}

function waiting(reason: string): StepWaiting {
  return { kind: 'waiting', reason, afterMs: LOOK, on: 'machine' }
}
