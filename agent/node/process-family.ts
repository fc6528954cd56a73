import { readFileSync, readdirSync } from 'node:fs'

/**
 * A process that was started for a task, and what it has started. A reused number cannot be mistaken for it: `start` is its
 * start time in clock ticks since boot.
 */
export interface ProcessMark {
  readonly pid: number
  readonly start: string
  /** What all of the family have in their environment, as `CROWBAR_RUN`, unless they were given another one. */
  readonly run: string
}

/** The name in the environment of a program by which what it starts is found again, also when it is gone itself. */
export const RUN = 'CROWBAR_RUN'

/**
 * Numbers of all that is left of a family: the process itself with its group, whoever has its mark in the environment, and
 * what these have started, whatever groups and sessions they have made for themselves (Ansible's workers do, from 2.19 on).
 */
export function familyOf({ pid, start, run }: ProcessMark): readonly number[] {
  const parents = new Map<number, number>()
  const found = new Set<number>()
  const isThere = startOf(pid) === start
  for (const one of readdirSync('/proc').filter((name) => /^[0-9]+$/.test(name)).map(Number)) {
    if (one === process.pid) continue
    const stat = statOf(one)
    if (stat === undefined) continue
    parents.set(one, stat.parent)
    if ((isThere && stat.group === pid) || isMarked(one, run)) found.add(one)
  }
  // A set gives what is added while it is gone through, too.
  for (const one of found) for (const [child, parent] of parents) if (parent === one) found.add(child)
  return [...found]
}

/** Sends a signal to all that is left of a family. @returns whether anything was. */
export function signalFamily(mark: ProcessMark, signal: NodeJS.Signals): boolean {
  const family = familyOf(mark)
  for (const pid of family) {
    try {
      process.kill(pid, signal)
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== 'ESRCH') throw error
    }
  }
  return family.length > 0
}

/** Start time of a process; undefined when there is none of that number. */
export function startOf(pid: number): string | undefined {
  return statOf(pid)?.start
}

/** Fields 4, 5 and 22 of /proc/<pid>/stat (proc(5)); the command's name may hold spaces and parentheses. */
function statOf(pid: number): { readonly parent: number; readonly group: number; readonly start: string } | undefined {
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, 'latin1')
    const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ')
    return { parent: Number(fields[1]), group: Number(fields[2]), start: fields[19] ?? '' }
  } catch {
    return undefined
  }
}

function isMarked(pid: number, run: string): boolean {
  try {
    return readFileSync(`/proc/${pid}/environ`, 'latin1').split('\0').includes(`${RUN}=${run}`)
  } catch {
    return false
  }
}
