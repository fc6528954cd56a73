import type { Plan } from '../../schemas/plan.ts'
import type { State } from '../state/state.ts'
import type { BootAnswer, BootClient } from './booter.ts'

/** What the answer to "what does this machine boot?" depends on, all of it worked out before anybody asks. */
export interface BootView {
  /** The last plan that compiled; null before the first. */
  readonly plan: Plan | null
  readonly state: State
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
  const machine = [...state.machines.values()].find(one => one.macs.includes(client.mac))
  if (machine !== undefined && machine.quarantined !== null) return { kind: 'hold', reason: `machine ${machine.id} is in quarantine: ${machine.quarantined.reason}` }
  const claimed = machine === undefined ? undefined : Object.entries(plan.nodes).find(([, node]) => node.machine === machine.id)
  if (claimed !== undefined && machine !== undefined) {
    const [name, node] = claimed
    if (node.admin || (node.os !== null && plan.systems[node.os]?.install === 'joined')) return { kind: 'local' }
    const installed = state.nodes.get(name)?.installed ?? null
    if (installed !== null && installed.machine !== machine.id) return { kind: 'hold', reason: `${name} is installed on another machine, ${installed.machine}` }
    if (installed !== null && !isToBeReplaced(name, state)) return { kind: 'local' }
  }
  if (image === null) return { kind: 'hold', reason: 'the discovery image is being made' }
  return { kind: 'discovery', kernel: image.kernel, initrd: image.initrd, commandLine: view.commandLine(client.mac) }
}

/**
 * True when the run that goes on wants the machine in discovery to replace the system that it has. Whoever waits for a
 * person keeps running what is installed.
 */
function isToBeReplaced(node: string, state: State): boolean {
  const step = state.run?.ended === null ? state.run.steps.get(`install@${node}`) : undefined
  return step !== undefined && step.status === 'waiting' && step.on === 'machine'
}
