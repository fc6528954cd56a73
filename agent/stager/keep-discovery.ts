import type { StagedDiscovery, ArtifactStager } from './stager.ts'

/** The image that machines boot, had once. */
export interface KeptDiscovery {
  /** Null: not yet, and `problem` says why. */
  readonly image: StagedDiscovery | null
  readonly problem: string
  /** Has the image made, unless it is there or being made. To be asked again when something else was said: another commit may allow what this one does not. */
  have(): void
  /** Resolves when nothing is being made. */
  settled(): Promise<void>
}

export function keepDiscovery({ stager, signal, log }: { readonly stager: ArtifactStager; readonly signal: AbortSignal; readonly log: (message: string, fields: Readonly<Record<string, unknown>>) => void }): KeptDiscovery {
  let image: StagedDiscovery | null = null
  let problem = 'the site was not read yet, which says whether the discovery image may be fetched'
  let making: Promise<void> | null = null

  const make = async (): Promise<void> => {
    try {
      image = await stager.discovery({ signal, onProgress: message => log('discovery image', { message }) })
    } catch (error) {
      problem = `the discovery image cannot be made: ${String(error)}`
      if (!signal.aborted) log('the discovery image cannot be made', { error: String(error) })
    } finally {
      making = null
    }
  }
  return {
    get image() {
      return image
    },
    get problem() {
      return problem
    },
    have() {
      if (image !== null || making !== null) return
      problem = 'the discovery image is being made'
      making = make()
    },
    settled: async () => making ?? undefined,
  }
}
