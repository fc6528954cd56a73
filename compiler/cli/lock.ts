import { renameSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { lockText } from '../allocate/lock-text.ts'
import { LOCK_PATH } from '../parse/choose.ts'
import { compileSite } from './compile-site.ts'
import { lockMissing } from './missing-lock.ts'
import { EXIT, misused, tell } from './session.ts'

/** `crowbar lock`: brings site.lock.json up to date. */
export async function lockCommand(options: { readonly site: string; readonly check?: true; readonly updateBarclamps?: true }): Promise<number> {
  const { tree, compiled, diagnostics } = await compileSite(options, { ask: options.updateBarclamps === true ? 'all' : 'new' })
  const missing = compiled === undefined ? undefined : await lockMissing(options.site, tree)
  tell(missing === undefined ? diagnostics : [...diagnostics, { ...missing, severity: 'warning' }], tree)
  if (compiled === undefined || tree === undefined) return EXIT.fault
  if (tree.commit !== null) return misused(`${options.site} is a bare repository: the lock is written into a working folder`)
  const text = lockText(compiled.lock)
  const before = tree.files.get(LOCK_PATH)
  if (before !== undefined && new TextDecoder().decode(before.bytes()) === text) {
    process.stderr.write(`${LOCK_PATH} is up to date.\n`)
    return EXIT.done
  }
  if (options.check === true) {
    process.stderr.write(`${LOCK_PATH} would change.\n`)
    return EXIT.stale
  }
  const file = join(options.site, LOCK_PATH)
  writeFileSync(`${file}.new`, text)
  renameSync(`${file}.new`, file)
  process.stderr.write(`${LOCK_PATH} written: commit it with the change that led to it.\n`)
  return EXIT.done
}
