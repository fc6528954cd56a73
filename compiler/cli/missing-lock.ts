import type { Diagnostic } from '../../schemas/diagnostic.ts'
import { LEDGER_REF } from '../../schemas/ledger.ts'
import type { Ledger } from '../../schemas/ledger.ts'
import { error } from '../diagnostics/diagnostic.ts'
import { LOCK_PATH } from '../parse/choose.ts'
import type { Tree } from '../tree/tree.ts'
import { findLedger } from './base.ts'

/** LOCK_MISSING, when a ledger says that something ran and no lock says what must stay where it is; else undefined. */
export function missingLock(tree: Tree | undefined, ledger: Ledger, base: string): Diagnostic | undefined {
  if (tree === undefined || tree.files.has(LOCK_PATH) || !ranSomething(ledger)) return undefined
  return error('LOCK_MISSING', undefined, `There is a ledger (${base}), but no ${LOCK_PATH} ${tree.commit === null ? 'in the folder' : 'in the commit'}.`, { fix: `Restore ${LOCK_PATH} from the last commit that has it.` })
}

/** The same of the ledger that the repository of a site has, which is read only when there is no lock. */
export async function lockMissing(site: string, tree: Tree | undefined): Promise<Diagnostic | undefined> {
  if (tree === undefined || tree.files.has(LOCK_PATH)) return undefined
  const found = await findLedger(site, LEDGER_REF)
  if (found.kind === 'damaged') return error('LOCK_MISSING', undefined, `There is no ${LOCK_PATH}, and ${found.message}.`, { fix: `Restore ${LOCK_PATH} from the last commit that has it.` })
  return found.kind === 'found' ? missingLock(tree, found.ledger, LEDGER_REF) : undefined
}

function ranSomething(ledger: Ledger): boolean {
  return Object.values(ledger.nodes).some(({ steps }) => Object.keys(steps).length > 0)
}
