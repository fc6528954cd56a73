import type { Lock } from '../../schemas/lock.ts'
import { refusalOf } from '../../schemas/refusal.ts'
import { LOCK_PATH } from '../parse/choose.ts'
import { readLock } from '../validate/read-lock.ts'
import { findNode, refuse } from './find-node.ts'
import { rewrite } from './rewrite.ts'
import type { RewriteOptions } from './rewrite.ts'
import { EXIT, formatOf } from './session.ts'

/** `crowbar reinstall NODE`: the next generation of its installation, in the lock. Nothing acts before it is applied. */
export async function reinstallCommand(name: string, options: Omit<RewriteOptions, 'format'> & { readonly format: string }): Promise<number> {
  const format = formatOf(options.format, ['text', 'json'])
  if (format === undefined) return EXIT.usage
  const found = await findNode(options.site, name, { what: 'installed anew' })
  if (typeof found === 'number') return found
  const { tree, node, lacks } = found
  const file = tree.files.get(LOCK_PATH)
  const old = file === undefined ? undefined : readLock(file.bytes())
  if (node.os?.value.install === 'joined') return refuse(`${name} is installed by somebody else (${node.os.value.name} is joined)`, EXIT.fault)
  if (old === undefined || !('lock' in old) || !Object.hasOwn(old.lock.nodes, name) || node.machine === null) return refuse(`${name} has no machine by ${LOCK_PATH}, so there is nothing to install anew`, EXIT.fault)
  const why = lacks.length === 0 ? null : refusalOf({ step: { node: name }, protectedBy: null, lacks })
  if (why !== null) return refuse(why, EXIT.refused)
  const generation = node.generation + 1
  const raise = (lock: Lock): Lock => ({ ...lock, nodes: { ...lock.nodes, [name]: { ...(lock.nodes[name] as Lock['nodes'][string]), generation } } })
  const next = (): string => `Nothing was done yet. Commit ${LOCK_PATH}, look at \`crowbar diff --target install@${name}\`, then apply: disks that are not blank need an approval.`
  return rewrite({ tree, splices: [], lock: raise, next }, { ...options, format })
}
