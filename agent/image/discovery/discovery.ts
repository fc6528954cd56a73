import { cp, lstat, mkdir, readdir, readFile } from 'node:fs/promises'
import { basename, dirname, join } from 'node:path'
import { pipeline } from 'node:stream/promises'
import { fileURLToPath } from 'node:url'
import { openAptRoot } from '../../stage/apt-root.ts'
import type { AptPackage, AptUse } from '../../stage/apt-root.ts'
import { readHostAptSources, sourcesForSuite } from '../../stage/apt-sources.ts'
import type { DebianRelease } from '../../stage/debian-packages.ts'
import type { Progress } from '../../stage/progress.ts'
import { runProgram } from '../../stage/run-program.ts'
import { hashOf } from '../../stage/object-hash.ts'
import type { ObjectHash } from '../../stage/object-hash.ts'
import type { Store } from '../../stage/store.ts'
import { ImageError } from '../image-error.ts'
import { createImageCompressor } from '../zstd.ts'
import { writeCpio } from './cpio.ts'
import type { CpioEntry } from './cpio.ts'
import { KERNEL_MODULES, selectModules } from './kernel-modules.ts'
import { addNeeds, addPath, addProgram, fileAt } from './package-tree.ts'
import type { ImageEntries } from './package-tree.ts'
import { IMAGE_FILES, IMAGE_LOADERS, IMAGE_PACKAGES, IMAGE_PROGRAMS } from './packages.ts'

/** What the image is made of. */
export interface BuildDiscoveryImageOptions {
  /** Debian release whose kernel and programs the image has. */
  readonly os: DebianRelease
  /** The Node executable, for the image's architecture; `process.execPath` for one's own. */
  readonly runtime: string
  /** The node agent as one file; see `bundleNodeAgent`. */
  readonly agentBundle: Uint8Array
  readonly store: Store
  readonly signal: AbortSignal
  readonly onProgress: Progress
  /** Where packages come from; default: what this machine's apt uses for the suite. */
  readonly sources?: AptUse | undefined
}

/** A discovery image in the store. */
export interface DiscoveryImage {
  /** A Linux kernel, as Debian signed it. */
  readonly kernel: ObjectHash
  readonly kernelBytes: number
  /** The initramfs: an archive with the agent as it is, then one compressed with zstd with all else. */
  readonly initrd: ObjectHash
  readonly initrdBytes: number
  /** The first programs that machines load from the network, by file name. */
  readonly loaders: Readonly<Record<string, ObjectHash>>
  /** Kernel and initramfs together. */
  readonly bytes: number
  /** `6.1.0-56-amd64` */
  readonly kernelVersion: string
  /** Hash over all that decides the result. */
  readonly inputs: ObjectHash
}

/** Everything but the agent, which changes more often. */
interface Base {
  readonly kernel: ObjectHash
  readonly kernelBytes: number
  readonly base: ObjectHash
  readonly baseBytes: number
  readonly kernelVersion: string
  readonly loaders: Readonly<Record<string, ObjectHash>>
  /** Time of every file, seconds since 1970: when the kernel's package was built. */
  readonly epoch: number
}

/** Changes when the steps below change in a way that the other inputs do not show. */
const RECIPE = 5
const OWN_FILES = { init: fileURLToPath(new URL('init', import.meta.url)), dhcp: fileURLToPath(new URL('dhcp', import.meta.url)) }

/**
 * Builds the image that unknown machines and machines to be installed boot, from Debian packages and this machine's Node,
 * or finds in the store the one that was built from the same. The same inputs give the same bytes. Needs no root.
 *
 * Boot it with `BOOTIF=01-<mac, hyphens>` on the kernel's command line and a console or two (`console=tty0
 * console=ttyS0,115200`); an EFI kernel also needs `initrd=<name>`. It takes an address by DHCP on that interface, leaves
 * the others down, and keeps `/usr/bin/node /usr/lib/crowbar/node-agent.js` running, which reads its own parameters
 * (`crowbar.*`) from /proc/cmdline. To end, the agent calls `reboot` or `poweroff`.
 *
 * @throws {StageError} APT_…, PROGRAM_…
 * @throws {ImageError} IMAGE_FILE_MISSING if the recipe names what the packages have not.
 */
export async function buildDiscoveryImage(options: BuildDiscoveryImageOptions): Promise<DiscoveryImage> {
  const { os, store, signal, onProgress } = options
  await using apt = await openAptRoot({
    store, signal, onProgress, status: '', architecture: os.architecture,
    ...(options.sources ?? { sources: sourcesForSuite(await readHostAptSources(), os.suite) }),
  })
  const kernel = (await apt.resolve([`linux-image-${os.architecture}`])).filter(one => /^linux-image-\d/.test(one.name))
  const packages = [...await apt.resolve(IMAGE_PACKAGES), ...kernel]
  const inputs = hashOf(JSON.stringify({
    recipe: RECIPE, packages: packages.map(one => one.hash), runtime: hashOf(await readFile(options.runtime)), zstd: process.versions['zstd'],
    stripped: await stripVersion(signal), own: await Promise.all(Object.values(OWN_FILES).map(async file => hashOf(await readFile(file)))),
    modules: KERNEL_MODULES, programs: IMAGE_PROGRAMS, files: IMAGE_FILES, loaders: IMAGE_LOADERS,
  }))
  const reference = `discovery/${inputs.slice(7)}`
  let base = await readBase(store, reference)
  if (base === undefined) {
    await apt.fetch(packages)
    base = await buildBase(packages, kernel, options)
    const { hash } = await store.put(Buffer.from(`${JSON.stringify(base, undefined, 1)}\n`))
    await store.refer(reference, hash)
  }
  return addAgent(base, inputs, options)
}

async function readBase(store: Store, reference: string): Promise<Base | undefined> {
  const manifest = await store.resolve(reference)
  if (manifest === undefined) return undefined
  const base = JSON.parse((await store.read(manifest)).toString('utf8')) as Base
  const there = await Promise.all([base.kernel, base.base, ...Object.values(base.loaders)].map(one => store.has(one)))
  return there.every(Boolean) ? base : undefined
}

async function addAgent(base: Base, inputs: ObjectHash, { store, agentBundle, signal }: BuildDiscoveryImageOptions): Promise<DiscoveryImage> {
  const folder = 'usr/lib/crowbar'
  const agent: CpioEntry[] = [
    { kind: 'file', path: `${folder}/node-agent.js`, mode: 0o644, content: async () => Buffer.from(agentBundle) },
    { kind: 'file', path: `${folder}/package.json`, mode: 0o644, content: async () => Buffer.from('{"type":"module"}\n') },
  ]
  const whole = async function* (): AsyncGenerator<Uint8Array> {
    // Linux unpacks archives one after the other; one that is not compressed may stand before one that is.
    yield* writeCpio(agent, base.epoch)
    yield await readFile(store.path(base.base))
  }
  const initrd = await store.put(whole(), { signal })
  return {
    kernel: base.kernel, kernelBytes: base.kernelBytes, initrd: initrd.hash, initrdBytes: initrd.bytes,
    bytes: base.kernelBytes + initrd.bytes, loaders: base.loaders, kernelVersion: base.kernelVersion, inputs: hashOf(inputs + hashOf(agentBundle)),
  }
}

async function buildBase(packages: readonly AptPackage[], kernel: readonly AptPackage[], options: BuildDiscoveryImageOptions): Promise<Base> {
  const { store, signal, onProgress } = options
  await using work = await store.temporaryFolder('discovery')
  const tree = join(work.path, 'tree')
  await mkdir(tree)
  onProgress('unpacking the packages of the discovery image')
  for (const one of packages) await runProgram(['dpkg-deb', '--extract', store.path(one.hash), tree], { signal })
  const epoch = await packageTime(store.path(kernel[0]?.hash ?? `sha256:`))
  const kernelVersion = (kernel[0]?.name ?? '').slice('linux-image-'.length)

  const entries: ImageEntries = new Map()
  for (const entry of SKELETON) entries.set(entry.path, entry)
  for (const [path, own] of [['init', OWN_FILES.init], ['usr/lib/crowbar/dhcp', OWN_FILES.dhcp]] as const) {
    entries.set(path, { kind: 'file', path, mode: 0o755, content: () => readFile(own) })
  }
  await addPath(entries, tree, 'bin/busybox')
  for (const { program } of IMAGE_PROGRAMS) await addProgram(entries, tree, program)
  for (const { path } of IMAGE_FILES) await addPath(entries, tree, path)
  await addRuntime(entries, tree, work.path, options)
  await addModules(entries, tree, work.path, kernelVersion, signal)

  onProgress('compressing the discovery image')
  const compressor = createImageCompressor()
  const [base] = await Promise.all([store.put(compressor, { signal }), pipeline(writeCpio([...entries.values()], epoch), compressor, { signal })])
  const image = await store.put({ file: join(tree, 'boot', `vmlinuz-${kernelVersion}`) }, { signal })
  const loaders: Record<string, ObjectHash> = {}
  for (const { path } of IMAGE_LOADERS) {
    loaders[basename(path)] = (await store.put({ file: await fileAt(tree, path) }, { signal })).hash
  }
  return { kernel: image.hash, kernelBytes: image.bytes, base: base.hash, baseBytes: base.bytes, kernelVersion, loaders, epoch }
}

const SKELETON: readonly CpioEntry[] = [
  ...['proc', 'sys', 'dev', 'run', 'mnt', 'etc', 'etc/mdadm', 'var/log', 'var/lib'].map(path => ({ kind: 'folder', path, mode: 0o755 }) as const),
  { kind: 'folder', path: 'root', mode: 0o700 },
  { kind: 'folder', path: 'tmp', mode: 0o1777 },
  ...['bin', 'sbin', 'lib', 'lib64'].map(path => ({ kind: 'link', path, target: `usr/${path}` }) as const),
  ...['usr/bin', 'usr/sbin', 'usr/lib64'].map(path => ({ kind: 'folder', path, mode: 0o755 }) as const),
  { kind: 'character-device', path: 'dev/console', mode: 0o600, major: 5, minor: 1 },
  { kind: 'character-device', path: 'dev/null', mode: 0o666, major: 1, minor: 3 },
  ...Object.entries({
    'etc/passwd': 'root:x:0:0:root:/root:/bin/sh\n', 'etc/group': 'root:x:0:\ndisk:x:6:\ntty:x:5:\n', 'etc/hosts': '127.0.0.1 localhost\n::1 localhost\n',
    'etc/nsswitch.conf': 'passwd: files\ngroup: files\nhosts: files dns\n',
    // There is no udev here that would assemble what it finds; should anybody ask mdadm to, it does not either.
    'etc/mdadm/mdadm.conf': 'HOMEHOST <ignore>\nAUTO -all\n',
  }).map(([path, text]) => ({ kind: 'file', path, mode: 0o644, content: async () => Buffer.from(text) }) as const),
  { kind: 'link', path: 'etc/mtab', target: '/proc/self/mounts' },
]

async function addRuntime(entries: ImageEntries, tree: string, work: string, { runtime, signal }: BuildDiscoveryImageOptions): Promise<void> {
  const file = join(work, 'node')
  const stripped = await runProgram(['strip', '--strip-all', '-o', file, runtime], { signal }).then(() => true, () => false)
  signal.throwIfAborted()
  const content = await readFile(stripped ? file : runtime)
  entries.set('usr/bin/node', { kind: 'file', path: 'usr/bin/node', mode: 0o755, content: async () => content })
  await addNeeds(entries, tree, content)
}

/** Copies the chosen modules beside the tree and indexes them there, as text; the image's modprobe reads no binary index. */
async function addModules(entries: ImageEntries, tree: string, work: string, version: string, signal: AbortSignal): Promise<void> {
  const all = join(tree, 'lib/modules', version)
  const chosen = join(work, 'modules/lib/modules', version)
  await runProgram(['depmod', '-b', tree, version], { signal })
  const text = (name: string): Promise<string> => readFile(join(all, name), 'utf8')
  const { paths, missing } = selectModules(Object.values(KERNEL_MODULES).flat(), {
    dependencies: await text('modules.dep'), softDependencies: await text('modules.softdep'), builtin: await text('modules.builtin'),
  })
  if (missing.length > 0) {
    throw new ImageError('IMAGE_FILE_MISSING', `the kernel ${version} has no module ${missing.join(', ')}`, { data: { modules: missing } })
  }
  for (const path of [...paths, 'modules.order', 'modules.builtin', 'modules.builtin.modinfo']) {
    await mkdir(dirname(join(chosen, path)), { recursive: true })
    await cp(join(all, path), join(chosen, path))
  }
  await runProgram(['depmod', '-b', join(work, 'modules'), version], { signal })
  for (const name of await readdir(chosen, { recursive: true })) {
    if (name.endsWith('.bin') || !(await lstat(join(chosen, name))).isFile()) continue
    const path = `usr/lib/modules/${version}/${name}`
    entries.set(path, { kind: 'file', path, mode: 0o644, content: () => readFile(join(chosen, name)) })
  }
}

/** When a package was built: the time of the first member of its archive, which dpkg sets to SOURCE_DATE_EPOCH. deb(5), ar(5). */
async function packageTime(file: string): Promise<number> {
  return Number((await readFile(file)).toString('latin1', 8 + 16, 8 + 28).trim())
}

/** `strip` decides the runtime's bytes; undefined: there is none, and the runtime is taken as it is. */
async function stripVersion(signal: AbortSignal): Promise<string | undefined> {
  const version = await runProgram(['strip', '--version'], { signal }).then(({ stdout }) => stdout.split('\n')[0], () => undefined)
  signal.throwIfAborted()
  return version
}
