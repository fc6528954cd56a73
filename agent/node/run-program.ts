import { spawn } from 'node:child_process'
import type { ChildProcess } from 'node:child_process'
import { readFileSync } from 'node:fs'
import type { Readable } from 'node:stream'
import { pipeline } from 'node:stream/promises'
import { NodeError } from './node-error.ts'

/** How a program is run. */
export interface RunOptions {
  readonly signal: AbortSignal
  readonly cwd?: string
  /** The whole environment. Default: `programEnvironment()`. */
  readonly environment?: Readonly<Record<string, string>>
  /** Fed to standard input; none means an empty one. When it fails, the program is ended and its error is thrown. */
  readonly input?: Readable | string
  /** Each whole line as it comes; lines over 16 KiB come in pieces. */
  readonly onLine?: (stream: 'stdout' | 'stderr', line: string) => void
  /**
   * Takes out of a long line what must not be seen, before it comes in pieces: what was cut in two no one finds any more.
   * Of texts up to 16 KiB.
   */
  readonly clean?: (text: string) => string
  /** The process exists; it leads a group of its own. */
  readonly onStart?: (process: ProcessMark) => void
  /** Milliseconds between SIGTERM and SIGKILL. Default 5,000. */
  readonly graceMs?: number
}

/** A process that a reused number cannot be mistaken for: `start` is its start time in clock ticks since boot. */
export interface ProcessMark {
  readonly pid: number
  readonly start: string
}

export interface Ended {
  /** 128 + n when a signal n ended it, as in a shell. */
  readonly exitCode: number
  /** At most the last 4 MiB. */
  readonly stdout: string
  readonly stderr: string
}

const KEPT = 4 * 1024 * 1024
const LINE = 16 * 1024
const SIGNALS: Readonly<Record<string, number>> = { SIGHUP: 1, SIGINT: 2, SIGQUIT: 3, SIGABRT: 6, SIGKILL: 9, SIGSEGV: 11, SIGPIPE: 13, SIGTERM: 15 }

/** PATH with the system folders, the C locale, and nothing of this process's own environment. */
export function programEnvironment(): Record<string, string> {
  return { PATH: '/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin', LC_ALL: 'C.UTF-8', HOME: '/root' }
}

/**
 * Runs a program to its end in a process group of its own, whatever its exit code.
 *
 * On abort the group gets SIGTERM, after the grace time SIGKILL, and the promise rejects with the signal's reason once the
 * leader is gone.
 *
 * @throws {NodeError} PROGRAM_MISSING; whatever `input` fails with.
 */
export async function runProgram(argv: readonly [string, ...string[]], options: RunOptions): Promise<Ended> {
  options.signal.throwIfAborted()
  const [program, ...args] = argv
  const child = spawn(program, args, {
    cwd: options.cwd, env: { ...(options.environment ?? programEnvironment()) }, stdio: ['pipe', 'pipe', 'pipe'], detached: true,
  })
  const mark = markOf(child.pid)
  if (mark !== undefined) options.onStart?.(mark)
  const stdout = collect(child.stdout, (line) => options.onLine?.('stdout', line), options.clean)
  const stderr = collect(child.stderr, (line) => options.onLine?.('stderr', line), options.clean)
  const ended = untilClosed(child, program, options)
  const fed = feed(child, options.input)
  // Two failures can come at once; the input's explains the program's.
  const [closing, feeding] = await Promise.allSettled([ended, fed])
  options.signal.throwIfAborted()
  if (feeding.status === 'rejected') throw feeding.reason
  if (closing.status === 'rejected') throw closing.reason
  return { exitCode: closing.value, stdout: stdout(), stderr: stderr() }
}

/**
 * Runs a program that has to end with 0, and gives what it wrote.
 *
 * @throws {NodeError} PROGRAM_FAILED with its last lines, PROGRAM_MISSING.
 */
export async function mustRun(argv: readonly [string, ...string[]], options: RunOptions): Promise<string> {
  const { exitCode, stdout, stderr } = await runProgram(argv, options)
  if (exitCode === 0) return stdout
  const said = (stderr.trim() === '' ? stdout : stderr).trimEnd().split('\n').slice(-8).join('\n')
  throw new NodeError('PROGRAM_FAILED', `${argv.join(' ')} ended with ${exitCode}: ${said}`, { data: { program: argv[0], exitCode } })
}

/** Kills the process group that a mark's process leads, if that very process still runs. */
export function killGroup(mark: ProcessMark): boolean {
  if (startOf(mark.pid) !== mark.start) return false
  signalGroup(mark.pid, 'SIGKILL')
  return true
}

function markOf(pid: number | undefined): ProcessMark | undefined {
  const start = pid === undefined ? undefined : startOf(pid)
  return pid === undefined || start === undefined ? undefined : { pid, start }
}

/** Field 22 of /proc/<pid>/stat (proc(5)); the command's name may hold spaces and parentheses. */
function startOf(pid: number): string | undefined {
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, 'latin1')
    return stat.slice(stat.lastIndexOf(')') + 2).split(' ')[19]
  } catch {
    return undefined
  }
}

async function feed(child: ChildProcess, input: Readable | string | undefined): Promise<void> {
  const { stdin } = child
  if (stdin === null) return
  if (input === undefined || typeof input === 'string') {
    // A program that does not read its input closes it early; its exit code tells whether that was right.
    stdin.on('error', () => undefined)
    stdin.end(input ?? '')
    return
  }
  try {
    await pipeline(input, stdin)
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'EPIPE') return
    if (child.pid !== undefined) signalGroup(child.pid, 'SIGKILL')
    throw error
  }
}

function collect(stream: Readable | null, onLine: (line: string) => void, clean = (text: string): string => text): () => string {
  const chunks: string[] = []
  let kept = 0
  let rest = ''
  stream?.setEncoding('utf8')
  stream?.on('data', (text: string) => {
    chunks.push(text)
    kept += text.length
    while (kept > KEPT && chunks.length > 1) kept -= chunks.shift()?.length ?? 0
    const lines = (rest + text).split('\n')
    rest = lines.pop() ?? ''
    for (const line of lines) onLine(line)
    // What begins before the cut is here to its end.
    if (rest.length > 2 * LINE) rest = clean(rest)
    while (rest.length > 2 * LINE) {
      onLine(rest.slice(0, LINE))
      rest = rest.slice(LINE)
    }
  })
  stream?.on('end', () => {
    if (rest !== '') onLine(rest)
  })
  return () => chunks.join('')
}

function untilClosed(child: ChildProcess, program: string, options: RunOptions): Promise<number> {
  return new Promise((resolve, reject) => {
    let killer: NodeJS.Timeout | undefined
    const terminate = (): void => {
      if (child.pid === undefined) return
      signalGroup(child.pid, 'SIGTERM')
      killer = setTimeout(() => {
        if (child.pid !== undefined) signalGroup(child.pid, 'SIGKILL')
        // A grandchild in a group of its own may hold the pipes open for ever.
        child.stdout?.destroy()
        child.stderr?.destroy()
      }, options.graceMs ?? 5_000)
    }
    options.signal.addEventListener('abort', terminate, { once: true })
    if (options.signal.aborted) terminate()
    child.once('error', (cause) => {
      options.signal.removeEventListener('abort', terminate)
      reject(new NodeError('PROGRAM_MISSING', `cannot run ${program}: ${cause.message}`, { data: { program }, cause }))
    })
    child.once('exit', () => {
      // A service that the program started may keep its pipes: what is written after this short while is not its output.
      setTimeout(() => {
        child.stdout?.destroy()
        child.stderr?.destroy()
      }, 2_000).unref()
    })
    child.once('close', (code, signal) => {
      options.signal.removeEventListener('abort', terminate)
      clearTimeout(killer)
      resolve(code ?? 128 + (SIGNALS[signal ?? ''] ?? 0))
    })
  })
}

function signalGroup(pid: number, signal: NodeJS.Signals): void {
  try {
    process.kill(-pid, signal)
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ESRCH') throw error
  }
}
