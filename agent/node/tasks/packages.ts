import { createHash } from 'node:crypto'
import { mkdir, readdir, readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import type { PackageRepository } from '../../../schemas/protocol.ts'
import { NodeError } from '../node-error.ts'
import { programEnvironment, runProgram } from '../run-program.ts'
import type { RunOptions } from '../run-program.ts'
import type { TaskContext, TaskEnd } from '../executor.ts'
import { removeTree } from '../remove-tree.ts'

/** Seconds to wait for another package manager to be done. */
const LOCK_WAIT = 600
const FIRST_WAIT_MS = 1_000
const MOST_WAIT_MS = 10_000
/** How apt says that nobody answered, or that somebody stopped to; not that there is no such file. */
const UNREACHABLE = /Could not connect|Unable to connect|Connection (failed|timed out|refused|reset)|Error reading from server|Could not wait for server|Server closed the connection/i
/** How apt says that a file is not what its index or its Release file says, or that a Release file is not the admin node's. */
const MISMATCH = /Hash Sum mismatch|File has unexpected size|(signature|signatures) (was|were|couldn't be) |is not signed|Clearsigned file isn't valid|OpenPGP signature verification failed/i
const NAME = /^[a-z0-9][a-z0-9+.-]*(:[a-z0-9]+)?(=[A-Za-z0-9.+:~-]+)?$/

/**
 * Installs Debian packages from one flat repository and from nowhere else: the system's own sources are not read, not
 * asked and not changed. Configuration files that somebody changed are kept. Without a repository the packages have to
 * be there already.
 *
 * Nothing on the way is trusted: apt holds the Release against the admin node's key, which came with the task, as did the
 * hash that the index is held against before a package is looked for in it; and apt holds each package against the index.
 *
 * @returns the packages that are on the node now and were not before, sorted.
 * @throws {NodeError} PACKAGES_FAILED with the last lines of apt; CONTENT_MISMATCH when something is not what was staged.
 */
export async function installPackages(
  packages: readonly string[], { repository, work, context }: { readonly repository: PackageRepository | null; readonly work: string; readonly context: TaskContext },
): Promise<readonly string[]> {
  if (packages.length === 0) return []
  const odd = packages.find((name) => !NAME.test(name))
  if (odd !== undefined) throw new NodeError('PACKAGES_FAILED', `not the name of a package: ${JSON.stringify(odd)}`)
  const options = await prepareApt(repository, { work, context })
  const before = new Set(await installedPackages(context))
  await apt(['apt-get', ...options, 'install', '--', ...packages], context)
  return (await installedPackages(context)).filter((name) => !before.has(name))
}

async function installedPackages(context: TaskContext): Promise<readonly string[]> {
  const { stdout } = await runProgram(['dpkg-query', '--show', '--showformat', '${db:Status-Status} ${Package}\n'], { signal: context.signal })
  return stdout.split('\n').filter((line) => line.startsWith('installed ')).map((line) => line.slice('installed '.length)).toSorted()
}

/**
 * Upgrades every package that is installed and that the repository has in a newer version, with what those need; nothing
 * is removed. Everything else as in `installPackages`.
 *
 * @returns `unchanged` when there was nothing newer. @throws {NodeError} PACKAGES_FAILED with the last lines of apt.
 */
export async function upgradePackages(repository: PackageRepository, { work, context }: { readonly work: string; readonly context: TaskContext }): Promise<TaskEnd> {
  try {
    await mkdir(work, { recursive: true, mode: 0o700 })
    const options = await prepareApt(repository, { work, context })
    const said = await apt(['apt-get', ...options, 'upgrade', '--with-new-pkgs'], context)
    return { outcome: /^0 upgraded, 0 newly installed/m.test(said) ? 'unchanged' : 'succeeded', provides: {} }
  } finally {
    await removeTree(work)
  }
}

/** Brings dpkg in order and apt's lists up to date. @returns the options that let apt see the repository and nothing else. */
async function prepareApt(repository: PackageRepository | null, { work, context }: { readonly work: string; readonly context: TaskContext }): Promise<string[]> {
  const folder = join(work, 'apt')
  const sources = join(folder, 'sources.list')
  await mkdir(join(folder, 'lists', 'partial'), { recursive: true })
  const keyring = join(folder, 'keyring.gpg')
  if (repository !== null) await writeFile(keyring, Buffer.from(repository.key, 'base64'))
  await writeFile(sources, repository === null ? '' : `deb [signed-by=${keyring}] ${repository.url} ./\n`)
  const options = [
    ['Dir::Etc::SourceList', sources], ['Dir::Etc::SourceParts', '-'], ['Dir::State::Lists', join(folder, 'lists')],
    ['DPkg::Lock::Timeout', String(LOCK_WAIT)], ['APT::Get::Assume-Yes', 'true'], ['APT::Install-Recommends', 'false'], ['Acquire::Languages', 'none'],
    ['Dpkg::Options::', '--force-confdef'], ['Dpkg::Options::', '--force-confold'], ['Dpkg::Use-Pty', 'false'], ['Acquire::Retries', '0'],
    // The folder of a private work folder is closed to apt's own user.
    ['APT::Sandbox::User', 'root'],
    // A proxy of the site for its own packages does not lead to the admin node.
    ...(repository === null || !URL.canParse(repository.url) ? [] : [[`Acquire::http::Proxy::${new URL(repository.url).hostname}`, 'DIRECT'] as const]),
    // So that the index lies there as it was served.
    ['Acquire::GzipIndexes', 'false'],
  ].flatMap(([name, value]) => ['-o', `${name}=${value}`])
  // A power cut may have left packages half configured, and apt does nothing before that is mended; it says what is left.
  await runProgram(['dpkg', '--force-confdef', '--force-confold', '--configure', '-a'], programOf(context))
  if (repository !== null) {
    await apt(['apt-get', ...options, '-o', 'APT::Update::Error-Mode=any', 'update'], context)
    await checkIndex(join(folder, 'lists'), repository)
  }
  return options
}

/** What apt will look for packages in is what the admin agent staged, or nothing is installed. */
async function checkIndex(lists: string, { url, index }: PackageRepository): Promise<void> {
  const [name, ...others] = (await readdir(lists)).filter((one) => one.endsWith('_Packages'))
  // An empty index leaves no file.
  const sha256 = createHash('sha256').update(name === undefined ? '' : await readFile(join(lists, name))).digest('hex')
  if (others.length === 0 && sha256 === index) return
  throw new NodeError('CONTENT_MISMATCH', `the index of packages at ${url} has the SHA-256 ${sha256}, and ${index} was staged: it was changed on the way. Nothing was installed`)
}

/**
 * Runs apt to its end and gives what it said, again for as long as the signal allows when it could not reach the
 * server, which may be restarted meanwhile. What apt itself tries again it tries in vain: it remembers an address that
 * refused it. It fetches all before it changes anything.
 */
async function apt(argv: readonly [string, ...string[]], context: TaskContext): Promise<string> {
  for (let wait = FIRST_WAIT_MS; ; wait = Math.min(wait * 2, MOST_WAIT_MS)) {
    const { problem, said } = await aptOnce(argv, context)
    if (problem === undefined) return said
    if (MISMATCH.test(problem)) throw new NodeError('CONTENT_MISMATCH', `what came over the network is not what was staged. ${problem}`)
    if (!UNREACHABLE.test(problem)) throw new NodeError('PACKAGES_FAILED', problem)
    context.output('progress', 'waiting for the server of the packages')
    await delay(wait, undefined, { signal: context.signal })
  }
}

/** @returns what apt said, and of what went wrong the last lines. */
async function aptOnce(argv: readonly [string, ...string[]], context: TaskContext): Promise<{ readonly problem: string | undefined; readonly said: string }> {
  const { exitCode, stdout, stderr } = await runProgram(argv, programOf(context))
  if (exitCode === 0) return { problem: undefined, said: stdout }
  const said = `${stdout}\n${stderr}`.split('\n').filter((line) => /^(E|W|dpkg):/.test(line)).slice(-6).join('\n')
  return { problem: `apt-get ended with ${exitCode}: ${said === '' ? stderr.trim().slice(-1000) : said}`, said }
}

/** A package manager that is stopped gets the time to leave things in order. */
function programOf(context: TaskContext): RunOptions {
  const environment = { ...programEnvironment(), DEBIAN_FRONTEND: 'noninteractive', APT_LISTCHANGES_FRONTEND: 'none', NEEDRESTART_MODE: 'a' }
  return { signal: context.signal, environment, onStart: (mark) => context.started(mark), onLine: (stream, line) => context.output(stream, line), graceMs: 60_000 }
}
