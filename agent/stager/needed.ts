import { failedLog } from '../build/build.ts'
import type { Plan, Step } from '../../schemas/plan.ts'
import { discoveryOrder, orderReference, stageOrder, StagerError } from './order.ts'

/** The name under which the discovery image stands beside artifact sets. */
export const DISCOVERY_IMAGE = 'discovery'

/** Whether machines boot before they have a system: not where all nodes are installed by somebody else. */
export function needsDiscovery(plan: Plan): boolean {
  const nodes = Object.values(plan.nodes).filter(({ admin }) => !admin)
  return nodes.length === 0 || nodes.some(({ os }) => boots(os, plan))
}

/** Whether a step happens in the discovery image, or after it. */
export function isOfDiscovery({ kind, node }: Step, plan: Plan): boolean {
  return (kind === 'discover' || kind === 'install') && node !== null && boots(plan.nodes[node]?.os ?? null, plan)
}

function boots(os: string | null, plan: Plan): boolean {
  return os === null || plan.systems[os]?.install !== 'joined'
}

/** References of the store that a plan leads to: its artifact sets, what they are made on, logs of builds that failed, and the discovery image. */
export function neededReferences(plan: Plan): ReadonlySet<string> {
  const needed = new Set([orderReference(discoveryOrder(plan))])
  for (const name of Object.keys(plan.artifacts)) {
    try {
      const order = stageOrder(name, plan)
      needed.add(orderReference(order))
      if (order.kind === 'packages') {
        for (const build of order.builds ?? []) needed.add(orderReference(build)).add(failedLog(build.source))
        needed.add(orderReference({ kind: 'rootfs', os: order.os, flavour: order.flavour, packages: order.base, sources: order.sources }))
      }
    } catch (error) {
      // What this agent cannot stage it has not staged.
      if (!(error instanceof StagerError)) throw error
    }
  }
  return needed
}
