import type { Diagnostic } from '../../schemas/diagnostic.ts'
import { lockShape } from '../../schemas/lock.ts'
import type { Lock } from '../../schemas/lock.ts'
import { LOCK_PATH } from '../parse/choose.ts'
import { parseFile } from '../parse/parse.ts'
import { treeOf } from '../tree/tree.ts'
import { checkAgainst } from './check-document.ts'

/** A lock by itself, without its site; or what is wrong with it, in a sentence with its line. */
export function readLock(bytes: Uint8Array): { readonly lock: Lock } | { readonly problem: string } {
  const found: Diagnostic[] = []
  const report = (diagnostic: Diagnostic): void => void found.push(diagnostic)
  const [document] = parseFile(treeOf({ [LOCK_PATH]: bytes }), LOCK_PATH, report)
  const checked = document === undefined ? undefined : checkAgainst(document, lockShape, { owner: 'the lock', report })
  const [first] = found
  if (checked !== undefined && first === undefined) return { lock: checked.value }
  return { problem: first === undefined ? 'it holds no document' : `line ${first.range?.start.line ?? 1}: ${first.summary}` }
}
