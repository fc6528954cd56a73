import { isAdminMachine } from '../../schemas/incarnation.ts'
import type { Step } from '../../schemas/plan.ts'
import { machineOfNode } from '../state/machine-of-node.ts'
import { standingInstallation } from '../state/standing-installation.ts'
import type { StepView, StepWaiting } from './driver.ts'
import { waitForMachine } from './role-document.ts'
import type { NodeSession, NodeSessions } from './sessions.ts'

/** The installed system of a step's node, or why it cannot be used now. */
export function installedSession(step: Step, { plan, state, ledger }: StepView, sessions: NodeSessions): NodeSession | StepWaiting {
  const node = step.node as string
  // A removal of a node that the plan has no longer runs where the ledger has it.
  const machine = machineOfNode(node, { plan, ledger })
  if (machine === null) return waitForMachine(`${node} has no machine yet`)
  const session = sessions.session(machine)
  const isAdmin = isAdminMachine(machine)
  if (session === undefined) return waitForMachine(isAdmin ? `the node agent of the admin node ${node} is not connected; crowbar join ${node} prints what it needs` : `${node} is not connected`)
  if (session.environment !== 'installed') return waitForMachine(`${node} runs the discovery image, not its own system`)
  if (isAdmin) return session
  const installed = standingInstallation(node, { state, ledger })?.incarnation ?? null
  // A joined machine was not installed by us and bears no name of an installation.
  if (session.incarnation !== null && session.incarnation !== installed) return waitForMachine(`${node} runs another installation than the one it should`)
  return session
}
