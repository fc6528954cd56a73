import type { Driver, StepOutcome } from './driver.ts'

/** Milliseconds between looks; whatever happens to a machine asks sooner. */
const LOOK = 60_000

/** Done when the node has a machine and that machine has enrolled. It sends nothing: machines come by themselves. */
export function discoverDriver(): Driver {
  const look: Driver['run'] = (step, { plan, state, ledger }) => {
    const node = step.node === null ? undefined : plan.nodes[step.node]
    if (node === undefined) return Promise.resolve({ kind: 'failed', code: 'NODE_UNKNOWN', message: `the plan has no node ${step.node}`, retryable: false })
    const waiting = (reason: string): StepOutcome => ({ kind: 'waiting', reason, afterMs: LOOK, on: 'machine' })
    // Also a node that keeps its machine only until the one that it is pinned to now is seen.
    const missing = plan.missing.find((one) => one.what === 'machine' && one.for === `node/${step.node}`)
    if (node.machine === null || missing !== undefined) return Promise.resolve(waiting(missing?.because ?? `no machine with ${node.selector} has been seen`))
    const machine = state.machines.get(node.machine)
    if (machine?.quarantined) return Promise.resolve({ kind: 'waiting', reason: `machine ${node.machine} is quarantined: ${machine.quarantined.reason}`, afterMs: LOOK, on: 'person' })
    const known = Object.keys(machine?.keys ?? {}).length > 0 || ledger.machines[node.machine] !== undefined
    if (!known) return Promise.resolve(waiting(`machine ${node.machine} (${node.selector}) has not enrolled`))
    return Promise.resolve({ kind: 'succeeded', provides: {} })
  }
  return { kind: 'discover', run: look, settle: (step, _sent, context) => look(step, context) }
}
