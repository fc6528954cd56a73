import { open, readdir, readFile } from 'node:fs/promises'
import { totalmem } from 'node:os'
import { setTimeout as delay } from 'node:timers/promises'
import type { BuildDocument } from '../../schemas/documents/rule.ts'
import type { Progress } from '../stage/progress.ts'
import { runProgram } from '../stage/run-program.ts'

/** What a build may use at most. */
export interface Limits {
  /** Bytes below its system's folder, beside that system. */
  readonly disk: number
  /** Bytes of all its processes together, without what they map from files. */
  readonly memory: number
  /** Processes and threads. */
  readonly processes: number
}

export interface WatchOptions {
  /** The system that it happens in. */
  readonly folder: string
  readonly log: string
  /** Whose processes are counted. */
  readonly user: number
  readonly limits: Limits
  readonly signal: AbortSignal
  /** Told each step that the log names, and from time to time how far it is. */
  readonly onProgress: Progress
}

/** A build being watched. Ends when it is disposed. */
export interface Watch extends AsyncDisposable {
  /** Aborts when a limit is passed. */
  readonly signal: AbortSignal
  /** The limit that was passed, or that a build which failed by itself may have met, by what it said last; for people. */
  exceeded(said: string): string | undefined
}

/** How the scripts of a build name their steps in its log. */
const STEP = /^==> (.+)$/
const LOOK_MS = 500
/** Looks between two measurements of the disk. */
const LOOKS_A_MEASURE = 4
const WORD_MS = 10_000
/** Whoever was so close may have been refused the rest. */
const CLOSE = 0.9
/** How programs say that the kernel refused them more of it. */
const NO_MEMORY = /Cannot allocate memory|MemoryError|out of memory|virtual memory exhausted|bad_alloc/i
const NO_FORK = /cannot fork|fork: .*(retry|Resource temporarily unavailable)|Resource temporarily unavailable/i
const NO_ROOM = /File size limit exceeded|File too large/
const GIB = 1024 ** 3
const MIB = 1024 ** 2

/** What a source says of its build's limits, and what goes without saying. */
export function limitsOf({ limits = {} }: Pick<BuildDocument, 'limits'>): Limits {
  return {
    disk: bytesOf(limits.disk) ?? 16 * GIB,
    memory: bytesOf(limits.memory) ?? Math.floor(totalmem() * 3 / 4),
    processes: limits.processes ?? 4096,
  }
}

/** Watches what a build uses, and what it says. */
export async function watchBuild(options: WatchOptions): Promise<Watch> {
  const { folder, log, user, limits, onProgress } = options
  const system = await diskOf(folder, options.signal)
  const broken = new AbortController()
  const done = new AbortController()
  let exceeded: string | undefined
  let peak = { memory: 0, processes: 0 }
  const pass = (what: string): void => {
    exceeded ??= what
    broken.abort(new Error(what))
  }
  const started = performance.now()
  const watching = (async () => {
    let [offset, lines, last, told] = [0, 0, '', started]
    const read = async (): Promise<void> => {
      const more = await linesAfter(log, offset)
      offset = more.offset
      lines += more.lines.length
      last = more.lines.findLast(line => line.trim() !== '') ?? last
      for (const line of more.lines) {
        const step = STEP.exec(line)?.[1]
        if (step !== undefined) onProgress(step)
      }
    }
    for (let looks = 1; !done.signal.aborted; looks++) {
      const used = await usedBy(user)
      peak = { memory: Math.max(peak.memory, used.memory), processes: Math.max(peak.processes, used.processes) }
      if (used.memory > limits.memory) pass(`used more than ${sizeText(limits.memory)} of memory`)
      if (used.processes > limits.processes) pass(`had more than ${String(limits.processes)} processes and threads`)
      if (looks % LOOKS_A_MEASURE === 0 && await diskOf(folder, done.signal).catch(() => 0) - system > limits.disk) pass(`wrote more than ${sizeText(limits.disk)}`)
      await read()
      const now = performance.now()
      if (now - told > WORD_MS && last !== '') {
        onProgress(`${String(Math.round((now - started) / 1000))} s, ${String(lines)} lines: ${last.trim().slice(0, 120)}`)
        told = now
      }
      await delay(LOOK_MS, undefined, { signal: done.signal }).catch(() => undefined)
    }
    await read()
  })().catch((error: unknown) => pass(`could not be watched: ${String(error)}`))
  return {
    signal: broken.signal,
    exceeded(said) {
      if (exceeded !== undefined) return exceeded
      if (peak.memory > limits.memory * CLOSE || NO_MEMORY.test(said)) return `may have needed more than ${sizeText(limits.memory)} of memory`
      if (NO_ROOM.test(said)) return `may have written a file of more than ${sizeText(limits.disk)}`
      return peak.processes > limits.processes * CLOSE || NO_FORK.test(said) ? `may have needed more than ${String(limits.processes)} processes and threads` : undefined
    },
    async [Symbol.asyncDispose]() {
      done.abort()
      await watching
    },
  }
}

/** The limits as far as the kernel keeps them for each process by itself; prlimit(1). What all use together is watched. */
export function limitArguments({ disk, memory, processes }: Limits): string[] {
  return [`--fsize=${String(disk)}`, `--data=${String(memory)}`, `--nproc=${String(processes)}`, '--core=0']
}

/** `16 GiB` */
function sizeText(bytes: number): string {
  return bytes % GIB === 0 ? `${String(bytes / GIB)} GiB` : `${String(Math.round(bytes / MIB))} MiB`
}

function bytesOf(size: string | undefined): number | undefined {
  const { number, unit } = /^(?<number>\d+)(?<unit>MiB|GiB)$/.exec(size ?? '')?.groups ?? {}
  return number === undefined ? undefined : Number(number) * (unit === 'GiB' ? GIB : MIB)
}

async function diskOf(folder: string, signal: AbortSignal): Promise<number> {
  const { stdout } = await runProgram(['du', '--summarize', '--one-file-system', '--block-size=1', folder], { signal }).catch((error: unknown) => {
    signal.throwIfAborted()
    // What went while it was counted. It has said the sum all the same.
    const said = (error as { readonly data?: { readonly stdout?: string } }).data?.stdout
    if (said === undefined) throw error
    return { stdout: said }
  })
  return Number(/^\d+/.exec(stdout)?.[0] ?? 0)
}

/** Memory in bytes, and threads, of a user's processes. proc(5): /proc/PID/status */
async function usedBy(user: number): Promise<{ readonly memory: number; readonly processes: number }> {
  let [memory, processes] = [0, 0]
  for (const name of await readdir('/proc')) {
    if (!/^\d+$/.test(name)) continue
    const status = await readFile(`/proc/${name}/status`, 'utf8').catch(() => '')
    const field = (wanted: string): number => Number(new RegExp(`^${wanted}:\\s+(\\d+)`, 'm').exec(status)?.[1] ?? 0)
    if (status === '' || field('Uid') !== user) continue
    memory += (field('RssAnon') + field('RssShmem')) * 1024
    processes += field('Threads')
  }
  return { memory, processes }
}

/** Whole lines of a file behind an offset, and the offset behind them. */
async function linesAfter(path: string, offset: number): Promise<{ readonly lines: readonly string[]; readonly offset: number }> {
  await using file = await open(path).catch(() => undefined)
  if (file === undefined) return { lines: [], offset }
  const { buffer, bytesRead } = await file.read(Buffer.alloc(MIB), 0, MIB, offset)
  const end = buffer.subarray(0, bytesRead).lastIndexOf(0x0a) + 1
  // A line longer than all that was read is passed by.
  if (end === 0) return { lines: [], offset: bytesRead === MIB ? offset + bytesRead : offset }
  return { lines: buffer.toString('utf8', 0, end - 1).split('\n'), offset: offset + end }
}
