import { readdir, rm } from 'node:fs/promises'
import { join } from 'node:path'
import { GROUP_PREFIX, removeLeftGroups } from './cgroups.ts'

/**
 * Removes what racks left whose process was killed outright: working folders and control groups. Processes, networks and
 * mounts of a rack need none of this, they end with it.
 *
 * @param folder where working folders are made, named `crowbar-rack-<pid>-…`.
 */
export async function removeLeftovers(folder: string): Promise<void> {
  for (const name of await readdir(folder).catch(() => [])) {
    const pid = new RegExp(`^${GROUP_PREFIX}([0-9]+)-`).exec(name)?.[1]
    if (pid !== undefined && isGone(Number(pid))) await rm(join(folder, name), { recursive: true, force: true })
  }
  await removeLeftGroups(isGone)
}

function isGone(pid: number): boolean {
  try {
    process.kill(pid, 0)
    return false
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === 'ESRCH'
  }
}
