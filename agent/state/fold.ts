import type { EventData, LogEvent, LogEventOf } from '../log/event-types.ts'
import { foldStep, forgetErasures } from './fold-step.ts'
import { foldRenamed } from './fold-renamed.ts'
import { copyState, emptyState } from './growing-state.ts'
import type { GrowingState } from './growing-state.ts'
import type { MachineRecord, RunState, State } from './state.ts'

/** The state after some events, from the beginning of the log or from an earlier state, which is left as it is. */
export function fold(events: Iterable<LogEvent>, from?: State): State {
  const state = from === undefined ? emptyState() : copyState(from)
  for (const event of events) applyEvent(state, event)
  return state
}

/** Folds one event in. Depends on state and event alone, never fails, and ignores what is about a run that is over. */
export function applyEvent(state: GrowingState, event: LogEvent): void {
  state.seq = event.seq
  state.epoch = Math.max(state.epoch, event.epoch)
  switch (event.type) {
    case 'agent.started':
      // Whoever was connected was connected to the life before.
      for (const machine of state.machines.values()) changeMachine(state, machine.id, machine.seen, { session: null })
      return
    case 'agent.stopped':
    case 'machine.alarmed':
    case 'boot.seen':
    case 'inventory.committed':
    case 'run.refused':
      return
    case 'site.compiled': {
      const { commit, planId, complete, changed } = event.data
      state.site = { compiled: { commit, planId, complete, changed }, problem: null }
      return
    }
    case 'site.refused':
      state.site = { ...state.site, problem: { commit: event.data.commit, code: event.data.code, message: event.data.message } }
      return
    case 'site.unreachable':
      state.site = { ...state.site, problem: { commit: null, code: 'SITE_UNREACHABLE', message: event.data.message } }
      return
    case 'machine.seen':
    case 'machine.enrolled':
    case 'machine.facts':
    case 'machine.disks':
    case 'machine.quarantined':
    case 'machine.admitted':
    case 'node.connected':
    case 'node.disconnected':
      foldMachine(state, event)
      return
    case 'node.imaged':
      state.nodes.set(event.data.node, { installed: { machine: event.data.machine, incarnation: event.data.incarnation, attempt: event.data.attempt } })
      changeMachine(state, event.data.machine, event.time, { ran: null })
      forgetErasures(state, event.data.node)
      return
    case 'node.renamed':
      foldRenamed(state, event)
      return
    case 'run.started':
      state.run = { run: event.data.run, ended: null, work: workOf(event.data), reason: event.data.reason, started: event.time, cancelled: null, resumed: {}, steps: new Map() }
      return
    case 'run.extended':
    case 'run.continued':
    case 'run.cancelled':
    case 'run.ended':
    case 'rollout.resumed':
      foldRun(state, event)
      return
    case 'approval.given':
      foldApproval(state, event)
      return
    case 'approval.voided':
      if (state.approvals.get(event.data.step)?.approval.once === event.data.once) state.approvals.delete(event.data.step)
      return
    case 'ledger.published':
      state.published = event.data.upTo
      return
    case 'freeze.on':
      state.frozen = { by: event.data.by, reason: event.data.reason, since: event.time }
      return
    case 'freeze.off':
      state.frozen = null
      return
    default:
      foldStep(state, event)
  }
}

function workOf(data: EventData['run.started']): RunState['work'] {
  const { commit, planId, plan, changesId, changes, only, rollouts } = data
  return { commit, planId, plan, changesId, changes, only, rollouts }
}

function foldRun(state: GrowingState, event: LogEventOf<'run.extended' | 'run.continued' | 'run.cancelled' | 'run.ended' | 'rollout.resumed'>): void {
  const run = state.run
  if (run === null || run.run !== event.data.run) return
  switch (event.type) {
    case 'run.extended':
      // What was never started is decided anew under the newer plan; what was started stands.
      for (const [id, step] of run.steps) if (step.status === 'skipped' || step.status === 'waiting' || step.status === 'cancelled') run.steps.delete(id)
      state.run = { ...run, work: workOf(event.data), reason: event.data.reason, ended: null, cancelled: null }
      return
    case 'run.continued':
      state.run = { ...run, reason: event.data.reason, ended: null }
      return
    case 'run.cancelled':
      state.run = { ...run, cancelled: event.data.by }
      return
    case 'rollout.resumed': {
      const { rollout, batch } = event.data
      state.run = { ...run, resumed: { ...run.resumed, [rollout]: [...new Set([...(run.resumed[rollout] ?? []), batch])] } }
      return
    }
    case 'run.ended':
      state.run = { ...run, ended: { state: event.data.state, reason: event.data.reason, time: event.time } }
  }
}

function foldApproval(state: GrowingState, event: LogEventOf<'approval.given'>): void {
  const { approval, by } = event.data
  state.approvals.set(approval.step, { approval, by, time: event.time, seq: event.seq })
  const step = state.run?.steps.get(approval.step)
  // A person has decided: an attempt that nobody could settle may be made once more.
  if (step?.status === 'unknown') state.run?.steps.set(approval.step, { ...step, status: 'retrying', since: event.time, retryAt: event.time, sent: null })
}

type MachineEvent = LogEventOf<'machine.seen' | 'machine.enrolled' | 'machine.facts' | 'machine.disks' | 'machine.quarantined' | 'machine.admitted' | 'node.connected' | 'node.disconnected'>

function foldMachine(state: GrowingState, event: MachineEvent): void {
  const id = event.data.machine
  const before = state.machines.get(id)
  switch (event.type) {
    case 'machine.seen':
      return changeMachine(state, id, event.time, { macs: event.data.macs, firmware: event.data.firmware })
    case 'machine.enrolled':
      return changeMachine(state, id, event.time, { keys: { ...before?.keys, [event.data.environment]: event.data.key } })
    case 'machine.facts':
      return changeMachine(state, id, event.time, { facts: event.data.facts, macs: event.data.facts.nics.map((nic) => nic.mac), firmware: event.data.facts.firmware.kind })
    case 'machine.disks':
      return changeMachine(state, id, event.time, { disks: event.data.disks, disksSeen: event.time })
    case 'machine.quarantined':
      return changeMachine(state, id, event.time, { quarantined: { code: event.data.code, reason: event.data.reason } })
    case 'machine.admitted':
      // A person has looked: what it came up with last says nothing of what is in it now.
      return changeMachine(state, id, before?.seen ?? event.time, { quarantined: null, ran: null })
    case 'node.connected': {
      const { environment, node, incarnation, boot, address } = event.data
      return changeMachine(state, id, event.time, { session: { environment, node, incarnation, boot, address }, ...(environment === 'installed' ? { ran: incarnation } : {}) })
    }
    case 'node.disconnected':
      // A late word about a session that another one has replaced.
      if (before?.session?.boot !== event.data.boot) return
      return changeMachine(state, id, event.time, { session: null })
  }
}

function changeMachine(state: GrowingState, id: string, seen: string, change: Partial<MachineRecord>): void {
  const before = state.machines.get(id) ?? { id, macs: [], firmware: null, keys: {}, seen, facts: null, disks: [], disksSeen: null, quarantined: null, ran: null, renamed: [], session: null }
  state.machines.set(id, { ...before, seen, ...change })
}
