import type { Json } from '../../schemas/shape.ts'
import type { GrowingState } from './growing-state.ts'
import type { RunState, State } from './state.ts'

/** Raised whenever the fold or the state's form changes: an older snapshot is then thrown away and the log folded again. */
export const STATE_VERSION = 4

/** A state as plain JSON: maps become lists of pairs, in their own order. */
export function stateToJson(state: State): Json {
  const { machines, nodes, tries, unfinished, approvals, run, ...rest } = state
  return {
    ...rest,
    machines: [...machines],
    nodes: [...nodes],
    tries: [...tries],
    unfinished: [...unfinished],
    approvals: [...approvals],
    run: run === null ? null : { ...run, steps: [...run.steps] },
  } as unknown as Json
}

/** The state that stateToJson() of the same version wrote. */
export function stateFromJson(json: Json): GrowingState {
  type Pairs<M> = M extends ReadonlyMap<infer K, infer V> ? readonly (readonly [K, V])[] : M
  const { run, ...rest } = json as unknown as { readonly [K in keyof State]: Pairs<State[K]> }
  return {
    ...rest,
    machines: new Map(rest.machines),
    nodes: new Map(rest.nodes),
    tries: new Map(rest.tries),
    unfinished: new Map(rest.unfinished),
    approvals: new Map(rest.approvals),
    run: run === null ? null : { ...run, steps: new Map(run.steps as unknown as Pairs<RunState['steps']>) },
  }
}
