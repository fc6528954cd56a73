import type { Plan } from '../../schemas/plan.ts'
import { discoveryOrder, orderReference, stageOrder, StagerError } from './order.ts'

/** References of the store that a plan leads to: its artifact sets, what they are made on, and the discovery image. */
export function neededReferences(plan: Plan): ReadonlySet<string> {
  const needed = new Set([orderReference(discoveryOrder())])
  for (const name of Object.keys(plan.artifacts)) {
    try {
      const order = stageOrder(name, plan)
      needed.add(orderReference(order))
      if (order.kind === 'packages') needed.add(orderReference({ kind: 'rootfs', os: order.os, flavour: order.flavour, packages: order.base, sources: order.sources }))
    } catch (error) {
      // What this agent cannot stage it has not staged.
      if (!(error instanceof StagerError)) throw error
    }
  }
  return needed
}
