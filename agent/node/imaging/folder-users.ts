import { readFileSync, readdirSync, readlinkSync } from 'node:fs'

/** Ends the processes that have a folder, or one below it, as their root; never this one. */
export function endInside(folder: string): void {
  for (const pid of processes()) {
    if (!isBelow(linkOf(`/proc/${pid}/root`), folder)) continue
    try {
      process.kill(pid, 'SIGKILL')
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== 'ESRCH') throw error
    }
  }
}

/** Who uses what is below a folder, as fuser(1) finds it: `lvm (412, root)`. */
export function usersOf(folder: string): readonly string[] {
  return processes().flatMap((pid) => {
    const links = [...['root', 'cwd', 'exe'].map((name) => [name, linkOf(`/proc/${pid}/${name}`)] as const), ...namesIn(`/proc/${pid}/fd`).map((name) => ['open file', linkOf(`/proc/${pid}/fd/${name}`)] as const)]
    const how = [...new Set(links.flatMap(([name, target]) => (isBelow(target, folder) ? [name] : [])))]
    const mapped = textOf(`/proc/${pid}/maps`).split('\n').some((line) => isBelow(line.slice(line.indexOf('/')), folder)) ? ['mapped file'] : []
    const all = [...how, ...mapped]
    return all.length === 0 ? [] : [`${textOf(`/proc/${pid}/comm`).trim()} (${[pid, ...all].join(', ')})`]
  })
}

function processes(): readonly number[] {
  return namesIn('/proc').filter((name) => /^[0-9]+$/.test(name)).map(Number)
}

function isBelow(path: string, folder: string): boolean {
  return path === folder || path.startsWith(`${folder}/`)
}

/** What of a process is gone or not ours to see is empty. */
function linkOf(path: string): string {
  try {
    return readlinkSync(path)
  } catch {
    return ''
  }
}

function namesIn(path: string): readonly string[] {
  try {
    return readdirSync(path)
  } catch {
    return []
  }
}

function textOf(path: string): string {
  try {
    return readFileSync(path, 'utf8')
  } catch {
    return ''
  }
}
