import { spawn } from 'node:child_process'
import { readFile, rm } from 'node:fs/promises'
import { join } from 'node:path'
import type { Changes } from '../../schemas/changes.ts'
import type { Compilation } from '../../schemas/compilation.ts'
import type { Diagnostic } from '../../schemas/diagnostic.ts'
import { PLAN_VERSION } from '../../schemas/plan.ts'
import type { Plan } from '../../schemas/plan.ts'

/** What the compiler made of one commit. */
export type CompiledSite =
  | {
      readonly kind: 'compiled'
      readonly commit: string
      readonly plan: Plan
      readonly changes: Changes
      /** Text of `site.lock.json` as this commit asks for it. */
      readonly lockText: string
      /** True: the committed lock is not this one, so nothing may run yet. */
      readonly lockChanged: boolean
      readonly baseFound: boolean
      readonly diagnostics: readonly Diagnostic[]
      /** Folder with a file `<sha256 hex>` for every file of `plan.contents`. */
      readonly blobs: string
    }
  /** The site is at fault, and says where. */
  | { readonly kind: 'refused'; readonly commit: string; readonly diagnostics: readonly Diagnostic[] }

/** Which changes are wanted: globs over steps and nodes. */
export interface Filter {
  readonly target: readonly string[]
  readonly exclude: readonly string[]
}

export type CompileErrorCode =
  /** Nothing is called as the filter says. */
  | 'SELECTION_UNKNOWN'
  | 'COMPILER_FAILED' | 'COMPILER_TIMEOUT' | 'COMPILER_TOO_NEW'

/** The compiler itself failed; the site may be good. */
export class CompileError extends Error {
  readonly code: CompileErrorCode

  constructor(code: CompileErrorCode, message: string, options?: ErrorOptions) {
    super(message, options)
    this.code = code
  }
}

export interface CompileOptions {
  /** argv of the compiler. */
  readonly compiler: readonly [string, ...string[]]
  /** The agent's clone of the site repository. */
  readonly repository: string
  readonly commit: string
  /** Folder in which it keeps barclamps from git, unless XDG_CACHE_HOME names another. */
  readonly cache: string
  readonly filter?: Filter
  /** Folder for what it writes; emptied first, and the caller's to remove. */
  readonly out: string
  /** Heap limit, MiB. */
  readonly megabytes: number
  readonly deadlineMs: number
  readonly signal: AbortSignal
}

/**
 * Compiles a commit against the ledger in the same repository, in a child process that cannot take the agent with it.
 *
 * @throws {CompileError} when the compiler crashed, took too long or speaks a newer plan version.
 * @throws the signal's reason when aborted.
 */
export async function compileSite(options: CompileOptions): Promise<CompiledSite> {
  const { commit, out } = options
  await rm(out, { recursive: true, force: true })
  const { code, stderr } = await run(options)
  if (code === 1 || code === 4) return { kind: 'refused', commit, diagnostics: (await readJson<Compilation>(out, 'result.json', stderr)).diagnostics }
  if (code === 64 && options.filter !== undefined) throw new CompileError('SELECTION_UNKNOWN', stderr.trim().replace(/^crowbar: /, ''))
  if (code !== 0) throw new CompileError('COMPILER_FAILED', `the compiler ended with ${String(code)} on ${commit}: ${stderr.trim().split('\n').slice(-5).join('\n')}`)
  const [result, plan, changes, lockText] = await Promise.all([
    readJson<Compilation>(out, 'result.json', stderr),
    readJson<Plan>(out, 'plan.json', stderr),
    readJson<Changes>(out, 'changes.json', stderr),
    readFile(join(out, 'site.lock.json'), 'utf8'),
  ])
  if (Number(plan.version) > PLAN_VERSION) throw new CompileError('COMPILER_TOO_NEW', `the plan has version ${Number(plan.version)}, this agent knows ${PLAN_VERSION}: upgrade the agent`)
  return { kind: 'compiled', commit, plan, changes, lockText, lockChanged: result.lockChanged, baseFound: result.baseFound, diagnostics: result.diagnostics, blobs: join(out, 'blobs') }
}

async function readJson<T>(folder: string, name: string, stderr: string): Promise<T> {
  try {
    return JSON.parse(await readFile(join(folder, name), 'utf8')) as T
  } catch (cause) {
    throw new CompileError('COMPILER_FAILED', `the compiler left no readable ${name}: ${stderr.trim()}`, { cause })
  }
}

/** What of the environment finds programs, and lets git reach other repositories as this process's owner would. */
function reachingOthers(): NodeJS.ProcessEnv {
  const wanted = /^(?:PATH|HOME|USER|XDG_CACHE_HOME|XDG_CONFIG_HOME|SSH_AUTH_SOCK|GIT_SSH|GIT_SSH_COMMAND|GIT_ASKPASS|GIT_CONFIG_\w+|GIT_SSL_\w+|SSL_CERT_\w+|https?_proxy|HTTPS_PROXY|no_proxy|NO_PROXY|all_proxy|ALL_PROXY)$/
  return Object.fromEntries(Object.entries(process.env).filter(([name]) => wanted.test(name)))
}

function filterArguments(filter: Filter | undefined): string[] {
  return [...(filter?.target ?? []).flatMap(glob => ['--target', glob]), ...(filter?.exclude ?? []).flatMap(glob => ['--exclude', glob])]
}

function run(options: CompileOptions): Promise<{ readonly code: number | null; readonly stderr: string }> {
  const [program, ...args] = options.compiler
  const deadline = AbortSignal.timeout(options.deadlineMs)
  return new Promise((resolve, reject) => {
    const child = spawn(program, [...args, 'compile', '--site', options.repository, '--ref', options.commit, '--out', options.out, ...filterArguments(options.filter)], {
      stdio: ['ignore', 'ignore', 'pipe'],
      env: { PATH: '/usr/sbin:/usr/bin:/sbin:/bin', XDG_CACHE_HOME: options.cache, ...reachingOthers(), LC_ALL: 'C.UTF-8', NODE_OPTIONS: `--max-old-space-size=${options.megabytes}` },
      signal: AbortSignal.any([options.signal, deadline]),
      killSignal: 'SIGKILL',
    })
    let stderr = ''
    child.stderr.on('data', (chunk: Buffer) => {
      stderr = (stderr + chunk.toString('utf8')).slice(-100_000)
    })
    child.once('error', cause => {
      if (options.signal.aborted) reject(options.signal.reason as Error)
      else if (deadline.aborted) reject(new CompileError('COMPILER_TIMEOUT', `the compiler took more than ${options.deadlineMs / 1000} s on ${options.commit}`))
      else reject(new CompileError('COMPILER_FAILED', `cannot run the compiler ${program}: ${cause.message}`, { cause }))
    })
    child.once('close', code => resolve({ code, stderr }))
  })
}
