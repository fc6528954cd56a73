import { access } from 'node:fs/promises'
import { isAbsolute, join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import type { Progress } from '../stage/progress.ts'
import { runProgram } from '../stage/run-program.ts'
import { ImageError } from './image-error.ts'

const LOCK_WAIT_MS = 300_000
const LOCK_RETRY_MS = 500

/** A program or file of the machine that builds images, and the Debian package that has it. */
export interface HostNeed {
  /** On the path, or an absolute path of any file. */
  readonly program: string
  readonly package: string
  readonly because: string
}

/** What building images and sources, and staging packages, needs beyond Debian's essential packages. */
export const IMAGE_NEEDS: readonly HostNeed[] = [
  { program: 'apt-get', package: 'apt', because: 'resolves and fetches packages' },
  { program: 'dpkg-deb', package: 'dpkg', because: 'unpacks packages' },
  { program: 'tar', package: 'tar', because: 'unpacks packages' },
  { program: 'zstd', package: 'zstd', because: 'unpacks root filesystems to build sources in' },
  { program: 'unshare', package: 'util-linux', because: 'keeps mounts of a build out of this machine' },
  { program: 'mmdebstrap', package: 'mmdebstrap', because: 'builds root filesystems' },
  { program: 'depmod', package: 'kmod', because: 'indexes the kernel modules of the discovery image' },
  { program: 'grub-mkstandalone', package: 'grub-common', because: 'makes the loader that hands a UEFI machine to its disk' },
  { program: '/usr/lib/grub/x86_64-efi/moddep.lst', package: 'grub-efi-amd64-bin', because: 'has the modules of that loader' },
  { program: 'strip', package: 'binutils', because: 'makes the runtime in the discovery image smaller' },
]

/** What an attempt to install packages came to. */
export type InstallOutcome =
  | { readonly kind: 'installed'; readonly names: readonly string[] }
  | { readonly kind: 'nothing-missing' }
  /** Not root: `command` is the one line that a person can run. */
  | { readonly kind: 'needs-root'; readonly names: readonly string[]; readonly command: string }

/** Names, sorted, of the Debian packages whose programs are not on this machine's path. */
export async function missingHostPackages(needs: readonly HostNeed[] = IMAGE_NEEDS, path: string = defaultPath()): Promise<string[]> {
  const folders = path.split(':').filter(folder => folder !== '')
  const missing = new Set<string>()
  for (const need of needs) {
    const places = isAbsolute(need.program) ? [need.program] : folders.map(folder => join(folder, need.program))
    const found = await Promise.all(places.map(place => access(place).then(() => true, () => false)))
    if (!found.includes(true)) missing.add(need.package)
  }
  return [...missing].toSorted()
}

/**
 * Installs Debian packages on this machine, without recommended ones and without asking; as another user than root it
 * changes nothing and gives the line to run.
 *
 * @param names package names; those already installed do no harm.
 * @throws {StageError} PROGRAM_FAILED with apt's explanation.
 */
export async function installDebianPackages(
  names: readonly string[],
  options: { readonly signal: AbortSignal; readonly onProgress: Progress; readonly isRoot?: boolean },
): Promise<InstallOutcome> {
  const { signal, onProgress } = options
  if (names.length === 0) return { kind: 'nothing-missing' }
  const isRoot = options.isRoot ?? process.getuid?.() === 0
  if (!isRoot) return { kind: 'needs-root', names, command: installCommand(names) }
  const env = { PATH: defaultPath(), LC_ALL: 'C.UTF-8', DEBIAN_FRONTEND: 'noninteractive' }
  // Another apt may be at work on this machine; wait for it rather than fail.
  const apt = ['apt-get', '-q', '-o', `DPkg::Lock::Timeout=${String(LOCK_WAIT_MS / 1000)}`] as const
  onProgress('reading the package indexes')
  await unlessLocked(() => runProgram([...apt, 'update'], { signal, env }), signal).catch((error: unknown) => {
    signal.throwIfAborted()
    // One source that fails must not keep packages of another one out; installing says what is really missing.
    onProgress(`not every package index could be read: ${error instanceof Error ? error.message.split('\n').at(-1) ?? '' : String(error)}`)
  })
  onProgress(`installing ${names.join(' ')}`)
  await runProgram([...apt, 'install', '--yes', '--no-install-recommends', '--', ...names], { signal, env })
  return { kind: 'installed', names }
}

/** apt waits for dpkg's lock when it is told to, but never for that of its lists. */
async function unlessLocked(update: () => Promise<unknown>, signal: AbortSignal): Promise<void> {
  for (const deadline = Date.now() + LOCK_WAIT_MS; ; await sleep(LOCK_RETRY_MS, undefined, { signal })) {
    try {
      await update()
      return
    } catch (error) {
      if (!String(error).includes('Unable to lock directory') || Date.now() > deadline) throw error
    }
  }
}

/**
 * Sees to it that this machine has what building images needs, installing it when root.
 *
 * @throws {ImageError} HOST_PACKAGES_MISSING, whose message is the line to run.
 */
export async function provideHostNeeds(options: { readonly signal: AbortSignal; readonly onProgress: Progress }): Promise<void> {
  const outcome = await installDebianPackages(await missingHostPackages(), options)
  if (outcome.kind === 'needs-root') {
    throw new ImageError('HOST_PACKAGES_MISSING', `this machine lacks ${outcome.names.join(', ')}; run: ${outcome.command}`, {
      data: { names: outcome.names, command: outcome.command },
    })
  }
}

/** The line that installs packages, for a person to run. */
export function installCommand(names: readonly string[]): string {
  return `sudo apt-get update && sudo apt-get install --yes --no-install-recommends ${names.join(' ')}`
}

function defaultPath(): string {
  return `${process.env['PATH'] ?? ''}:/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin`
}
