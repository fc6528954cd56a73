import { spawn } from 'node:child_process'
import { SiteError } from './site-error.ts'

/** How one run of git ended. */
export interface GitResult {
  readonly status: number
  readonly stdout: Buffer
  readonly stderr: string
}

export interface GitOptions {
  readonly signal: AbortSignal
  /** Written to its input, which is then closed. */
  readonly input?: string | Buffer
  /** Milliseconds after which it is killed; default two minutes. */
  readonly deadlineMs?: number
}

/** Runs git on one repository. Resolves whatever the exit status; see `must` for the other way. */
export type Git = (args: readonly string[], options: GitOptions) => Promise<GitResult>

/** Bytes of output that are kept; more is a failure. */
const MAX_OUTPUT = 1024 * 1024 * 1024
const DEADLINE_MS = 120_000

/**
 * Git for one repository, without a shell, without a terminal to ask on, and without what the environment says to git.
 *
 * @param config file that stands in for the user's configuration.
 */
export function gitIn(folder: string, config: string): Git {
  const kept = Object.entries(process.env).filter(([name]) => !name.startsWith('GIT_') && name !== 'SSH_ASKPASS')
  const env = { ...Object.fromEntries(kept), GIT_CONFIG_GLOBAL: config, GIT_TERMINAL_PROMPT: '0', GIT_NO_REPLACE_OBJECTS: '1', LC_ALL: 'C' }
  return async (args, { signal, input, deadlineMs = DEADLINE_MS }) => {
    signal.throwIfAborted()
    const deadline = AbortSignal.timeout(deadlineMs)
    const either = AbortSignal.any([signal, deadline])
    const child = spawn('git', ['--git-dir', folder, ...args], { env, stdio: ['pipe', 'pipe', 'pipe'], detached: true })
    // git has children of its own (ssh, index-pack): the whole group has to go.
    const kill = (): void => {
      try {
        if (child.pid !== undefined) process.kill(-child.pid, 'SIGKILL')
      } catch (cause) {
        if ((cause as NodeJS.ErrnoException).code !== 'ESRCH') throw cause
      }
    }
    either.addEventListener('abort', kill, { once: true })
    try {
      const result = await collect(child, input, kill)
      signal.throwIfAborted()
      if (deadline.aborted) throw new SiteError('SITE_UNREACHABLE', `git ${args[0]} took longer than ${deadlineMs / 1000} s`)
      return result
    } catch (cause) {
      if ((cause as NodeJS.ErrnoException).code === 'ENOENT') throw new SiteError('SITE_NO_GIT', 'there is no git program', { cause })
      throw cause
    } finally {
      either.removeEventListener('abort', kill)
    }
  }
}

/**
 * Runs git and returns what it wrote.
 *
 * @throws {SiteError} SITE_GIT_FAILED for any exit status but 0.
 */
export async function must(git: Git, args: readonly string[], options: GitOptions): Promise<Buffer> {
  const { status, stdout, stderr } = await git(args, options)
  if (status !== 0) throw new SiteError('SITE_GIT_FAILED', `git ${args[0]} failed: ${stderr.trim()}`)
  return stdout
}

function collect(child: ReturnType<typeof spawn>, input: string | Buffer | undefined, kill: () => void): Promise<GitResult> {
  return new Promise((resolve, reject) => {
    const stdout: Buffer[] = []
    let bytes = 0
    let stderr = ''
    child.stdout?.on('data', (chunk: Buffer) => {
      bytes += chunk.length
      if (bytes > MAX_OUTPUT) kill()
      else stdout.push(chunk)
    })
    child.stderr?.on('data', (chunk: Buffer) => {
      stderr = (stderr + chunk.toString('utf8')).slice(-20_000)
    })
    child.once('error', reject)
    child.once('close', (status) => {
      if (bytes > MAX_OUTPUT) reject(new SiteError('SITE_GIT_FAILED', `git wrote more than ${MAX_OUTPUT} bytes`))
      else resolve({ status: status ?? 255, stdout: Buffer.concat(stdout), stderr })
    })
    // A git that ends before it read everything says why on stderr; the broken pipe says nothing.
    child.stdin?.on('error', () => {})
    child.stdin?.end(input)
  })
}
