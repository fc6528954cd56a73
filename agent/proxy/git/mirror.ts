import { createHash } from 'node:crypto'
import { access, mkdir, rename } from 'node:fs/promises'
import { join } from 'node:path'
import { runProgram } from '../../stage/run-program.ts'
import { StageError } from '../../stage/stage-error.ts'
import type { Store } from '../../stage/store.ts'
import { ProxyError } from '../proxy-error.ts'
import type { ProxyContext } from '../proxy-context.ts'
import { UpstreamError } from '../upstream/upstream-error.ts'
import { askInTurn, printableBase } from '../upstream/upstreams.ts'
import type { Upstream } from '../upstream/upstreams.ts'

/** Branches and tags; what hosts keep beside them (`refs/pull`) is nobody's source. */
const REFSPECS = ['+refs/heads/*:refs/heads/*', '+refs/tags/*:refs/tags/*'] as const
const DEADLINE_MS = 30 * 60_000
const RETRY_MS = 15_000

/** What of the proxy a mirror works with. */
export type MirrorContext = Pick<ProxyContext, 'store' | 'signal' | 'rounds' | 'backoffMs' | 'now' | 'online' | 'maxAgeMs' | 'log'>

/** Where the copy of a repository is that these upstreams have; there may be none yet. */
export function mirrorFolder(store: Store, upstreams: readonly string[]): string {
  const key = createHash('sha256').update(JSON.stringify(upstreams.toSorted())).digest('hex').slice(0, 32)
  return join(store.folder, 'git', `${key}.git`)
}

/** A bare copy of a repository below the store, as its upstreams had it at the last look. */
export class GitMirror {
  readonly name: string
  readonly upstreams: readonly Upstream[]
  readonly folder: string
  readonly #context: MirrorContext
  readonly #proxy: string | null
  #checked = Number.NEGATIVE_INFINITY
  #refreshing: Promise<void> | undefined
  /** Why it may be out of date. */
  stale: string | null = null

  constructor(name: string, options: { readonly upstreams: readonly string[]; readonly proxy: string | null }, context: MirrorContext) {
    this.name = name
    this.upstreams = options.upstreams.map(base => ({ base, failures: 0, restsUntil: 0, lastError: null, answers: 0, bytes: 0 }))
    this.#proxy = options.proxy
    this.#context = context
    this.folder = mirrorFolder(context.store, options.upstreams)
  }

  /** What follows the repository in a URL of one of its upstreams; undefined when it is another's. */
  below(url: string): string | undefined {
    const plain = (one: string): string => one.replace(/^https?:/, '').replace(/^\/\/[^/@]*@/, '//').replace(/\/+$/, '')
    const wanted = plain(url)
    const base = this.upstreams.flatMap(one => [plain(one.base), `${plain(one.base)}.git`]).find(one => wanted.startsWith(`${one}/`))
    return base === undefined ? undefined : wanted.slice(base.length + 1)
  }

  /** Looks at the upstreams when the last look is too long ago. @throws {ProxyError} when there is no copy. */
  async refresh(force: boolean): Promise<void> {
    const { maxAgeMs, now, online, log } = this.#context
    const has = await access(join(this.folder, 'HEAD')).then(() => true, () => false)
    if (has && !force && now() - this.#checked < maxAgeMs) return
    if (!online()) {
      if (has) return
      throw new ProxyError('OFFLINE', `the git repository ${this.name} is not in the store, and this admin node is offline`)
    }
    this.#refreshing ??= this.#fetch(has).then(() => {
      this.#checked = now()
      this.stale = null
    }, (error: unknown) => {
      this.stale = (error as Error).message
      this.#checked = now() - maxAgeMs + Math.min(RETRY_MS, maxAgeMs)
      log('a git repository could not be looked at', { source: this.name, error: this.stale })
      throw error
    }).finally(() => {
      this.#refreshing = undefined
    })
    await this.#refreshing.catch((error: unknown) => {
      if (!has) throw error
    })
  }

  async #fetch(has: boolean): Promise<void> {
    const { store, signal, rounds, backoffMs, now } = this.#context
    await using work = await store.temporaryFolder('git')
    const folder = has ? this.folder : join(work.path, 'mirror.git')
    if (!has) await runProgram(['git', 'init', '--quiet', '--bare', folder], { signal })
    await askInTurn(this.upstreams, async upstream => {
      await this.#git(['-C', folder, 'fetch', '--quiet', '--prune', '--no-tags', '--no-auto-maintenance', '--no-write-fetch-head', '--update-shallow', '--', upstream.base, ...REFSPECS])
      const head = /^ref: (refs\/heads\/\S+)\tHEAD$/m.exec(await this.#git(['ls-remote', '--symref', '--', upstream.base, 'HEAD']))?.[1]
      if (head !== undefined) await this.#git(['-C', folder, 'symbolic-ref', 'HEAD', head])
    }, { what: `the git repository ${this.name}`, rounds, backoffMs, now, signal })
    if (has) return
    await mkdir(join(this.folder, '..'), { recursive: true })
    // Another process may have made it meanwhile; its copy is as good.
    await rename(folder, this.folder).catch((error: NodeJS.ErrnoException) => {
      if (error.code !== 'ENOTEMPTY' && error.code !== 'EEXIST') throw error
    })
  }

  async #git(args: readonly string[]): Promise<string> {
    const proxy = this.#proxy === null ? [] : ['-c', `http.proxy=${this.#proxy}`]
    const env = {
      PATH: process.env['PATH'] ?? '/usr/bin:/bin', HOME: process.env['HOME'] ?? '/', LC_ALL: 'C.UTF-8',
      GIT_TERMINAL_PROMPT: '0', GIT_SSH_COMMAND: 'ssh -o BatchMode=yes', GIT_CONFIG_NOSYSTEM: '1',
    }
    try {
      // A server that stalls is given up after half a minute.
      return (await runProgram(['git', '-c', 'http.lowSpeedLimit=100', '-c', 'http.lowSpeedTime=30', '-c', 'gc.auto=0', ...proxy, ...args], { signal: this.#context.signal, env, deadlineMs: DEADLINE_MS })).stdout
    } catch (error) {
      if (!(error instanceof StageError)) throw error
      if (error.code === 'PROGRAM_MISSING') throw new ProxyError('UPSTREAM_FAILED', 'git is not installed on this admin node: apt-get install git', { cause: error })
      const said = error.message.split('\n').filter(line => /^(fatal|error):/.test(line)).at(-1) ?? error.message.split('\n').at(-1) ?? ''
      throw new UpstreamError(/not found/i.test(said) ? 'absent' : 'unreachable', printableBase(said.replace(/^(fatal|error): /, '')).replace(/(https?:\/\/)[^/@\s]*@/g, '$1'), { cause: error })
    }
  }
}
