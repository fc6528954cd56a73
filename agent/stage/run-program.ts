import { spawn } from 'node:child_process'
import type { ChildProcess } from 'node:child_process'
import { StageError } from './stage-error.ts'

/** How a program is run. */
export interface RunProgramOptions {
  readonly signal: AbortSignal
  readonly cwd?: string
  /** The whole environment; default: PATH of this process, `LC_ALL=C.UTF-8` and nothing else. */
  readonly env?: Readonly<Record<string, string>>
  /** Called with each whole line of standard error and standard output, as it comes. */
  readonly onLine?: (line: string) => void
  /** Milliseconds until the program counts as hung and is stopped. Default: 20 minutes. */
  readonly deadlineMs?: number
}

/** What a program that ended with exit code 0 wrote; each at most 64 MiB, the rest is dropped from the front. */
export interface ProgramOutput {
  readonly stdout: string
  readonly stderr: string
}

const KEPT_BYTES = 64 * 1024 * 1024
const GRACE_MS = 10_000

/**
 * Runs a program to its end, without a shell and without standard input, in a process group of its own.
 *
 * On abort or past the deadline the whole group gets SIGTERM, after 10 s SIGKILL; the promise settles once it is gone.
 *
 * @throws {StageError} PROGRAM_MISSING, PROGRAM_FAILED (with the last lines it wrote), PROGRAM_TIMEOUT.
 * @throws the signal's reason when aborted.
 */
export async function runProgram(argv: readonly [string, ...string[]], options: RunProgramOptions): Promise<ProgramOutput> {
  options.signal.throwIfAborted()
  const deadline = AbortSignal.timeout(options.deadlineMs ?? 20 * 60_000)
  const stop = AbortSignal.any([options.signal, deadline])
  const [program, ...args] = argv
  const child = spawn(program, args, {
    cwd: options.cwd, env: { ...(options.env ?? defaultEnvironment()) }, stdio: ['ignore', 'pipe', 'pipe'], detached: true,
  })
  const stdout = collect(child.stdout, options.onLine)
  const stderr = collect(child.stderr, options.onLine)
  const code = await waitFor(child, program, stop)
  options.signal.throwIfAborted()
  const output = { stdout: stdout(), stderr: stderr() }
  if (deadline.aborted && code !== 0) {
    throw new StageError('PROGRAM_TIMEOUT', `${program} did not end in time and was stopped`, { data: { argv } })
  }
  if (code !== 0) {
    const said = (output.stderr.trim() === '' ? output.stdout : output.stderr).trimEnd().split('\n').slice(-12).join('\n')
    throw new StageError('PROGRAM_FAILED', `${program} ended with ${String(code)}:\n${said}`, { data: { argv, ...output } })
  }
  return output
}

function defaultEnvironment(): Readonly<Record<string, string>> {
  return { PATH: `${process.env['PATH'] ?? ''}:/usr/sbin:/usr/bin:/sbin:/bin`, LC_ALL: 'C.UTF-8' }
}

function collect(stream: NodeJS.ReadableStream, onLine: ((line: string) => void) | undefined): () => string {
  const chunks: Buffer[] = []
  let bytes = 0
  let rest = ''
  stream.on('data', (chunk: Buffer) => {
    chunks.push(chunk)
    bytes += chunk.length
    while (bytes > KEPT_BYTES && chunks.length > 1) bytes -= chunks.shift()?.length ?? 0
    if (onLine === undefined) return
    const lines = (rest + chunk.toString('utf8')).split('\n')
    rest = (lines.pop() ?? '').slice(-4096)
    for (const line of lines) onLine(line)
  })
  return () => Buffer.concat(chunks).toString('utf8')
}

function waitFor(child: ChildProcess, program: string, stop: AbortSignal): Promise<number | string> {
  return new Promise((resolve, reject) => {
    let killer: NodeJS.Timeout | undefined
    const terminate = (): void => {
      signalGroup(child, 'SIGTERM')
      killer = setTimeout(() => signalGroup(child, 'SIGKILL'), GRACE_MS)
    }
    stop.addEventListener('abort', terminate, { once: true })
    if (stop.aborted) terminate()
    const finish = (): void => {
      stop.removeEventListener('abort', terminate)
      clearTimeout(killer)
    }
    child.once('error', cause => {
      finish()
      reject(new StageError('PROGRAM_MISSING', `cannot run ${program}: ${cause.message}`, { data: { program }, cause }))
    })
    child.once('close', (code, signal) => {
      finish()
      resolve(code ?? signal ?? 'no status')
    })
  })
}

function signalGroup(child: ChildProcess, signal: NodeJS.Signals): void {
  if (child.pid === undefined) return
  try {
    process.kill(-child.pid, signal)
  } catch (error) {
    // The group may have ended between the check and the call.
    if ((error as NodeJS.ErrnoException).code !== 'ESRCH') throw error
  }
}
