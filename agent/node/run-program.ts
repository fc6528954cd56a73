import { spawn } from 'node:child_process'
import type { ChildProcess } from 'node:child_process'
import { randomUUID } from 'node:crypto'
import type { Readable } from 'node:stream'
import { pipeline } from 'node:stream/promises'
import { NodeError } from './node-error.ts'
import { RUN, signalFamily, startOf } from './process-family.ts'
import type { ProcessMark } from './process-family.ts'

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
 * On abort it and all that it has started get SIGTERM, after the grace time or once it is gone SIGKILL, and then the promise
 * rejects with the signal's reason.
 *
 * @throws {NodeError} PROGRAM_MISSING; whatever `input` fails with.
 */
export async function runProgram(argv: readonly [string, ...string[]], options: RunOptions): Promise<Ended> {
  options.signal.throwIfAborted()
  const [program, ...args] = argv
  const run = randomUUID()
  const child = spawn(program, args, {
    cwd: options.cwd, env: { ...(options.environment ?? programEnvironment()), [RUN]: run }, stdio: ['pipe', 'pipe', 'pipe'], detached: true,
  })
  const start = child.pid === undefined ? undefined : startOf(child.pid)
  const mark = child.pid === undefined || start === undefined ? undefined : { pid: child.pid, start, run }
  if (mark !== undefined) options.onStart?.(mark)
  const stdout = collect(child.stdout, (line) => options.onLine?.('stdout', line), options.clean)
  const stderr = collect(child.stderr, (line) => options.onLine?.('stderr', line), options.clean)
  const ended = untilClosed(child, options, { program, mark })
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
    if (child.pid !== undefined) signalAll(child.pid, undefined, 'SIGKILL')
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

function untilClosed(child: ChildProcess, { signal: abort, graceMs = 5_000 }: RunOptions, { program, mark }: { readonly program: string; readonly mark: ProcessMark | undefined }): Promise<number> {
  return new Promise((resolve, reject) => {
    let killer: NodeJS.Timeout | undefined
    const terminate = (): void => {
      if (child.pid === undefined) return
      signalAll(child.pid, mark, 'SIGTERM')
      killer = setTimeout(() => {
        if (child.pid !== undefined) signalAll(child.pid, mark, 'SIGKILL')
        // A grandchild may hold the pipes open for ever.
        child.stdout?.destroy()
        child.stderr?.destroy()
      }, graceMs)
    }
    abort.addEventListener('abort', terminate, { once: true })
    if (abort.aborted) terminate()
    child.once('error', (cause) => {
      abort.removeEventListener('abort', terminate)
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
      abort.removeEventListener('abort', terminate)
      clearTimeout(killer)
      // Who outlives the leader of what was aborted does not go on unseen.
      if (abort.aborted && child.pid !== undefined) signalAll(child.pid, mark, 'SIGKILL')
      resolve(code ?? 128 + (SIGNALS[signal ?? ''] ?? 0))
    })
  })
}

function signalAll(pid: number, mark: ProcessMark | undefined, signal: NodeJS.Signals): void {
  if (mark !== undefined) signalFamily(mark, signal)
  try {
    process.kill(-pid, signal)
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ESRCH') throw error
  }
}
