import { mkdir, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { NodeError } from '../node-error.ts'
import { programEnvironment, runProgram } from '../run-program.ts'
import type { TaskContext } from '../executor.ts'

/** Seconds to wait for another package manager to be done. */
const LOCK_WAIT = 600
const NAME = /^[a-z0-9][a-z0-9+.-]*(:[a-z0-9]+)?(=[A-Za-z0-9.+:~-]+)?$/

/**
 * Installs Debian packages from one flat repository and from nowhere else: the system's own sources are not read, not
 * asked and not changed. Configuration files that somebody changed are kept. Without a repository the packages have to
 * be there already.
 *
 * @throws {NodeError} PACKAGES_FAILED with the last lines of apt.
 */
export async function installPackages(
  packages: readonly string[], { repository, work, context }: { readonly repository: string | null; readonly work: string; readonly context: TaskContext },
): Promise<void> {
  if (packages.length === 0) return
  const odd = packages.find((name) => !NAME.test(name))
  if (odd !== undefined) throw new NodeError('PACKAGES_FAILED', `not the name of a package: ${JSON.stringify(odd)}`)
  const folder = join(work, 'apt')
  const sources = join(folder, 'sources.list')
  await mkdir(join(folder, 'lists', 'partial'), { recursive: true })
  await writeFile(sources, repository === null ? '' : `deb [trusted=yes] ${repository} ./\n`)
  const options = [
    ['Dir::Etc::SourceList', sources], ['Dir::Etc::SourceParts', '-'], ['Dir::State::Lists', join(folder, 'lists')],
    ['DPkg::Lock::Timeout', String(LOCK_WAIT)], ['APT::Get::Assume-Yes', 'true'], ['APT::Install-Recommends', 'false'], ['Acquire::Languages', 'none'],
    ['Dpkg::Options::', '--force-confdef'], ['Dpkg::Options::', '--force-confold'], ['Acquire::Retries', '5'], ['Dpkg::Use-Pty', 'false'],
    // The folder of a private work folder is closed to apt's own user.
    ['APT::Sandbox::User', 'root'],
    // A proxy of the site for its own packages does not lead to the admin node.
    ...(repository === null || !URL.canParse(repository) ? [] : [[`Acquire::http::Proxy::${new URL(repository).hostname}`, 'DIRECT'] as const]),
  ].flatMap(([name, value]) => ['-o', `${name}=${value}`])
  if (repository !== null) await apt(['apt-get', ...options, 'update'], context)
  await apt(['apt-get', ...options, 'install', '--', ...packages], context)
}

async function apt(argv: readonly [string, ...string[]], context: TaskContext): Promise<void> {
  const environment = { ...programEnvironment(), DEBIAN_FRONTEND: 'noninteractive', APT_LISTCHANGES_FRONTEND: 'none', NEEDRESTART_MODE: 'a' }
  const { exitCode, stdout, stderr } = await runProgram(argv, {
    signal: context.signal, environment, onStart: (mark) => context.started(mark), onLine: (stream, line) => context.output(stream, line), graceMs: 60_000,
  })
  if (exitCode === 0) return
  const said = `${stdout}\n${stderr}`.split('\n').filter((line) => /^(E|W|dpkg):/.test(line)).slice(-6).join('\n')
  throw new NodeError('PACKAGES_FAILED', `apt-get ended with ${exitCode}: ${said === '' ? stderr.trim().slice(-1000) : said}`)
}
