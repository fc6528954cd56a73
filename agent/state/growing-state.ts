import type { ApprovalRecord, MachineRecord, NodeRecord, RunState, State, StepState, UnfinishedAttempt } from './state.ts'

/** A state that is being folded: the same object grows with every event, so that a hundred thousand steps stay cheap. */
export interface GrowingState extends State {
  seq: number
  epoch: number
  frozen: State['frozen']
  site: State['site']
  readonly machines: Map<string, MachineRecord>
  readonly nodes: Map<string, NodeRecord>
  run: GrowingRun | null
  readonly tries: Map<string, number>
  readonly unfinished: Map<string, UnfinishedAttempt>
  readonly approvals: Map<string, ApprovalRecord>
  published: number
}

export interface GrowingRun extends RunState {
  readonly steps: Map<string, StepState>
}

/** The state before the first event. */
export function emptyState(): GrowingState {
  return {
    seq: 0,
    epoch: 0,
    frozen: null,
    site: { compiled: null, problem: null },
    machines: new Map(),
    nodes: new Map(),
    run: null,
    tries: new Map(),
    unfinished: new Map(),
    approvals: new Map(),
    published: 0,
  }
}

/** A state of its own with the same content. Entries are immutable and shared. */
export function copyState(state: State): GrowingState {
  return {
    ...state,
    machines: new Map(state.machines),
    nodes: new Map(state.nodes),
    run: state.run === null ? null : { ...state.run, steps: new Map(state.run.steps) },
    tries: new Map(state.tries),
    unfinished: new Map(state.unfinished),
    approvals: new Map(state.approvals),
  }
}
