import { digest } from '../../schemas/canonical.ts'
import type { Plan, Step } from '../../schemas/plan.ts'
import type { RunRollout } from '../log/event-types.ts'

/** Seconds between two tries of a check. */
const AGAIN = 5
/** The gate's time ends the tries, not their number. */
const ANY_NUMBER = 1_000_000

/** A check that a batch of a rollout has to pass on one of its nodes. */
export interface Gate {
  readonly rollout: string
  /** Index of the batch that it comes after. */
  readonly batch: number
  readonly step: Step
}

/**
 * The gates of a run: for each rollout that has one, the `check` of its role on every node of every batch that has the
 * role. They are in no plan and leave nothing in the ledger. `timeout` is that of the gate as a whole. Pure.
 */
export function gatesOf(rollouts: readonly RunRollout[], plan: Plan): readonly Gate[] {
  if (rollouts.every(({ gate }) => gate === null)) return []
  const planned = new Map(plan.steps.map(step => [step.id, step]))
  return rollouts.flatMap(({ id, batches, gate }) =>
    gate === null ? [] : batches.flatMap((nodes, batch) => nodes.flatMap((node) => {
      const role = planned.get(`${gate.role}@${node}`)
      return role === undefined ? [] : [{ rollout: id, batch, step: gateStep(role, { id: gateId(id, batch, node), timeout: gate.timeout }) }]
    })))
}

/** `gate/<rollout>/<number of the batch>@<node>`. */
function gateId(rollout: string, batch: number, node: string): string {
  return `gate/${rollout}/${batch + 1}@${node}`
}

function gateStep(role: Step, { id, timeout }: { readonly id: string; readonly timeout: number }): Step {
  return {
    ...role, id, kind: 'gate', action: 'check', entry: role.entries['check'] ?? null, artifacts: [], packages: [], provides: {}, needs: [], once: null,
    destructive: false, timeout, retries: { max: ANY_NUMBER, backoff: AGAIN }, removal: null,
    // What it checks may be planned anew while the run goes on: that it passed stands.
    digest: digest({ gate: id }),
  }
}
