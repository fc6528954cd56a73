import { renameSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { lockText } from '../allocate/lock-text.ts'
import type { Lock } from '../../schemas/lock.ts'
import { LOCK_PATH } from '../parse/choose.ts'

/** Puts a lock into the folder of a site, whole or not at all. */
export function writeLock(site: string, lock: Lock): void {
  const file = join(site, LOCK_PATH)
  writeFileSync(`${file}.new`, lockText(lock))
  renameSync(`${file}.new`, file)
}
