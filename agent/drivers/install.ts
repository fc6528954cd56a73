import { digest } from '../../schemas/canonical.ts'
import { incarnation } from '../../schemas/incarnation.ts'
import type { InstallDocument } from '../../schemas/install.ts'
import type { Step } from '../../schemas/plan.ts'
import type { InstallTask } from '../../schemas/protocol.ts'
import type { Json } from '../../schemas/shape.ts'
import { stepDocument } from '../../schemas/step-values.ts'
import { awaitInstalled } from './await-installed.ts'
import { chooseDisks } from './choose-disks.ts'
import type { Driver, StepContext, StepOutcome } from './driver.ts'
import { networkBoots } from './network-boots.ts'
import type { NetworkBoots } from './network-boots.ts'
import type { NodeSessions } from './sessions.ts'
import type { Stager } from './stage.ts'

/** What installs need from the rest of the agent. */
export interface InstallDriverOptions {
  readonly sessions: NodeSessions
  readonly stager: Stager
  /** Proves that this agent wrote something: `AgentKey.stamp`. */
  readonly stamp: (value: Json) => string
  /** Where and with which new token the installed system enrols. */
  readonly enrolment: (node: { readonly node: string; readonly machine: string; readonly incarnation: string }) => InstallTask['enrolment']
}

/** Milliseconds between looks; a machine that connects or looks at its disks asks sooner. */
const LOOK = 60_000

/**
 * Puts a node onto a machine's disks, or takes over a machine that is installed already (`joined`).
 *
 * Nothing is sent before the disks were seen and are blank, approved, or left by an unfinished attempt. Done when the
 * machine has booted from its disk and said hello as this installation.
 */
export function installDriver(options: InstallDriverOptions): Driver {
  const { sessions } = options
  const boots = networkBoots()
  return {
    kind: 'install',
    refuse(step, plan) {
      const system = step.node === null ? null : plan.nodes[step.node]?.os
      const method = system === null || system === undefined ? 'image' : (plan.systems[system]?.install ?? 'image')
      return method === 'image' || method === 'joined' ? undefined : `this agent cannot install by ${method}`
    },
    async run(step, context) {
      const subject = subjectOf(step, context)
      if (subject === undefined) return { kind: 'waiting', reason: context.plan.missing.find((one) => one.for === `node/${step.node}`)?.because ?? `${step.node} has no machine yet`, afterMs: LOOK, on: 'machine' }
      return subject.install.method === 'joined' ? join(step, subject, sessions) : image(step, subject, { ...options, context, boots })
    },
    async settle(step, sent, context) {
      const subject = subjectOf(step, context)
      if (subject === undefined || sent.machine === null) return { kind: 'unknown', reason: 'its plan does not name a machine', repeatable: true }
      return awaitInstalled(sessions, { node: subject.node, incarnation: installationOf(subject, sent), step: step.id, machine: sent.machine, attempt: sent.attempt, over: undefined, context })
    },
    ended: (attempt, machine) => sessions.session(machine)?.acknowledge(attempt),
  }
}

/** What is put where. */
export interface InstallSubject {
  readonly install: InstallDocument
  readonly node: string
  readonly machine: string
}

function subjectOf(step: Step, { plan }: StepContext): InstallSubject | undefined {
  const document = stepDocument(step, plan.values)?.['install'] as InstallDocument | undefined
  if (document === undefined || step.node === null) return undefined
  return { install: document, node: step.node, machine: document.machine }
}

/** What an attempt puts there, by its name. */
function installationOf({ node }: InstallSubject, { once, attempt }: { readonly once: string | null; readonly attempt: string }): string {
  return incarnation({ node, once, attempt })
}

function join({ once }: Step, subject: InstallSubject, sessions: NodeSessions): StepOutcome {
  const session = sessions.session(subject.machine)
  if (session?.environment === 'installed') return { kind: 'succeeded', provides: {}, inputs: digest(subject.install as unknown as Json), incarnation: incarnation({ node: subject.node, once, attempt: null }) }
  return { kind: 'waiting', reason: `machine ${subject.machine}, which is installed already, is not connected`, afterMs: LOOK, on: 'machine' }
}

async function image(step: Step, subject: InstallSubject, options: InstallDriverOptions & { readonly context: StepContext; readonly boots: NetworkBoots }): Promise<StepOutcome> {
  const { context, sessions, stager, boots } = options
  const { install, machine, node } = subject
  const session = sessions.session(machine)
  const unfinished = context.state.unfinished.get(step.id)
  // Its last attempt put a whole system onto the disk, whatever became of the step: that is no half-written disk any more.
  const last = context.state.nodes.get(node)?.installed ?? null
  const whole = unfinished !== undefined && last?.attempt === unfinished.attempt ? last : null
  if (whole !== null && unfinished?.once === step.once && session?.environment === 'installed' && session.incarnation === whole.incarnation) {
    return { kind: 'succeeded', provides: {}, inputs: digest(install as unknown as Json), incarnation: session.incarnation }
  }
  const notConnected: StepOutcome = { kind: 'waiting', reason: `machine ${machine} is not connected`, afterMs: LOOK, on: 'machine' }

  // What a machine that runs from its disk has on it was seen before it booted, and again before anything is written.
  // So a person can be asked while it is away, and until then it goes on booting the system that it has.
  const disks = session !== undefined && session.disks.length > 0 ? session.disks : (context.state.machines.get(machine)?.disks ?? [])
  if (disks.length === 0 && session === undefined) return notConnected
  const decision = chooseDisks({
    step,
    machine,
    targets: install.targets,
    disks,
    approval: context.state.approvals.get(step.id)?.approval,
    unfinished: whole === null ? unfinished : undefined,
  })
  switch (decision.kind) {
    case 'unknown':
    case 'missing':
      return { kind: 'waiting', reason: decision.reason, afterMs: LOOK, on: 'machine' }
    case 'ask':
      return { kind: 'waiting', reason: decision.reason, afterMs: Infinity, on: 'person', approval: decision.approval, ...(decision.voids === null ? {} : { voids: decision.voids }) }
    case 'write':
  }
  if (session === undefined) return notConnected
  if (session.environment !== 'discovery') return boots.ask(session, 'to be installed')

  boots.came(machine)
  const rootfs = install.rootfs === null ? undefined : await stager.locate(install.rootfs, context.plan)
  if (rootfs?.kind !== 'file') return { kind: 'failed', code: 'NOT_STAGED', message: `the root filesystem ${install.rootfs} is not in the store`, retryable: false }

  const stamp = decision.resumed?.stamp ?? options.stamp({ step: step.id, once: step.once, machine, approved: decision.approved, disks: decision.disks.map(({ id, serial, signature }) => ({ id, serial, signature })) })
  const { attempt } = await context.intend({ machine, inputs: digest(install as unknown as Json), disks: decision.disks, stamp, approved: decision.approved })
  if (context.signal.aborted) return { kind: 'cancelled' }
  const started = installationOf(subject, { once: step.once, attempt })
  const orStamp = decision.resumed === null ? null : stamp
  session.send({
    kind: 'install',
    attempt,
    step: step.id,
    install,
    rootfs: { url: rootfs.url, sha256: rootfs.sha256, bytes: rootfs.bytes },
    expect: decision.disks.map(({ id, signature }) => ({ id, signature, orStamp })),
    stamp,
    enrolment: options.enrolment({ node, machine, incarnation: started }),
    timeout: step.timeout,
  })
  return awaitInstalled(sessions, { node, machine, incarnation: started, step: step.id, attempt, over: session, context })
}
