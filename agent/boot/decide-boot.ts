import type { Changes } from '../../schemas/changes.ts'
import type { Ledger } from '../../schemas/ledger.ts'
import type { Plan } from '../../schemas/plan.ts'
import { wantsDiscovery } from '../drivers/wants-discovery.ts'
import type { State } from '../state/state.ts'
import type { BootAnswer, BootClient } from './booter.ts'

/** What the answer to "what does this machine boot?" depends on, all of it worked out before anybody asks. */
export interface BootView {
  /** The last plan that compiled; null before the first. */
  readonly plan: Plan | null
  readonly state: State
  readonly ledger: Ledger
  /** What the last run carries out; undefined before the first. */
  readonly work: { readonly plan: Plan; readonly changes: Changes } | undefined
  /** The machine that has a port with this MAC, when one was seen. */
  readonly machineOf: (mac: string) => string | undefined
  /** URL paths of the discovery image; null while it is not staged. */
  readonly image: { readonly kernel: string; readonly initrd: string } | null
  /** Kernel command line for a machine that boots discovery. Quick, and without effect. */
  readonly commandLine: (mac: string) => string
}

/**
 * Decides what a machine boots. Pure, but for the command line.
 *
 * In doubt a machine boots its own disk: a reboot never wipes. Only a machine that no node has, or whose node has no
 * system yet or is being given a new one, boots discovery.
 */
export function decideBoot(view: BootView, client: BootClient): BootAnswer {
  const { plan, state, image } = view
  if (state.frozen !== null) return { kind: 'local' }
  if (plan === null) return { kind: 'hold', reason: 'no commit of the site has compiled yet' }
  const machine = view.machineOf(client.mac)
  const quarantined = machine === undefined ? undefined : state.machines.get(machine)?.quarantined
  if (quarantined) return { kind: 'hold', reason: `machine ${machine} is in quarantine: ${quarantined.reason}` }
  const claimed = machine === undefined ? undefined : Object.entries(plan.nodes).find(([, node]) => node.machine === machine)
  if (claimed !== undefined) {
    const [name, node] = claimed
    if (node.admin || (node.os !== null && plan.systems[node.os]?.install === 'joined')) return { kind: 'local' }
    const wish = wantsDiscovery(name, { state, ledger: view.ledger, work: view.work, ...(machine === undefined ? {} : { machine }) })
    if (wish.boot === 'local') return { kind: 'local' }
    if (wish.boot === 'hold') return { kind: 'hold', reason: wish.reason }
  }
  if (image === null) return { kind: 'hold', reason: 'the discovery image is being made' }
  return { kind: 'discovery', kernel: image.kernel, initrd: image.initrd, commandLine: view.commandLine(client.mac) }
}
