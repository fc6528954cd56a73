import { digest } from '../../schemas/canonical.ts'
import { isErase } from '../../schemas/operation.ts'
import type { OperationPart, OperationWork } from '../../schemas/operation.ts'
import type { Plan, Step } from '../../schemas/plan.ts'
import type { EntriesTask, PackageRepository, TaskResult } from '../../schemas/protocol.ts'
import type { Json } from '../../schemas/shape.ts'
import { stepDocument } from '../../schemas/step-values.ts'
import { chooseJig } from '../jigs/choose-jig.ts'
import { approvable } from '../control/approvals.ts'
import { findStep } from '../state/ledger-event-of.ts'
import { standingInstallation } from '../state/standing-installation.ts'
import { awaitAttempt } from './await-attempt.ts'
import type { AttemptEnd } from './await-attempt.ts'
import { awaitReboot } from './await-reboot.ts'
import type { Driver, StepContext, StepOutcome } from './driver.ts'
import { installedSession } from './installed-session.ts'
import { awaitErased, eraseDisks } from './erase.ts'
import { networkBoots } from './network-boots.ts'
import type { NetworkBoots } from './network-boots.ts'
import { contentOf, roleDocument, waitForMachine } from './role-document.ts'
import type { RoleDriverOptions } from './role.ts'

/** Milliseconds between looks; a machine that looks at its disks asks sooner. */
const LOOK = 60_000

export interface OperationDriverOptions extends RoleDriverOptions {
  /** Proves that this agent wrote something: `AgentKey.stamp`. */
  readonly stamp: (value: Json) => string
}

/**
 * Carries out one action of an operation on one node: entries of its roles one after another, an upgrade of its packages,
 * a restart, disks to erase. What got lost runs again under a new number, but for a restart that happened. `reinstall` itself does
 * nothing: the install that it stands for is a step of its own.
 */
export function operationDriver(options: OperationDriverOptions): Driver {
  const { sessions } = options
  const boots = networkBoots()
  return {
    kind: 'operation',
    refuse(step, plan) {
      const part = partOf(step, plan)
      // Which disks is not known before the node's machine is: it waits for that.
      if (isErase(step)) return undefined
      if (part === undefined || step.node === null) return 'its document does not say what to do'
      const unknown = part.roles.find(({ jig }) => chooseJig(jig) === undefined)
      return unknown === undefined ? undefined : `${unknown.step} needs the jig ${unknown.jig}, which this agent does not have`
    },
    run: (step, context) => (isErase(step) ? erase(step, context, { ...options, boots }) : run(step, context, options)),
    async settle(step, sent, context) {
      const { machine, attempt, boot } = sent
      if (machine === null) return { kind: 'unknown', reason: 'it was sent without a machine', repeatable: true }
      const { timers, signal } = context
      if (isErase(step)) return awaitErased(step, { sessions, machine, attempt, over: undefined, context })
      if (boot !== null) return awaitReboot(sessions, { node: step.node ?? machine, machine, attempt, boot, over: undefined, timers, signal })
      return outcomeOf(step, await awaitAttempt(sessions, { machine, attempt, environment: 'installed', over: undefined, timers, signal }))
    },
    ended: (attempt, machine) => sessions.session(machine)?.acknowledge(attempt),
  }
}

async function erase(step: Step, context: StepContext, { sessions, stamp, boots }: OperationDriverOptions & { readonly boots: NetworkBoots }): Promise<StepOutcome> {
  const part = partOf(step, context.plan)
  if (part === undefined) return waitForMachine(`which disks of ${step.node} are to be erased is not known yet`)
  return eraseDisks(step, part, { sessions, stamp, boots, context })
}

/** What leads to a wipe takes its node out of service, and so waits for that to be approved. */
function beforeApproval(step: Step, { plan, changes, state }: StepContext): StepOutcome | undefined {
  const wipes = changes.changes.filter((one) => one.needsApproval && one.step.destructive && one.step.node === step.node)
  const byId = new Map(changes.changes.map((one) => [one.step.id, one.step]))
  const comesAfter = (id: string, seen: Set<string>): boolean => (byId.get(id)?.needs ?? []).some((need) => need.step === step.id || (!seen.has(need.step) && comesAfter(need.step, seen.add(need.step))))
  const next = wipes.find((one) => isErase(one.step)) ?? wipes[0]
  if (next === undefined || state.approvals.has(next.step.id) || !comesAfter(next.step.id, new Set())) return undefined
  const approval = approvable(plan, changes, state).get(next.step.id)
  const reason = `it takes ${step.node} out of service, and ${next.step.id} is not approved`
  return { kind: 'waiting', reason, afterMs: approval === undefined ? LOOK : Infinity, on: approval === undefined ? 'machine' : 'person', ...(approval === undefined ? {} : { approval }) }
}

function partOf(step: Step, plan: Plan): OperationPart | undefined {
  const part = stepDocument(step, plan.values)?.['operation']
  return part === undefined ? undefined : (part as unknown as OperationPart)
}

async function run(step: Step, context: StepContext, options: RoleDriverOptions): Promise<StepOutcome> {
  const part = partOf(step, context.plan)
  if (part === undefined) return { kind: 'failed', code: 'OPERATION_UNKNOWN', message: `${step.id} does not say what to do`, retryable: false }
  const nothing = part.do === 'reinstall' || (part.roles.length === 0 && part.do !== 'reboot' && part.do !== 'packages')
  // A node that is to be erased need not have been installed: then there is nothing to drain.
  const isBare = context.changes.changes.some((one) => isErase(one.step) && one.step.node === step.node) && standingInstallation(step.node ?? '', context) === null && !context.changes.changes.some((one) => one.step.id === `install@${step.node}`)
  if (part.do === 'reinstall') return { kind: 'unchanged', provides: {} }
  const held = beforeApproval(step, context)
  if (held !== undefined) return held
  if (nothing || isBare) return { kind: 'unchanged', provides: {} }
  const session = installedSession(step, context, options.sessions)
  if ('kind' in session) return session
  const { machine } = session
  const { timers, signal } = context
  const base = { step: step.id, timeout: step.timeout }

  if (part.do === 'reboot') {
    const { attempt } = await context.intend({ machine, inputs: null, boot: session.boot })
    if (signal.aborted) return { kind: 'cancelled' }
    session.send({ kind: 'reboot', attempt, ...base })
    return awaitReboot(options.sessions, { node: step.node ?? machine, machine, attempt, boot: session.boot, over: session, timers, signal })
  }
  const work = part.do === 'packages' ? await repositoryOf(step, context, options) : await entriesOf(step, part, { context, options })
  if ('kind' in work) return work
  const { attempt } = await context.intend({ machine, inputs: work.inputs })
  if (signal.aborted) return { kind: 'cancelled' }
  session.send('repository' in work ? { kind: 'upgrade', attempt, ...base, repository: work.repository } : { kind: 'entries', attempt, ...base, entries: work.entries })
  return outcomeOf(step, await awaitAttempt(options.sessions, { machine, attempt, environment: 'installed', over: session, timers, signal }))
}

async function repositoryOf(step: Step, { plan }: StepContext, { stager }: RoleDriverOptions): Promise<{ readonly inputs: string; readonly repository: PackageRepository } | StepOutcome> {
  const name = step.artifacts.find((artifact) => plan.artifacts[artifact]?.kind === 'packages')
  // No role of this os brings packages: there is nothing to upgrade to.
  if (name === undefined) return { kind: 'unchanged', provides: {} }
  const staged = await stager.locate(name, plan)
  if (staged?.kind === 'repository') return { inputs: staged.hash, repository: { url: staged.url, index: staged.index, key: staged.key } }
  return { kind: 'failed', code: 'NOT_STAGED', message: `${name} is not in the store`, retryable: false }
}

async function entriesOf(step: Step, { do: action, roles }: OperationPart, { context, options }: { readonly context: StepContext; readonly options: RoleDriverOptions }): Promise<{ readonly inputs: string; readonly entries: EntriesTask['entries'] } | StepOutcome> {
  const entries: EntriesTask['entries'][number][] = []
  const inputs: string[] = []
  for (const work of roles) {
    const role = roleStep(work, context)
    if (role === undefined) return { kind: 'failed', code: 'ROLE_UNKNOWN', message: `the plan has no ${work.step}`, retryable: false }
    const given = await roleDocument(role, context, options)
    if (given.kind !== 'ready') return given
    const crowbar = { ...(given.document['crowbar'] as { readonly [key: string]: Json }), step: step.id, action }
    entries.push({ step: work.step, jig: work.jig, entry: work.entry, content: contentOf(work, context, options.stager), document: { ...given.document, crowbar }, sensitive: [...given.sensitive], mask: [...given.mask], timeout: work.timeout })
    inputs.push(given.inputs)
  }
  return { entries, inputs: digest(inputs) }
}

/** The role's own step, with the document that the operation names. */
function roleStep({ step, attributes, content }: OperationWork, { plan, changes }: StepContext): Step | undefined {
  const role = findStep(step, { plan, changes })
  return role === undefined ? undefined : { ...role, attributes: attributes ?? role.attributes, content }
}

function outcomeOf(step: Step, end: AttemptEnd): StepOutcome {
  switch (end.kind) {
    case 'result':
      return fromResult(step, end.result)
    case 'lost':
      return { kind: 'unknown', reason: end.reason, repeatable: true }
    case 'stopped':
      if (end.stop !== 'TIMEOUT') return { kind: 'cancelled' }
      return { kind: 'failed', code: 'TIMEOUT', message: `${step.node} did not say within ${step.timeout} seconds how ${step.id} ended`, retryable: true }
  }
}

function fromResult(step: Step, { outcome, code, message }: TaskResult): StepOutcome {
  if (outcome === 'cancelled') return { kind: 'cancelled' }
  if (outcome !== 'failed') return { kind: outcome, provides: {} }
  if (code === 'INTERRUPTED') return { kind: 'unknown', reason: message ?? 'the node agent was stopped while it ran', repeatable: true }
  return { kind: 'failed', code: code ?? 'FAILED', message: message ?? `${step.id} failed and did not say why`, retryable: true }
}
