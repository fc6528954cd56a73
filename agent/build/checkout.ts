import { mkdir, readFile, realpath, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { openProxy } from '../proxy/proxy.ts'
import { serveProxy } from '../proxy/serve-proxy.ts'
import { runProgram } from '../stage/run-program.ts'
import { StageError } from '../stage/stage-error.ts'
import type { Progress } from '../stage/progress.ts'
import type { Store } from '../stage/store.ts'
import { BuildError, titleOf } from './build-source.ts'
import type { BuildSource, GitUpstream } from './build-source.ts'

export interface CheckOutOptions {
  /** A folder that is there and that nobody else uses. */
  readonly folder: string
  readonly store: Store
  readonly signal: AbortSignal
  readonly onProgress: Progress
  readonly upstreamProxy: string | null
}

/** A tree of files as a source has it, its submodules and patches in it. */
export interface CheckedOut {
  /** Its folder. */
  readonly tree: string
  readonly commit: string
  /** When it was committed, seconds since 1970. */
  readonly time: number
  /** The last tag that the commit is based on, without what is before its first digit; null: there is none. */
  readonly tag: string | null
  /** Commits up to it, itself counted: those of the same second have their order by it. */
  readonly count: number
}

/** Which commit is built, and what its version comes from: a tag that is added later, or more of its history, changes nothing of it. */
export type Pinned = Pick<CheckedOut, 'commit' | 'tag' | 'count'>

/**
 * Fetches a source by way of the store's copy of its repository, and lays its tree out.
 *
 * @param pinned what is locked; undefined: what the ref names today.
 * @throws {BuildError} BUILD_REF_UNKNOWN, BUILD_SUBMODULE, BUILD_PATCH.
 */
export async function checkOut(source: BuildSource, pinned: Pinned | undefined, options: CheckOutOptions): Promise<CheckedOut> {
  const { folder, store, signal, onProgress } = options
  onProgress(`fetching ${source.name}`)
  const repositories = [source, ...Object.values(source.submodules)]
  await using proxy = openProxy({ store, sources: [...new Map(repositories.map(one => [one.name, one])).values()].map(one => ({ type: 'git', ...plain(one) })), upstreamProxy: options.upstreamProxy, now: () => Date.now(), log: () => undefined })
  await using server = await serveProxy(proxy, { address: '127.0.0.1', port: 0 })
  const git = gitIn(folder, signal)
  const clone = async ({ name }: GitUpstream, into: string): Promise<void> => {
    await git(['clone', '--quiet', '--bare', '--template=', '--', `http://127.0.0.1:${String(server.port)}/git/${name}.git`, into]).catch((cause: unknown) => {
      throw new BuildError('BUILD_REF_UNKNOWN', `${titleOf(source)}: the repository ${name} cannot be had: ${lastLine(cause)}`, { cause })
    })
  }
  const repository = join(folder, 'repository.git')
  await clone(source, repository)
  const found = pinned?.commit ?? await commitOf(source, repository, git)
  const known = await git(['-C', repository, 'cat-file', '-t', found]).catch(() => '')
  if (known.trim() !== 'commit') throw new BuildError('BUILD_REF_UNKNOWN', `${titleOf(source)}: the repository has no commit ${found} any more, which is locked: \`crowbar lock --update ${source.name}\``)
  const tree = join(folder, 'src')
  await layOut(repository, found, tree, git)
  await addSubmodules(source, { repository, commit: found, tree, folder, clone, git })
  for (const [i, patch] of source.patches.entries()) await applyPatch(source, patch, { tree, file: join(folder, `${String(i)}.patch`), git })
  const time = Number((await git(['-C', repository, 'show', '--no-patch', '--format=%ct', found])).trim())
  const tag = pinned !== undefined ? pinned.tag : await git(['-C', repository, 'describe', '--tags', '--abbrev=0', found]).then(text => /\d\S*/.exec(text)?.[0] ?? null, () => null)
  const count = pinned?.count ?? Number((await git(['-C', repository, 'rev-list', '--count', found])).trim())
  // What a build makes of the times and modes of its files is the same each time, whatever this process may read.
  await runProgram(['chmod', '--recursive', 'u=rwX,go=rX', tree], { signal })
  await runProgram(['find', tree, '-exec', 'touch', '--no-dereference', `--date=@${String(time)}`, '{}', '+'], { signal })
  return { tree, commit: found, time, tag, count }
}

/** Names of the packages that `debian/control` of a tree says its build needs, of alternatives the first; sorted. */
export async function buildDependsOf(tree: string, architecture: string): Promise<string[]> {
  const file = await realpath(join(tree, 'debian', 'control')).catch(() => '')
  // A tree is a stranger's, and no link in it leads to a file of this machine.
  const control = file.startsWith(`${await realpath(tree)}/`) ? await readFile(file, 'utf8') : ''
  const unfolded = control.replace(/^#.*\n/gm, '').replace(/\n[ \t]+/g, ' ').split(/\n\s*\n/)[0] ?? ''
  const said = [...unfolded.matchAll(/^Build-Depends(?:-Arch|-Indep)?:(.*)$/gim)].flatMap(match => (match[1] ?? '').split(','))
  const names = said.map(one => one.split('|')[0]?.trim() ?? '').filter(one => !/<\s*(?!!nocheck|!nodoc)[^!]/.test(one) && isFor(one, architecture)).flatMap(one => /^[a-z0-9][a-z0-9+.-]+/.exec(one)?.[0] ?? [])
  return [...new Set(names)].toSorted()
}

/** Whether a dependency counts on an architecture: `foo [amd64 arm64]`, `foo [!i386]`, `foo [linux-any]`. Debian Policy 7.1 */
function isFor(dependency: string, architecture: string): boolean {
  const said = /\[([^\]]*)\]/.exec(dependency)?.[1]?.trim().split(/\s+/)
  if (said === undefined) return true
  const meant = [architecture, 'any', 'linux-any', `any-${architecture}`, `linux-${architecture}`]
  return said.some(one => one.startsWith('!')) ? !said.some(one => meant.includes(one.slice(1))) : said.some(one => meant.includes(one))
}

type Git = (args: readonly string[]) => Promise<string>

/** A git that reads no configuration but that of the repository, and runs none of its hooks. */
function gitIn(home: string, signal: AbortSignal): Git {
  const env = { PATH: process.env['PATH'] ?? '/usr/bin:/bin', HOME: home, LC_ALL: 'C.UTF-8', GIT_TERMINAL_PROMPT: '0', GIT_CONFIG_NOSYSTEM: '1', GIT_CONFIG_GLOBAL: '/dev/null', GIT_CEILING_DIRECTORIES: home }
  return async args => (await runProgram(['git', '-c', 'core.autocrlf=false', '-c', 'core.hooksPath=/dev/null', '-c', 'protocol.file.allow=never', ...args], { signal, env, cwd: home })).stdout
}

async function commitOf(source: BuildSource, repository: string, git: Git): Promise<string> {
  for (const name of [`refs/tags/${source.ref}`, `refs/heads/${source.ref}`, source.ref]) {
    const found = await git(['-C', repository, 'rev-parse', '--verify', '--quiet', '--end-of-options', `${name}^{commit}`]).then(text => text.trim(), () => '')
    if (/^[0-9a-f]{40,64}$/.test(found)) return found
  }
  throw new BuildError('BUILD_REF_UNKNOWN', `${titleOf(source)}: the repository has no branch, tag or commit ${source.ref}`)
}

async function layOut(repository: string, commit: string, tree: string, git: Git): Promise<void> {
  await mkdir(tree, { recursive: true })
  await git([`--git-dir=${repository}`, `--work-tree=${tree}`, 'checkout', '--quiet', '--force', commit, '--', '.'])
}

interface Submodules {
  readonly repository: string
  readonly commit: string
  readonly tree: string
  readonly folder: string
  readonly clone: (source: GitUpstream, into: string) => Promise<void>
  readonly git: Git
}

/** The commit of the source pins the commits of its submodules; where their repositories are, the site says. */
async function addSubmodules(source: BuildSource, { repository, commit, tree, folder, clone, git }: Submodules): Promise<void> {
  const links = [...(await git(['-C', repository, 'ls-tree', '-r', '-z', commit])).matchAll(/(?:^|\0)160000 commit ([0-9a-f]+)\t([^\0]+)/g)]
  const stranger = Object.keys(source.submodules).find(path => !links.some(link => link[2] === path))
  if (stranger !== undefined) throw new BuildError('BUILD_SUBMODULE', `${titleOf(source)}: the tree has no submodule ${stranger}`)
  for (const [i, [, pinned = '', path = '']] of links.entries()) {
    const from = source.submodules[path]
    if (from === undefined) throw new BuildError('BUILD_SUBMODULE', `${titleOf(source)}: nothing says which source the submodule ${path} comes from: add \`submodules: { ${path}: NAME }\` and a git source of that name`)
    const other = join(folder, `submodule-${String(i)}.git`)
    await clone(from, other)
    await layOut(other, pinned, join(tree, path), git).catch((cause: unknown) => {
      throw new BuildError('BUILD_SUBMODULE', `${titleOf(source)}: ${from.name} does not have commit ${pinned}, which the submodule ${path} is pinned to`, { cause })
    })
    const nested = await git(['-C', other, 'ls-tree', '-r', pinned])
    if (/^160000 /m.test(nested)) throw new BuildError('BUILD_SUBMODULE', `${titleOf(source)}: the submodule ${path} has submodules of its own, which are not fetched`)
  }
}

async function applyPatch(source: BuildSource, patch: BuildSource['patches'][number], { tree, file, git }: { readonly tree: string; readonly file: string; readonly git: Git }): Promise<void> {
  await writeFile(file, Buffer.from(patch.text, 'base64'))
  await git(['-C', tree, 'apply', '--whitespace=nowarn', file]).catch((cause: unknown) => {
    throw new BuildError('BUILD_PATCH', `${titleOf(source)}: ${patch.path} does not apply: ${errorLines(cause)}`, { cause })
  })
}

function plain({ name, upstreams }: GitUpstream): GitUpstream {
  return { name, upstreams }
}

function errorLines(error: unknown): string {
  return error instanceof StageError ? error.message.split('\n').filter(line => line.startsWith('error: ')).map(line => line.slice('error: '.length)).join('; ') : String(error)
}

function lastLine(error: unknown): string {
  return error instanceof Error ? error.message.trim().split('\n').findLast(line => !/^\s*$/.test(line)) ?? '' : String(error)
}
