import type { Plan, Step } from '../../schemas/plan.ts'
import type { Store } from '../stage/store.ts'
import { readResult } from './carry-out.ts'
import type { CarryOut } from './carry-out.ts'
import { DISCOVERY_IMAGE, isOfDiscovery } from './needed.ts'
import { StagerError } from './order.ts'
import type { StageOrder } from './order.ts'
import { buildersOf, wholeSources } from './stage-source.ts'
import { sourceSet, stageStatus } from './stage-status.ts'

/** The most packages of a set, and sets, that one message names. */
const NAMED = 5

/**
 * The one gate through which everything goes that staging asks of a mirror: while it is closed, what is in the store is
 * found there, and nothing else is tried.
 *
 * @param options.online waits, where it is not known yet.
 */
export function onlyOnline(carryOut: CarryOut, { store, online }: { readonly store: Store; readonly online: () => boolean | Promise<boolean> }): CarryOut {
  return async (order, options) => {
    if (await online()) return carryOut(order, options)
    const known = await readResult(order, store)
    if (known !== undefined) return known
    throw new StagerError('OFFLINE', `${titleOf(order)} not in the store, and this admin node is offline: \`crowbar stage\` where there is a mirror, into a store that you bring here`, { retryable: false })
  }
}

/** Artifact sets, and the discovery image, that steps need and that an offline admin node cannot have any more; undefined: all are there. */
export async function checkStaged(steps: readonly Step[], plan: Plan, store: Store): Promise<{ readonly code: 'NOT_STAGED'; readonly message: string; readonly step: string } | undefined> {
  const needed = new Map<string, Step>()
  for (const step of steps) for (const set of step.artifacts) if (!needed.has(set) || needed.get(set)?.kind === 'stage') needed.set(set, step)
  const ofImage = steps.find(step => isOfDiscovery(step, plan))
  if (ofImage !== undefined) needed.set(DISCOVERY_IMAGE, ofImage)
  const status = await stageStatus(plan, store)
  const isStaged = new Map(status.map(({ set, staged }) => [set, staged]))
  const builders = buildersOf(plan)
  for (const [name] of wholeSources(plan)) {
    // What can never be staged is a matter of the site.
    if (status.find(({ set }) => set === sourceSet(name))?.problem !== null) continue
    const sets = builders.get(name)
    // What is built already needs its source no more; a source that no set is made of is the nodes' to ask for.
    const step = sets === undefined ? steps[0] : sets.filter(set => isStaged.get(set) !== true).map(set => needed.get(set)).find(one => one !== undefined)
    if (step !== undefined) needed.set(sourceSet(name), step)
  }
  const missing = status.filter(({ set, staged }) => !staged && needed.has(set))
  const [first] = missing
  if (first === undefined) return undefined
  const said = missing.slice(0, NAMED).map(({ set, missing: packages }) => {
    const more = packages.length > NAMED ? [`and ${String(packages.length - NAMED)} more`] : []
    const which = packages.length === 0 ? '' : ` (${[...packages.slice(0, NAMED), ...more].join(', ')})`
    return `${set === DISCOVERY_IMAGE ? 'the discovery image' : set} is not in the store${which}; ${needed.get(set)?.id ?? ''} wants it`
  })
  const more = missing.length > NAMED ? [`and ${String(missing.length - NAMED)} more sets`] : []
  return { code: 'NOT_STAGED', message: `this admin node is offline: ${[...said, ...more].join('. ')}`, step: needed.get(first.set)?.id ?? '' }
}

/** With its verb. */
function titleOf(order: StageOrder): string {
  if (order.kind === 'discovery') return 'the discovery image is'
  const os = `${order.os.family} ${order.os.version}`
  if (order.kind === 'build') return `what is built from ${order.source.name} for ${os} is`
  return order.kind === 'rootfs' ? `the root filesystem for ${os} is` : `packages for ${os} are`
}
