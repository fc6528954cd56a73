import { readdir, rm } from 'node:fs/promises'
import { basename, dirname, join } from 'node:path'

/**
 * Removes what processes that were killed left of their work: files and folders `<beginning><process id>` of processes that
 * are no more. Nothing of the own process is under way.
 */
export async function removeUnfinished(beginning: string): Promise<void> {
  const [folder, prefix] = [dirname(beginning), basename(beginning)]
  for (const name of await readdir(folder).catch((): string[] => [])) {
    const id = name.slice(prefix.length)
    if (name.startsWith(prefix) && /^\d+$/.test(id) && !isAtWork(Number(id))) await rm(join(folder, name), { recursive: true, force: true })
  }
}

function isAtWork(id: number): boolean {
  if (id === process.pid) return false
  try {
    return process.kill(id, 0)
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === 'EPERM'
  }
}
