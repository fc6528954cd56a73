import { readdirSync } from 'node:fs'

/** Whether a folder can be written into without overwriting anything: it is empty, or not there yet. */
export function isEmptyFolder(folder: string): boolean {
  try {
    return readdirSync(folder).length === 0
  } catch (cause) {
    if ((cause as NodeJS.ErrnoException).code === 'ENOENT') return true
    if ((cause as NodeJS.ErrnoException).code === 'ENOTDIR') return false
    throw cause
  }
}
