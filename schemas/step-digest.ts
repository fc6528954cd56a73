import { digest } from './canonical.ts'
import type { Step } from './plan.ts'
import type { Json } from './shape.ts'

/**
 * The digest of a step: what it is, where it runs, and with what.
 *
 * @param artifacts what stands for the step's artifacts; a stage step covers what its sets hold.
 */
export function stepDigest({ kind, action, node, content, attributes, artifacts }: Pick<Step, 'kind' | 'action' | 'node' | 'content' | 'attributes' | 'artifacts'>, covered: Json = artifacts): string {
  return digest({ kind, action, node, content, attributes, artifacts: covered })
}
