import type { Progress } from '../stage/progress.ts'
import type { OpenBundle } from './open-bundles.ts'
import { readObjects } from './read-volume.ts'

export interface VerifiedBundle {
  readonly objects: number
  /** Of objects. */
  readonly bytes: number
}

/**
 * Reads a bundle to its end and holds every object against its name. Writes nothing.
 *
 * @throws {BundleError} BUNDLE_DAMAGED
 */
export async function verifyBundle({ volumes }: OpenBundle, { signal, onProgress }: { readonly signal: AbortSignal; readonly onProgress: Progress }): Promise<VerifiedBundle> {
  let [objects, bytes] = [0, 0]
  for (const head of volumes) {
    onProgress(`reading ${head.path}`)
    for await (const one of readObjects(head)) {
      for await (const chunk of one.content) {
        signal.throwIfAborted()
        bytes += chunk.length
      }
      objects += 1
    }
  }
  return { objects, bytes }
}
