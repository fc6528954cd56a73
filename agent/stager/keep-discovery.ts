import type { Plan } from '../../schemas/plan.ts'
import { discoveryOrder, orderReference } from './order.ts'
import type { StagedDiscovery, ArtifactStager } from './stager.ts'

/** The image that machines boot, had once for each place that it comes from. */
export interface KeptDiscovery {
  /** Null: not yet, and `problem` says why. Of an earlier plan until that of the last one is there. */
  readonly image: StagedDiscovery | null
  readonly problem: string
  /** Has the image of a plan made, unless it is there or one is being made. To be asked again when something else was said: another commit may allow what this one does not. */
  have(plan: Plan | null): void
  /** Resolves when nothing is being made. */
  settled(): Promise<void>
}

export function keepDiscovery({ stager, signal, log }: { readonly stager: ArtifactStager; readonly signal: AbortSignal; readonly log: (message: string, fields: Readonly<Record<string, unknown>>) => void }): KeptDiscovery {
  let image: StagedDiscovery | null = null
  let had = ''
  let problem = 'the site was not read yet, which says whether the discovery image may be fetched'
  let making: Promise<void> | null = null
  let wanted: Plan | null = null

  const make = async (plan: Plan): Promise<void> => {
    try {
      image = await stager.discovery(plan, { signal, onProgress: message => log('discovery image', { message }) })
      had = orderReference(discoveryOrder(plan))
    } catch (error) {
      problem = `the discovery image cannot be made: ${String(error)}`
      if (!signal.aborted) log('the discovery image cannot be made', { error: String(error) })
    } finally {
      making = null
    }
    if (wanted !== plan && !signal.aborted) have(wanted)
  }
  const have = (plan: Plan | null): void => {
    wanted = plan
    if (plan === null || making !== null || orderReference(discoveryOrder(plan)) === had) return
    problem = 'the discovery image is being made'
    making = make(plan)
  }
  return {
    get image() {
      return image
    },
    get problem() {
      return problem
    },
    have,
    settled: async () => making ?? undefined,
  }
}
