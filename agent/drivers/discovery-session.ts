import type { Step } from '../../schemas/plan.ts'
import { approvable } from '../control/approvals.ts'
import type { StepContext, StepWaiting } from './driver.ts'
import type { NetworkBoots } from './network-boots.ts'
import { waitForMachine } from './role-document.ts'
import type { NodeSession, NodeSessions } from './sessions.ts'
import { wantsDiscovery } from './wants-discovery.ts'

/**
 * The machine of a step's node in the discovery image, or why it cannot be used now. One that runs from its disk is
 * restarted for it only when the installation that comes next may begin: until that is approved the node goes on.
 */
export function discoverySession(step: Step, { plan, changes, state, ledger }: StepContext, { sessions, boots }: { readonly sessions: NodeSessions; readonly boots: NetworkBoots }): NodeSession | StepWaiting {
  const node = step.node as string
  const machine = plan.nodes[node]?.machine ?? null
  if (machine === null) return waitForMachine(`${node} has no machine yet`)
  const session = sessions.session(machine)
  if (session?.environment === 'discovery') {
    boots.came(machine)
    return session
  }
  const wish = wantsDiscovery(node, { state, ledger, work: { plan, changes } })
  if (wish.boot !== 'discovery') {
    const approval = approvable(plan, changes, state).get(`install@${node}`)
    return { kind: 'waiting', reason: `it takes ${node} out of service, and ${wish.reason}`, afterMs: Infinity, on: 'person', ...(approval === undefined ? {} : { approval }) }
  }
  return session === undefined ? waitForMachine(`machine ${machine} is not connected`) : boots.ask(session, 'to run what comes before its installation')
}
