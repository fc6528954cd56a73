import { releaseNode } from '../edit/release-node.ts'
import { findNode, refuse } from './find-node.ts'
import { rewrite } from './rewrite.ts'
import type { RewriteOptions } from './rewrite.ts'
import { EXIT, formatOf } from './session.ts'

/** `crowbar release NODE`: takes it out of the documents that name it. Nothing acts before it is applied. */
export async function releaseCommand(name: string, options: Omit<RewriteOptions, 'format'> & { readonly format: string }): Promise<number> {
  const format = formatOf(options.format, ['text', 'json'])
  if (format === undefined) return EXIT.usage
  const found = await findNode(options.site, name, { what: 'released' })
  if (typeof found === 'number') return found
  const { tree, bound, node } = found
  const splices = releaseNode(node.site, bound.resolved.site)
  if (typeof splices === 'string') return refuse(`${splices}: edit it by hand`, EXIT.fault)
  const machine = node.machine === null ? '' : ` Its machine ${node.machine.id} is then free: \`state: retired\` in a \`machine\` document keeps it from being claimed again.`
  return rewrite({ tree, splices, next: `Nothing was done yet. Commit what was written, look at \`crowbar diff\`, then apply: the node is let go, and its disks stay as they are.${machine}` }, { ...options, format })
}
