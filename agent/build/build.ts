import { chmod, chown, cp, lstat, mkdir, open, readdir, rename } from 'node:fs/promises'
import { join } from 'node:path'
import { isObjectHash } from '../stage/object-hash.ts'
import type { ObjectHash } from '../stage/object-hash.ts'
import type { StoredPackage } from '../stage/package-index.ts'
import type { Progress } from '../stage/progress.ts'
import { runProgram } from '../stage/run-program.ts'
import { StageError } from '../stage/stage-error.ts'
import type { Store } from '../stage/store.ts'
import { BuildError, titleOf } from './build-source.ts'
import type { BuildSource } from './build-source.ts'
import { IN_ROOT } from './builders.ts'
import type { CheckedOut } from './checkout.ts'
import { limitArguments, limitsOf, watchBuild } from './watch.ts'

/** What a build gave, as one document in the store, which names its packages and its log. */
export interface BuildManifest {
  readonly kind: 'build'
  readonly version: 1
  readonly source: string
  readonly commit: string
  readonly packages: readonly StoredPackage[]
  /** All that the build wrote. */
  readonly log: ObjectHash
}

export interface BuildOptions {
  /** Root filesystem in which everything is that the build needs: a tar archive, compressed with zstd. */
  readonly root: ObjectHash
  /** Of the distribution's release, `12`. */
  readonly release: string
  readonly store: Store
  readonly signal: AbortSignal
  readonly onProgress: Progress
}

/** Nobody's user and group: nothing else in the system of a build is theirs. */
const BUILDER = 64_999
/** Lines of a failed build that are told; the whole log stays. */
const TOLD = 20
const TOLD_BYTES = 16_384
const DEVICES = ['null', 'zero', 'full', 'random', 'urandom', 'tty']

/**
 * Builds the packages of a source in a system of its own, unpacked for it and thrown away: as an ordinary user, with no network,
 * no process and no mount in sight but its own. Needs root.
 *
 * @param checkedOut.tree is moved into that system.
 * @returns hash of the manifest.
 * @throws {BuildError} BUILD_FAILED with the last lines and the place of the log; BUILD_NEEDS_ROOT.
 */
export async function buildPackages(source: BuildSource, checkedOut: CheckedOut, options: BuildOptions): Promise<ObjectHash> {
  const { store, signal, onProgress } = options
  if (process.getuid?.() !== 0) throw new BuildError('BUILD_NEEDS_ROOT', `${titleOf(source)} can only be built by root`)
  onProgress(`building ${source.name}: unpacking its system`)
  await using work = await store.temporaryFolder('build')
  const root = join(work.path, 'root')
  await mkdir(root)
  await runProgram(['tar', '--zstd', '--numeric-owner', '-xpf', store.path(options.root), '-C', root], { signal })
  const build = join(root, 'build')
  await mkdir(build)
  await rename(checkedOut.tree, join(build, 'src')).catch(async (error: NodeJS.ErrnoException) => {
    if (error.code !== 'EXDEV') throw error
    await cp(checkedOut.tree, join(build, 'src'), { recursive: true, verbatimSymlinks: true, preserveTimestamps: true })
  })
  await runProgram(['chown', '-R', '--no-dereference', `${String(BUILDER)}:${String(BUILDER)}`, join(build, 'src')], { signal })
  await cp(IN_ROOT, join(build, 'in-root'), { recursive: true })
  await chmod(join(build, 'in-root'), 0o755)
  await chown(build, BUILDER, BUILDER)
  const said = await run(source, checkedOut, { ...options, folder: root, log: join(work.path, 'log') })
  const packages = await keepPackages(join(build, 'out'), { store, signal })
  const given = packages.map(({ name }) => name)
  const missing = source.build.packages.filter(name => !given.includes(name))
  if (missing.length > 0) throw new BuildError('BUILD_FAILED', `${titleOf(source)}: the build gave no package ${missing.join(', ')}`)
  const manifest: BuildManifest = { kind: 'build', version: 1, source: source.name, commit: checkedOut.commit, packages, log: said }
  await store.unrefer(failedLog(source))
  return (await store.put(Buffer.from(`${JSON.stringify(manifest, undefined, 1)}\n`))).hash
}

/** The store's reference to the log of a source's last build, when that failed. */
export function failedLog({ name }: Pick<BuildSource, 'name'>): string {
  return `build-log/${name}`
}

/** Reads what a build gave. @throws {StageError} MANIFEST_INVALID, STORE_MISSING */
export async function readBuild(store: Store, hash: ObjectHash): Promise<BuildManifest> {
  const manifest = JSON.parse((await store.read(hash)).toString('utf8')) as Partial<BuildManifest>
  if (manifest.kind !== 'build' || manifest.version !== 1 || manifest.packages?.every(one => isObjectHash(one.hash)) !== true) {
    throw new StageError('MANIFEST_INVALID', `${hash} does not describe a build of version 1`, { data: { hash } })
  }
  return manifest as BuildManifest
}

/**
 * A version that is newer than that of each commit before it: upstream's own, when it was committed, how many commits there
 * are up to it, which it is, and the release that it is built for.
 */
export function versionOf({ build }: Pick<BuildSource, 'build'>, { tag, time, count, commit }: Pick<CheckedOut, 'tag' | 'time' | 'count' | 'commit'>, release: string): { readonly upstream: string; readonly version: string; readonly suffix: string } {
  const upstream = build.version ?? tag?.replaceAll('-', '~').replaceAll(/[^A-Za-z0-9.+~]/g, '.') ?? '0'
  const stamp = new Date(time * 1000).toISOString().replace(/\.\d+Z$/, '').replaceAll(/[-:T]/g, '')
  const suffix = `+git${stamp}.${String(count)}.${commit.slice(0, 7)}`
  const revision = `${String(build.revision ?? 1)}~crowbar${release}`
  return { upstream, version: `${upstream}${suffix}-${revision}`, suffix: `${suffix}.${revision}` }
}

async function run(source: BuildSource, checkedOut: CheckedOut, { folder, log, release, store, signal, onProgress }: BuildOptions & { readonly folder: string; readonly log: string }): Promise<ObjectHash> {
  const { upstream, version, suffix } = versionOf(source, checkedOut, release)
  const environment = {
    BUILDER: source.build.with, PACKAGES: source.build.packages.join(' '), DEPENDS: (source.build.depends ?? []).join(' '), SOURCE: source.name, COMMIT: checkedOut.commit,
    UPSTREAM: upstream, VERSION: version, VERSION_SUFFIX: suffix, SOURCE_DATE_EPOCH: String(checkedOut.time), MAINTAINER: 'Crowbar <root@localhost>',
  }
  const script = [
    'set -eu', 'cd "$1"', 'mount -t tmpfs -o mode=755,size=64m tmpfs dev',
    // When memory is short, a build ends before anything of this machine does.
    'echo 1000 > /proc/self/oom_score_adj',
    ...DEVICES.map(name => `touch dev/${name}; mount --bind /dev/${name} dev/${name}`),
    'ln -s /proc/self/fd dev/fd', 'mkdir -m 1777 dev/shm', 'mount -t proc proc proc', 'chmod 1777 tmp',
    // The loopback interface of a network without any other.
    'if command -v ip > /dev/null; then ip link set lo up; fi',
    `exec setpriv --no-new-privs chroot --userspec=${String(BUILDER)}:${String(BUILDER)} --groups= . /build/in-root/build`,
  ].join('\n')
  const limits = limitsOf(source.build)
  await using watch = await watchBuild({ folder, log, user: BUILDER, limits, signal, onProgress: message => onProgress(`building ${source.name}: ${message}`) })
  try {
    // The build itself writes its log, so that no line is lost or late, and a full disk is the build's own failure.
    await runProgram([
      'sh', '-c', 'log=$1; shift; exec "$@" > "$log" 2>&1', 'log', log,
      'prlimit', ...limitArguments(limits),
      'unshare', '--mount', '--pid', '--net', '--ipc', '--uts', '--fork', '--kill-child=SIGKILL', 'sh', '-c', script, 'build', folder,
    ], { signal: AbortSignal.any([signal, watch.signal]), env: { ...environment, PATH: '/usr/sbin:/usr/bin:/sbin:/bin' }, deadlineMs: millisecondsOf(source.build.timeout ?? '30m') })
  } catch (error) {
    signal.throwIfAborted()
    if (!watch.signal.aborted && (!(error instanceof StageError) || error.code === 'PROGRAM_MISSING')) throw error
    const kept = await store.put({ file: log })
    await store.refer(failedLog(source), kept.hash)
    const said = await lastLines(log)
    const exceeded = watch.exceeded(said)
    const timedOut = error instanceof StageError && error.code === 'PROGRAM_TIMEOUT'
    const why = watch.signal.aborted ? `was stopped: it ${exceeded ?? ''}` : timedOut ? `did not end within ${source.build.timeout ?? '30m'}` : exceeded === undefined ? 'failed' : `failed, and ${exceeded}`
    const remedy = timedOut ? ' `build.timeout` gives it more time.' : exceeded === undefined ? '' : ' `build.limits` gives it more.'
    throw new BuildError('BUILD_FAILED', `${titleOf(source)}: the build of ${checkedOut.commit} with \`${source.build.with}\` ${why}.${remedy} Its last lines:\n${said}\nThe whole log is ${store.path(kept.hash)}.`, { cause: error })
  }
  return (await store.put({ file: log })).hash
}

async function lastLines(log: string): Promise<string> {
  await using file = await open(log)
  const { size } = await file.stat()
  const { buffer, bytesRead } = await file.read(Buffer.alloc(Math.min(size, TOLD_BYTES)), 0, null, Math.max(0, size - TOLD_BYTES))
  return buffer.toString('utf8', 0, bytesRead).trimEnd().split('\n').slice(-TOLD).join('\n')
}

async function keepPackages(folder: string, { store, signal }: { readonly store: Store; readonly signal: AbortSignal }): Promise<StoredPackage[]> {
  const packages: StoredPackage[] = []
  for (const name of (await readdir(folder)).filter(one => one.endsWith('.deb')).toSorted()) {
    const file = join(folder, name)
    // The folder was the build's to write: nothing is followed out of it, and nothing is waited for.
    if (!(await lstat(file)).isFile()) throw new BuildError('BUILD_FAILED', `${name} of the build is no file`)
    const { stdout } = await runProgram(['dpkg-deb', '--field', file, 'Package', 'Version', 'Architecture'], { signal })
    const field = (wanted: string): string => new RegExp(`^${wanted}: (.*)$`, 'm').exec(stdout)?.[1] ?? ''
    packages.push({ name: field('Package'), version: field('Version'), architecture: field('Architecture'), ...await store.put({ file }) })
  }
  return packages
}

function millisecondsOf(duration: string): number {
  const units: Readonly<Record<string, number>> = { s: 1000, m: 60_000, h: 3_600_000, d: 86_400_000 }
  return [...duration.matchAll(/(\d+)([smhd])/g)].reduce((sum, [, count = '0', unit = 's']) => sum + Number(count) * (units[unit] ?? 0), 0)
}
