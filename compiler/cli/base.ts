import type { Ledger } from '../../schemas/ledger.ts'
import { readLedger } from '../../schemas/ledger-tree.ts'
import { readRevision } from '../tree/read.ts'
import { TreeError } from '../tree/tree-error.ts'
import type { Tree } from '../tree/tree.ts'

/** The ledger of a repository, or why there is none. */
export type FoundLedger =
  | { readonly kind: 'found'; readonly ledger: Ledger }
  /** No such ref, or no repository at all. `message` says which. */
  | { readonly kind: 'none'; readonly message: string }
  /** It is there, and cannot be used. */
  | { readonly kind: 'damaged'; readonly message: string }

/** Reads the ledger that an agent has pushed. */
export async function findLedger(site: string, ref: string): Promise<FoundLedger> {
  try {
    return ledgerOf(await readRevision(site, ref, { environment: process.env, report: () => {} }), ref)
  } catch (cause) {
    if (!(cause instanceof TreeError)) throw cause
    return { kind: 'none', message: cause.message }
  }
}

/** Whether a tree is a ledger's branch and not a site. */
export function isLedger(tree: Tree): boolean {
  return tree.files.has('run.json') || [...tree.files.keys()].every((path) => /^(?:nodes|values|machines|content)\//.test(path))
}

/** The ledger in a tree that holds one. */
export function ledgerOf(tree: Tree, ref: string): FoundLedger {
  const files = new Map([...tree.files].filter(([path]) => path.endsWith('.json')).map(([path, file]) => [path, new TextDecoder().decode(file.bytes())]))
  const read = readLedger(files)
  if (read.ok) return { kind: 'found', ledger: read.ledger }
  const [problem] = read.problems
  return { kind: 'damaged', message: `the ledger ${ref} cannot be used: ${problem?.path}: ${problem?.message}` }
}

