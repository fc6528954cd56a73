import type { Lock } from '../../schemas/lock.ts'
import type { BoundNode } from '../bind/bound-site.ts'
import { releaseNode } from '../edit/release-node.ts'
import { retireMachine } from '../edit/retire-machine.ts'
import { findNode, refuse } from './find-node.ts'
import { holderOf } from './replace.ts'
import { rewrite } from './rewrite.ts'
import type { RewriteOptions } from './rewrite.ts'
import { EXIT, formatOf } from './session.ts'

/** `crowbar release NODE`: takes it out of the documents that name it. Nothing acts before it is applied. */
export async function releaseCommand(name: string, options: Omit<RewriteOptions, 'format'> & { readonly retire?: true; readonly format: string }): Promise<number> {
  const format = formatOf(options.format, ['text', 'json'])
  if (format === undefined) return EXIT.usage
  const found = await findNode(options.site, name, { what: 'released' })
  if (typeof found === 'number') return found
  const { tree, bound, node } = found
  const splices = releaseNode(node.site, bound.resolved.site)
  if (typeof splices === 'string') return refuse(`${splices}: edit it by hand`, EXIT.fault)
  const retired = options.retire === true && node.machine !== null ? [retireMachine(node.machine, tree)] : []
  return rewrite({ tree, splices: [...splices, ...retired], next: (lock) => nextOf(node, lock, retired.length > 0) }, { ...options, format })
}

function nextOf({ machine }: BoundNode, lock: Lock, retired: boolean): string {
  const head = 'Nothing was done yet. Commit what was written, look at `crowbar diff`, then apply:'
  if (machine === null || retired) return `${head} the node is let go, and its disks stay as they are.`
  const taker = holderOf(lock, machine.id)
  if (taker === undefined) return `${head} the node is let go, and its disks stay as they are. Its machine ${machine.id} may then be claimed by others; --retire keeps it from that.`
  return `${head} the node is let go, and ${taker} CLAIMS ITS MACHINE ${machine.id}, which is then installed anew. --retire keeps it from that.`
}
