import { mkdir, readFile, readdir, rmdir } from 'node:fs/promises'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'

/** Control groups below our own, one in each hierarchy that an init system uses: its processes are told apart by them. */
export interface ControlGroup {
  /** Folders of the hierarchies; a process that writes its number into `cgroup.procs` there belongs to it. */
  readonly folders: readonly string[]
  /** Takes it away with everything below it, once its processes have ended. */
  remove(): Promise<void>
}

/** All of our groups begin so; then comes the number of the process that rehearses. */
export const GROUP_PREFIX = 'crowbar-rack-'

/** Makes a control group. The name has to begin with `GROUP_PREFIX`. */
export async function makeControlGroup(name: string): Promise<ControlGroup> {
  const folders = (await ownFolders()).map(folder => join(folder, name))
  for (const folder of folders) await mkdir(folder, { recursive: true })
  return {
    folders,
    async remove() {
      for (const folder of folders) await removeGroup(folder)
    },
  }
}

/** Groups of racks whose process is gone; those of a rack that was killed outright stay until somebody looks. */
export async function removeLeftGroups(isGone: (pid: number) => boolean): Promise<void> {
  for (const folder of await ownFolders()) {
    for (const name of await readdir(folder).catch(() => [])) {
      const pid = new RegExp(`^${GROUP_PREFIX}([0-9]+)-`).exec(name)?.[1]
      if (pid !== undefined && isGone(Number(pid))) await removeGroup(join(folder, name))
    }
  }
}

/** The folders of the groups that this process belongs to: cgroup2 and systemd's own hierarchy, where they are mounted. */
async function ownFolders(): Promise<string[]> {
  const own = new Map<string, string>()
  for (const line of (await readFile('/proc/self/cgroup', 'utf8')).trim().split('\n')) {
    const [id = '', controllers = '', ...path] = line.split(':')
    if (id === '0' || controllers === 'name=systemd') own.set(controllers, path.join(':'))
  }
  const folders: string[] = []
  for (const line of (await readFile('/proc/self/mountinfo', 'utf8')).trim().split('\n')) {
    const [before = '', after = ''] = line.split(' - ')
    const mountPoint = before.split(' ')[4] ?? ''
    const kind = after.startsWith('cgroup2 ') ? '' : after.startsWith('cgroup ') && after.split(/[ ,]/).includes('name=systemd') ? 'name=systemd' : undefined
    const path = kind === undefined ? undefined : own.get(kind)
    if (kind === undefined || path === undefined) continue
    own.delete(kind)
    folders.push(join(mountPoint, path))
  }
  return folders
}

/** A group can be removed when it is empty, which it is a moment after its last process has ended. */
async function removeGroup(folder: string): Promise<void> {
  for (const entry of await readdir(folder, { withFileTypes: true }).catch(() => [])) {
    if (entry.isDirectory()) await removeGroup(join(folder, entry.name))
  }
  for (let tries = 0; tries < 40; tries++) {
    const error = await rmdir(folder).then(() => undefined, (problem: NodeJS.ErrnoException) => problem)
    if (error?.code !== 'EBUSY') return
    await sleep(50)
  }
}
