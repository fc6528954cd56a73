import { suggest } from '../../schemas/cel/suggest.ts'
import { LEDGER_REF } from '../../schemas/ledger.ts'
import { own } from '../../schemas/own.ts'
import type { BoundNode, BoundSite } from '../bind/bound-site.ts'
import type { Tree } from '../tree/tree.ts'
import { findLedger } from './base.ts'
import { compileTree } from './compile-site.ts'
import { lockMissing } from './missing-lock.ts'
import { collector, EXIT, misused, readSite, tell } from './session.ts'

/** A site whose documents are to be edited, and a node of it. */
export interface FoundNode {
  /** The files of the folder, and of nothing else. */
  readonly tree: Tree
  readonly bound: BoundSite
  readonly node: BoundNode
  /** Ids of disks that an installation of it writes, and that are not in its machine any more. */
  readonly lacks: readonly string[]
}

/** What the three commands that take a node off its machine refuse. */
export interface Refusals {
  /** "released": for the sentence about `protect`. */
  readonly what: string
}

/**
 * Finds a node that may be edited out of its machine: not an admin node, not protected, in a folder and not a bare
 * repository.
 *
 * @returns an exit code when there is none; why has been said.
 */
export async function findNode(site: string, name: string, { what }: Refusals): Promise<FoundNode | number> {
  const { found, report } = collector()
  const tree = await readSite({ site }, report)
  if (tree === undefined) {
    tell(found, undefined)
    return EXIT.fault
  }
  if (tree.commit !== null) return misused(`${site} is a bare repository: documents are edited in a working folder`)
  const { compiled, diagnostics, tree: shown } = compileTree(tree)
  if (tell([...found, ...diagnostics], shown) || compiled === undefined) return EXIT.fault
  const missing = await lockMissing(site, tree)
  if (missing !== undefined) {
    tell([missing], undefined)
    return EXIT.stale
  }
  const { bound, missing: unknown } = compiled.ordered.injected.allocated
  const node = bound.nodes.get(name)
  if (node === undefined) {
    const near = suggest(name, bound.nodes.keys())
    return refuse(`there is no node ${name}${near === undefined ? '' : `; did you mean ${near}?`}`, EXIT.fault)
  }
  if (node.admin) return refuse(`${name} is an admin node, which is never ${what}`, EXIT.refused)
  if (node.protect) return refuse(`${name} is protected: take \`protect\` away, and apply that, before it is ${what}`, EXIT.refused)
  const ledger = await findLedger(site, LEDGER_REF)
  if (ledger.kind === 'damaged') return refuse(`whether ${name} was protected when it last ran is not known: ${ledger.message}`, EXIT.stale)
  const before = ledger.kind === 'found' ? own(ledger.ledger.nodes, name)?.protect : undefined
  if (before !== undefined) return refuse(`${name} was protected when it last ran (${before}): apply the commit that took \`protect\` away before it is ${what}`, EXIT.refused)
  return { tree, bound, node, lacks: unknown.flatMap(({ for: whom, disk }) => (whom === `node/${name}` && disk !== undefined ? [disk] : [])) }
}

export function refuse(message: string, code: number): number {
  process.stderr.write(`crowbar: ${message}\n`)
  return code
}
