import type { Changes } from '../../schemas/changes.ts'
import type { Ledger } from '../../schemas/ledger.ts'
import type { Plan } from '../../schemas/plan.ts'
import { isErase } from '../../schemas/operation.ts'
import { runsAnother, standingInstallation, unfinishedErasure } from '../state/standing-installation.ts'
import type { State } from '../state/state.ts'

/** What a node's machine is to boot. `reason` is for `explain boot` and for consoles. */
export interface BootWish {
  readonly boot: 'discovery' | 'local' | 'hold'
  readonly reason: string
}

interface Known {
  readonly state: State
  readonly ledger: Ledger
  readonly work: { readonly plan: Plan; readonly changes: Changes } | undefined
  /** That the node has by the newest plan, which may not have been applied; default: by the last run's. */
  readonly machine?: string | undefined
}

/**
 * What the machine of a node is to boot, as the engine has it: the discovery image until a whole system of this very
 * installation is on its disk, its own disk from then on. A node that runs and is to be installed anew goes on running
 * until that may begin; so does a machine that runs the system of another node, which was renamed or gave it up. One that
 * came up with another installation than its node's is held: nobody knows what that is.
 *
 * Pure. `work` is the last run's; without one, what the log and the ledger know of the node decides.
 */
export function wantsDiscovery(node: string, { state, ledger, work, machine }: Known): BootWish {
  const wish = bootWish(node, { state, ledger, work, machine })
  const here = machine ?? work?.plan.nodes[node]?.machine ?? null
  return wish.boot === 'local' && runsAnother(here, node, { state, ledger }) ? { boot: 'hold', reason: `machine ${here} came up with another installation than the one that ${node} should run: put the right disk back, then crowbar admit ${here}` } : wish
}

function bootWish(node: string, { state, ledger, work, machine }: Known): BootWish {
  const installed = state.nodes.get(node)?.installed ?? null
  const standing = standingInstallation(node, { state, ledger })
  const planned = work?.plan.nodes[node]
  if (planned?.machine === null) return { boot: 'discovery', reason: `${node} has no machine yet` }
  if (unfinishedErasure(node, state) !== undefined) return { boot: 'discovery', reason: `the disks of ${node} are being erased` }
  if (erasesNow(node, { state, work })) return { boot: 'discovery', reason: `the disks of ${node} are to be erased` }
  const id = `install@${node}`
  const step = state.run?.steps.get(id)
  if (step?.sent !== null && step?.sent !== undefined) {
    return installed?.attempt === step.sent.attempt ? { boot: 'local', reason: `${node} is installed` } : { boot: 'discovery', reason: `${node} is being installed` }
  }
  const other = standing === null ? tenantOf(machine ?? planned?.machine, { state, ledger }) : undefined
  if (standing === null && (other === undefined || state.unfinished.has(id))) return { boot: 'discovery', reason: `${node} is to be installed` }
  const change = work?.changes.changes.find((one) => one.step.id === id)
  const open = change !== undefined && step?.status !== 'succeeded' && step?.status !== 'unchanged'
  if (!open && standing !== null && standing.machine === (planned?.machine ?? standing.machine)) return { boot: 'local', reason: `${node} is installed` }
  if (other !== undefined && !open) return { boot: 'local', reason: `its machine runs the system of ${other}` }
  if (state.unfinished.has(id)) return { boot: 'discovery', reason: `an install of ${node} was interrupted` }
  if ((change?.needsApproval === true || step?.on === 'person') && !state.approvals.has(id)) return { boot: 'local', reason: `installing ${node} anew is not approved` }
  return { boot: 'discovery', reason: `${node} is to be installed anew` }
}

/** Whether an erasure was approved and has nothing more to wait for but the machine. */
function erasesNow(node: string, { state, work }: Pick<Known, 'state' | 'work'>): boolean {
  const step = work?.changes.changes.find((one) => isErase(one.step) && one.step.node === node)?.step
  if (step === undefined || !state.approvals.has(step.id)) return false
  const status = (id: string): string | undefined => state.run?.steps.get(id)?.status
  const changed = new Set(work?.changes.changes.map((one) => one.step.id))
  const isDone = (id: string): boolean => status(id) === 'succeeded' || status(id) === 'unchanged'
  return !isDone(step.id) && state.run?.ended === null && step.needs.every((need) => !changed.has(need.step) || isDone(need.step))
}

/** The node whose system a machine runs, as far as anybody knows. */
function tenantOf(machine: string | undefined, { state, ledger }: { readonly state: State; readonly ledger: Ledger }): string | undefined {
  const known = [...state.nodes].find(([, { installed }]) => installed?.machine === machine)?.[0]
  return known ?? Object.values(ledger.nodes).find((one) => one.machine === machine && one.incarnation !== null)?.node
}
