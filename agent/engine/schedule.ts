import type { StepState } from '../state/state.ts'
import { refusalOf } from '../../schemas/refusal.ts'
import type { BlockReason } from './block-reason.ts'
import { waves } from './waves.ts'
import type { WavePosition, Waves } from './waves.ts'
import { ancestors } from './work.ts'
import type { Work, WorkItem } from './work.ts'

/** How much may go on at once. */
export interface Limits {
  readonly running: number
  readonly install: number
}

/** Everything that decides what may start. */
export interface ScheduleInput {
  readonly work: Work
  /** Of the run, as the log says. */
  readonly steps: ReadonlyMap<string, StepState>
  /** Steps that a driver has in hand now, sent or not. */
  readonly active: ReadonlySet<string>
  /** deployment/role of the roles that have their cluster. */
  readonly bootstrapped: ReadonlySet<string>
  /** Steps that have an approval in force. Whether it still covers what is there is looked at when the step starts. */
  readonly approved: ReadonlySet<string>
  /** Rollout → indexes of the batches after which a person lets it go on. */
  readonly resumed: Readonly<Record<string, readonly number[]>>
  readonly frozen: boolean
  readonly cancelled: boolean
  readonly limits: Limits
  /** Milliseconds since 1970. */
  readonly now: number
  /** When a waiting step is to be asked again, milliseconds since 1970; absent: now. */
  readonly askAt: ReadonlyMap<string, number>
  /** For how long a run stays open only because machines are waited for, milliseconds. */
  readonly patienceMs: number
}

export interface Schedule {
  /** To start now, in plan order; at most one a node. */
  readonly start: readonly string[]
  /** Never to start: step → the failed step that is the cause. */
  readonly skip: ReadonlyMap<string, string>
  /** All that has not ended, does not run and is not started now. */
  readonly blocked: ReadonlyMap<string, readonly BlockReason[]>
  readonly rollouts: readonly WavePosition[]
  /** How the run ends now; null while it goes on. */
  readonly done: 'complete' | 'partial' | 'failed' | null
  /** Milliseconds since 1970 when time alone may change this; undefined: only events can. */
  readonly wakeAt?: number
}

type Standing = 'done' | 'failed' | 'running' | 'open'

/**
 * What may start now, and why the rest may not. Pure.
 *
 * A step starts when everything in the run that it needs is done and its node is free. A failed step fences its node:
 * what needs it and whatever else is left on its node is skipped, and all other branches go on. A node of which a step
 * waits for a person does nothing else but what that step needs; one of which a step is refused does nothing. A step that
 * rollouts govern starts with its batch.
 */
export function schedule(input: ScheduleInput): Schedule {
  const { work } = input
  const view = look(input)
  const start: string[] = []
  const skip = new Map<string, string>()
  const blocked = new Map<string, readonly BlockReason[]>()
  const busy = new Map(view.busy)
  let running = view.running
  let installing = view.installing
  let alive = false
  let wakeAt: number | undefined
  let open = 0

  for (const item of work.order) {
    const standing = view.standing.get(item.id) as Standing
    if (standing !== 'open') continue
    const cause = input.cancelled ? undefined : skippedBy(item, view, skip)
    if (cause !== undefined) {
      skip.set(item.id, cause)
      continue
    }
    open++
    const reasons = reasonsAgainst(item, input, view)
    const wait = waitOf(item, input)
    if (wait !== undefined) {
      reasons.push(wait.reason)
      if (reasons.length === 1 && wait.alive) {
        alive = true
        if (wait.until !== undefined && (wakeAt === undefined || wait.until < wakeAt)) wakeAt = wait.until
      }
    }
    if (reasons.length === 0) {
      const node = item.step.node
      const other = node === null ? undefined : busy.get(node)
      if (input.frozen) reasons.push({ code: 'FROZEN', message: 'everything is frozen' })
      else if (other !== undefined) reasons.push({ code: 'NODE_BUSY', message: `${node} is busy with ${other}`, step: other })
      else if (running >= input.limits.running) reasons.push({ code: 'LIMIT', message: `${running} steps run already` })
      else if (item.step.kind === 'install' && installing >= input.limits.install) reasons.push({ code: 'LIMIT', message: `${installing} installs run already` })
      if (reasons.length === 0) {
        start.push(item.id)
        view.waves.began(item)
        running++
        if (item.step.kind === 'install') installing++
        if (node !== null) busy.set(node, item.id)
        continue
      }
      // Only others, or a person's thaw, hold it back: the run is not over.
      alive = true
    }
    blocked.set(item.id, reasons)
  }

  const going = view.running > 0 || start.length > 0 || skip.size > 0 || (alive && !input.cancelled)
  const failed = view.failed
  const done = going ? null : input.cancelled || failed ? 'failed' : open === 0 ? 'complete' : 'partial'
  return { start, skip, blocked, rollouts: view.waves.positions, done, ...(wakeAt === undefined ? {} : { wakeAt }) }
}

interface Deferral {
  readonly step: string
  /** What may run meanwhile: all that the step needs. */
  readonly allowed: ReadonlySet<string>
  readonly unknown: boolean
}

interface View {
  readonly standing: ReadonlyMap<string, Standing>
  /** Node → the step that runs on it, of whatever version of the plan. */
  readonly busy: ReadonlyMap<string, string>
  /** Node → the failed step that fences it. */
  readonly fenced: ReadonlyMap<string, string>
  /** Node → the step that waits for a person, and what may still run for it. */
  readonly deferred: ReadonlyMap<string, Deferral>
  /** Node → the step that must not run, and why. */
  readonly refused: ReadonlyMap<string, { readonly step: string; readonly why: string }>
  /** Node → a removal that comes first. */
  readonly removing: ReadonlyMap<string, string>
  readonly waves: Waves
  readonly running: number
  readonly installing: number
  readonly failed: boolean
}

function look(input: ScheduleInput): View {
  const { work, steps, active } = input
  const standing = new Map<string, Standing>()
  const busy = new Map<string, string>()
  const fenced = new Map<string, string>()
  let running = 0
  let installing = 0
  let failed = false

  for (const item of work.order) {
    const was = standingOf(item, steps.get(item.id), active)
    // A barrier that was passed when fewer machines were there stands for those that came since, too.
    const now = was === 'done' && item.step.kind === 'barrier' && !item.needs.every((need) => standing.get(need) === 'done' || isMissingMember(item, need, input)) ? 'open' : was
    standing.set(item.id, now)
    if (now !== 'failed') continue
    failed = true
    if (item.step.node !== null && steps.get(item.id)?.status === 'failed' && !fenced.has(item.step.node)) fenced.set(item.step.node, item.id)
  }
  const occupy = (id: string, node: string | null, kind: string | undefined): void => {
    running++
    if (kind === 'install') installing++
    if (node !== null) busy.set(node, id)
  }
  // Also steps that a newer plan does not have any more: they were started, and stand.
  const strays = new Set<string>()
  for (const [id, step] of steps) {
    if (step.status === 'running' && !active.has(id)) occupy(id, step.node, work.items.get(id)?.step.kind)
    if (step.status === 'running' && !work.items.has(id) && step.node !== null) strays.add(step.node)
  }
  for (const id of active) occupy(id, work.items.get(id)?.step.node ?? steps.get(id)?.node ?? null, work.items.get(id)?.step.kind)

  const deferred = new Map<string, Deferral>()
  const refused = new Map<string, { readonly step: string; readonly why: string }>()
  const removing = new Map<string, string>()
  for (const item of work.order) {
    const node = item.step.node
    if (node === null || standing.get(item.id) !== 'open') continue
    const why = item.change === undefined ? null : refusalOf(item.change)
    if (why !== null && !refused.has(node)) refused.set(node, { step: item.id, why })
    if (!deferred.has(node) && waitsForPerson(item, input)) {
      deferred.set(node, { step: item.id, allowed: ancestors(item.id, work.items), unknown: current(item, steps)?.status === 'unknown' })
    }
    if (!removing.has(node) && work.leading.has(item.id)) removing.set(node, item.id)
  }
  return { standing, busy, fenced, deferred, refused, removing, waves: waves({ work, steps, standing, fenced, strays, resumed: input.resumed }), running, installing, failed }
}

/** What the log says of this version of a step; nothing, when it is about another version. */
function current(item: WorkItem, steps: ScheduleInput['steps']): StepState | undefined {
  const state = steps.get(item.id)
  return state !== undefined && (state.digest === item.step.digest || state.status === 'running') ? state : undefined
}

function standingOf(item: WorkItem, state: StepState | undefined, active: ReadonlySet<string>): Standing {
  if (active.has(item.id) || state?.status === 'running') return 'running'
  if (state === undefined || state.digest !== item.step.digest) return 'open'
  switch (state.status) {
    case 'succeeded':
    case 'unchanged':
      return 'done'
    case 'failed':
    case 'skipped':
    case 'cancelled':
      return 'failed'
    case 'waiting':
    case 'retrying':
    case 'unknown':
      return 'open'
  }
}

function waitsForPerson(item: WorkItem, input: ScheduleInput): boolean {
  const state = current(item, input.steps)
  if (state?.status === 'unknown') return true
  // What waits for the approval of another step is held back by that one.
  if (state?.status === 'waiting' && state.on === 'person' && (state.approval === null || state.approval.step === item.id)) return true
  return item.change?.needsApproval === true && !input.approved.has(item.id)
}

function skippedBy(item: WorkItem, view: View, skip: ReadonlyMap<string, string>): string | undefined {
  for (const need of item.needs) {
    if (skip.has(need)) return skip.get(need)
    if (view.standing.get(need) === 'failed') return need
  }
  return item.step.node === null ? undefined : view.fenced.get(item.step.node)
}

function reasonsAgainst(item: WorkItem, input: ScheduleInput, view: View): BlockReason[] {
  const { step } = item
  const reasons: BlockReason[] = []
  if (input.cancelled) reasons.push({ code: 'CANCELLED', message: 'the run was cancelled' })
  for (const need of item.excluded) reasons.push({ code: 'EXCLUDED', message: `it needs ${need}, which was left out`, step: need })
  for (const need of item.needs) {
    if (view.standing.get(need) === 'done' || isMissingMember(item, need, input)) continue
    reasons.push({ code: 'NEEDS', message: `it needs ${need}`, step: need })
  }
  const refused = step.node === null ? undefined : view.refused.get(step.node)
  if (refused !== undefined) {
    // Whole, so that no success of another step tells the ledger that the protection is over.
    reasons.push({ code: 'REFUSED', message: refused.step === item.id ? refused.why : `${refused.step} is refused, and so ${step.node} is left alone`, step: refused.step })
  }
  const deferred = step.node === null ? undefined : view.deferred.get(step.node)
  if (deferred !== undefined && deferred.step !== item.id && !deferred.allowed.has(item.id)) {
    const message = deferred.unknown ? `nobody knows how ${deferred.step} ended` : `${step.node} waits for the approval of ${deferred.step}`
    reasons.push({ code: deferred.unknown ? 'UNKNOWN' : 'NODE_DEFERRED', message, step: deferred.step })
  }
  const removal = step.node === null || deferred !== undefined ? undefined : view.removing.get(step.node)
  if (removal !== undefined && step.kind === 'role' && step.action !== 'remove') reasons.push({ code: 'REMOVAL_FIRST', message: `${removal} comes first`, step: removal })
  const members = membersAgainst(item, input)
  if (members !== undefined) reasons.push(members)
  reasons.push(...view.waves.against(item))
  return reasons
}

/** Once a cluster stands, a member that has no machine holds up nobody who waits for all of them. */
function isMissingMember(item: WorkItem, need: string, input: ScheduleInput): boolean {
  const { step } = item
  if (step.kind !== 'barrier' || step.role === null || !input.bootstrapped.has(`${step.deployment}/${step.role}`)) return false
  const node = input.work.items.get(need)?.step.node
  return node !== null && node !== undefined && !isClaimed(node, input)
}

/** Until a role has its cluster, it runs nowhere with too few machines. */
function membersAgainst(item: WorkItem, input: ScheduleInput): BlockReason | undefined {
  const { step } = item
  if (step.kind !== 'role' || step.action !== 'run' || step.deployment === null || step.role === null) return undefined
  const id = `${step.deployment}/${step.role}`
  const role = input.work.plan.roles[id]
  if (role === undefined || input.bootstrapped.has(id)) return undefined
  const claimed = role.members.filter((member) => isClaimed(member.node, input)).length
  if (claimed < role.min) return { code: 'MEMBERS', message: `${id} needs ${role.min} members with a machine, and has ${claimed}` }
  if (!role.cluster || claimed === role.members.length) return undefined
  const missing = role.members.find((member) => !isClaimed(member.node, input))
  return { code: 'MEMBERS', message: `${id} is a cluster, and its member ${missing?.node} has no machine yet` }
}

function isClaimed(node: string, input: ScheduleInput): boolean {
  const planned = input.work.plan.nodes[node]
  return planned !== undefined && (planned.machine !== null || planned.admin)
}

/** A step that has said what it waits for, or that failed and is tried again later. `alive`: the run stays open for it. */
function waitOf(item: WorkItem, input: ScheduleInput): { readonly reason: BlockReason; readonly alive: boolean; readonly until?: number } | undefined {
  const state = current(item, input.steps)
  if (state === undefined) return undefined
  if (state.status === 'unknown') return { reason: { code: 'UNKNOWN', message: state.reason ?? 'nobody knows how it ended' }, alive: false }
  if (state.status === 'retrying') {
    const at = Date.parse(state.retryAt ?? state.since)
    if (at <= input.now) return undefined
    return { reason: { code: 'RETRY', message: `it failed and is tried again at ${state.retryAt}: ${state.reason}` }, alive: true, until: at }
  }
  if (state.status !== 'waiting') return undefined
  const askAt = input.askAt.get(item.id) ?? 0
  if (askAt <= input.now) return undefined
  const reason: BlockReason = { code: 'WAITING', message: state.reason ?? 'it waits' }
  const deadline = Date.parse(state.since) + input.patienceMs
  if (state.on === 'person' || deadline <= input.now) return { reason, alive: false }
  return { reason, alive: true, until: Math.min(askAt, deadline) }
}
