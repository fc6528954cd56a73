import { approvalCode, signatureDigest } from '../../schemas/approval.ts'
import type { Approval, Changes } from '../../schemas/changes.ts'
import type { PendingApproval, Status, StepState as StepWord, StepStatus } from '../../schemas/control.ts'
import type { DiskState } from '../../schemas/inventory.ts'
import type { Ledger } from '../../schemas/ledger.ts'
import type { Plan } from '../../schemas/plan.ts'
import { isAdminMachine } from '../../schemas/incarnation.ts'
import { refusalOf } from '../../schemas/refusal.ts'
import type { Schedule } from '../engine/schedule.ts'
import { machineOfNode } from '../state/machine-of-node.ts'
import { runsAnother, standingInstallation, unfinishedErasure } from '../state/standing-installation.ts'
import type { MachineRecord, State, StepState } from '../state/state.ts'

/** What `status` is made of. */
export interface StatusSources {
  readonly agent: { readonly node: string; readonly version: string; readonly ready: boolean; readonly readyReason: string | null }
  readonly site: { readonly repository: string; readonly branch: string }
  readonly state: State
  /** The last plan that compiled; null before the first. */
  readonly plan: Plan | null
  /** What of the newest commit waits for a person. */
  readonly held: Status['held']
  /** Of the last run; null before the first. */
  readonly changes: Changes | null
  readonly schedule: Schedule | null
  readonly ledger: Ledger
  /** Milliseconds since 1970. */
  readonly now: number
}

/** Says where everything stands. Pure. */
export function describeStatus(sources: StatusSources): Status {
  const { state, plan } = sources
  const steps = stepsOf(sources)
  const { problem, compiled } = state.site
  return {
    agent: { node: sources.agent.node, epoch: state.epoch, version: sources.agent.version, frozen: state.frozen !== null, ready: sources.agent.ready, readyReason: sources.agent.readyReason },
    site: {
      repository: sources.site.repository,
      branch: sources.site.branch,
      commit: compiled?.commit ?? null,
      state: problem === null ? (compiled === null ? 'starting' : 'good') : problem.code === 'SITE_UNREACHABLE' ? 'unreachable' : 'refused',
      reason: problem?.message ?? null,
      diagnostics: [],
    },
    run: state.run === null ? null : { run: state.run.run, commit: state.run.work.commit, state: state.run.ended?.state ?? 'running', started: state.run.started, ended: state.run.ended?.time ?? null },
    held: sources.held,
    nodes: Object.entries(plan?.nodes ?? {}).filter(([name, node]) => !node.admin || hasRoles(name, plan)).map(([name, node]) => ({
      name,
      machine: node.machine,
      os: node.os,
      address: node.addresses[plan?.site.admin.network ?? ''] ?? null,
      incarnation: standingInstallation(name, { state, ledger: sources.ledger })?.incarnation ?? null,
      ...presence(name, plan === null ? null : machineOfNode(name, { plan }), { sources, steps }),
    })),
    machines: [...state.machines.values()].filter(({ id }) => !isAdminMachine(id)).map(machine => ({ id: machine.id, node: nodeOf(machine, plan), summary: summarise(machine) })),
    steps,
    rollouts: (sources.schedule?.rollouts ?? []).map(({ id, batch, batches, nodes, failed, maxFailures, state: at, reason }) => ({ id, batch: batches === 0 ? 0 : batch + 1, batches, nodes, failed: [...failed], maxFailures, state: at, reason })),
    refusals: (state.run === null ? [] : (sources.changes?.changes ?? [])).flatMap((change) => {
      const because = refusalOf(change)
      return because === null ? [] : [{ step: change.step.id, node: change.step.node, because }]
    }),
    approvals: approvalsOf(sources),
  }
}

/** Every step of the last run in plan order, those included that were done before it was last extended. */
function stepsOf({ state, plan, changes, schedule, now }: StatusSources): StepStatus[] {
  const run = state.run
  if (run === null || changes === null) return []
  const nodes = new Map([...run.steps].map(([id, step]) => [id, step.node]))
  for (const { step } of changes.changes) nodes.set(step.id, step.node)
  const planned = (plan?.steps ?? []).map(step => step.id).filter(id => nodes.has(id))
  // Removals are in no plan, and come first; what operations and gates do comes last.
  const isPlanned = new Set(planned)
  const others = [...nodes.keys()].filter(id => !isPlanned.has(id))
  const isLate = (id: string): boolean => id.startsWith('operation/') || id.startsWith('gate/')
  const ids = [...others.filter(id => !isLate(id)), ...planned, ...others.filter(isLate)]
  return ids.map(id => {
    const node = nodes.get(id) ?? null
    const known = run.steps.get(id)
    const blocked = schedule?.blocked.get(id)
    if (known === undefined) {
      return { id, node, state: blocked === undefined ? 'ready' : 'blocked', reason: blocked?.map(one => one.message).join('; ') ?? null, seconds: null, attempts: 0 }
    }
    return { id, node, state: word(known), reason: known.reason, seconds: secondsOf(known, now), attempts: known.n }
  })
}

function word(step: StepState): StepWord {
  return step.status === 'retrying' ? 'ready' : step.status
}

function secondsOf(step: StepState, now: number): number | null {
  if (step.status === 'running') return Math.max(0, Math.round((now - Date.parse(step.since)) / 1000))
  return step.status === 'succeeded' || step.status === 'failed' ? step.seconds : null
}

const DONE: ReadonlySet<StepWord> = new Set(['succeeded', 'unchanged'])

function doing(node: string, steps: readonly StepStatus[]): string {
  const mine = steps.filter(step => step.node === node)
  const find = (...states: readonly StepWord[]): StepStatus | undefined => mine.find(step => states.includes(step.state))
  const failed = find('failed', 'unknown')
  if (failed !== undefined) return `${failed.id} ${failed.state}: ${failed.reason ?? ''}`
  const running = find('running')
  if (running !== undefined) return `${running.id}${running.reason === null ? '' : `: ${running.reason}`}`
  const waiting = find('waiting', 'blocked', 'ready')
  if (waiting !== undefined) return `waits with ${waiting.id}${waiting.reason === null ? '' : `: ${waiting.reason}`}`
  return mine.length === 0 ? 'nothing to do' : 'done'
}

/** What installation it is counts, too: one that its node should not run is given nothing, however well it is connected. */
function presence(node: string, machine: string | null, { sources: { state, ledger }, steps }: { readonly sources: StatusSources; readonly steps: readonly StepStatus[] }): Pick<Status['nodes'][number], 'connected' | 'doing'> {
  const environment = machine === null ? null : (state.machines.get(machine)?.session?.environment ?? null)
  const erased = ledger.nodes[node]?.erased
  if (erased !== undefined && !steps.some((step) => step.node === node && !DONE.has(step.state))) {
    return { connected: environment, doing: `${unfinishedErasure(node, state) === undefined ? 'erased' : 'half erased'} by ${erased.step}: nothing is installed there until crowbar reinstall ${node}` }
  }
  if (environment === 'discovery' || !runsAnother(machine, node, { state, ledger })) return { connected: environment, doing: doing(node, steps) }
  return { connected: null, doing: `its machine came up with another installation than the one it should run (STALE): put the right disk back, then crowbar admit ${machine}; ${doing(node, steps)}` }
}

/** Admin nodes are shown when something runs on them. */
function hasRoles(node: string, plan: Plan | null): boolean {
  return Object.values(plan?.roles ?? {}).some(({ members }) => members.some((member) => member.node === node))
}

function nodeOf(machine: MachineRecord, plan: Plan | null): string | null {
  return Object.entries(plan?.nodes ?? {}).find(([, node]) => node.machine === machine.id)?.[0] ?? null
}

function summarise(machine: MachineRecord): string {
  if (machine.quarantined !== null) return `quarantine: ${machine.quarantined.reason}`
  const facts = machine.facts
  if (facts === null) return machine.macs.join(' ')
  const disks = facts.disks.map(disk => `${(disk.bytes / 1e9).toFixed(1)} GB`).join(' + ')
  return `${facts.dmi.vendor} ${facts.dmi.product}, ${facts.firmware.kind}, ${facts.cpu.threads} threads, ${(facts.memory.bytes / 2 ** 30).toFixed(1)} GiB, ${disks === '' ? 'no disk' : disks}, ${facts.nics.map(nic => nic.mac).join(' ')}`
}

function approvalsOf({ state }: StatusSources): Status['approvals'] {
  return [...(state.run?.steps ?? []).values()].flatMap(one =>
    one.approval === null || one.node === null || (one.status !== 'waiting' && one.status !== 'unknown') ? [] : [pendingApproval(one.approval, one.node, state)])
}

/** An approval as it is shown to whoever is to give it. */
export function pendingApproval(approval: Approval, node: string | null, state: State): PendingApproval {
  const { step, machine } = approval
  const seen = state.machines.get(machine)?.disks ?? []
  return { step, node, machine, disks: approval.disks.map(disk => ({ id: disk.id, serial: disk.serial, bytes: disk.bytes, summary: summaryOf(disk, seen) })), code: approvalCode(approval) }
}

/** What is on a disk that an approval is about; never of another content than the one that it would allow to overwrite. */
export function summaryOf(approved: { readonly id: string; readonly signature: string }, seen: readonly DiskState[]): string {
  return seen.find(disk => disk.id === approved.id && signatureDigest(disk) === approved.signature)?.summary ?? 'not as it was last looked at'
}
