import type { Diagnostic } from '../../schemas/diagnostic.ts'
import type { Ledger } from '../../schemas/ledger.ts'
import { readLedger } from '../../schemas/ledger-tree.ts'
import { readRevision, refExists } from '../tree/read.ts'
import { TreeError } from '../tree/tree-error.ts'
import type { Tree } from '../tree/tree.ts'
import { collector } from './session.ts'

/** The ledger of a repository, or why there is none. */
export type FoundLedger =
  | { readonly kind: 'found'; readonly ledger: Ledger }
  /** No such ref, or no repository at all. `message` says which. */
  | { readonly kind: 'none'; readonly message: string }
  /** It is there, and cannot be used. */
  | { readonly kind: 'damaged'; readonly message: string }

/**
 * Reads the ledger that an agent has pushed. Where there is a ref of that name and what it leads to cannot be read in
 * full (a clone that is not whole, a link, files that are no files), the ledger is damaged: what is missing in it would
 * look as if it had never run.
 */
export async function findLedger(site: string, ref: string): Promise<FoundLedger> {
  const { found, report } = collector()
  try {
    return ledgerOf(await readRevision(site, ref, { environment: process.env, report }), ref, found)
  } catch (cause) {
    if (!(cause instanceof TreeError)) throw cause
    return (await refExists(site, ref, process.env)) ? damaged(ref, cause.message) : { kind: 'none', message: cause.message }
  }
}

/** Whether a tree is a ledger's branch and not a site. */
export function isLedger(tree: Tree): boolean {
  return tree.files.has('run.json') || [...tree.files.keys()].every((path) => OF_LEDGER.test(path))
}

/** Files and folders of a ledger. */
const OF_LEDGER = /^(?:(?:nodes|values|machines|content)(?:\/|$)|(?:run|roles)\.json$)/

/** The ledger in a tree that holds one; `found`: what was to be said of that tree when it was read. */
export function ledgerOf(tree: Tree, ref: string, found: readonly Diagnostic[]): FoundLedger {
  const unread = found.find(({ range }) => range === undefined || OF_LEDGER.test(range.path))
  if (unread !== undefined) return damaged(ref, `${unread.range === undefined ? '' : `${unread.range.path}: `}${unread.summary}`)
  const files = new Map([...tree.files].filter(([path]) => path.endsWith('.json')).map(([path, file]) => [path, new TextDecoder().decode(file.bytes())]))
  const read = readLedger(files)
  if (read.ok) return { kind: 'found', ledger: read.ledger }
  const [problem] = read.problems
  const more = read.problems.length > 1 ? ` (and ${read.problems.length - 1} more files)` : ''
  const fix = problem?.code === 'NEWER' ? '. Use the Crowbar that wrote it, or a later one' : ''
  return damaged(ref, `${problem?.path}: ${problem?.message}${more}${fix}`)
}

function damaged(ref: string, why: string): FoundLedger {
  return { kind: 'damaged', message: `the ledger ${ref} cannot be used: ${why.replace(/\.$/, '')}` }
}
