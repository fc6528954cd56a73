import { createReadStream } from 'node:fs'
import { link, mkdir, readFile, stat, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { pipeline } from 'node:stream/promises'
import { fileURLToPath } from 'node:url'
import type { LockedPackage } from '../../../schemas/artifacts.ts'
import { lockedOf, openAptRoot } from '../../stage/apt-root.ts'
import type { AptRoot, AptUse } from '../../stage/apt-root.ts'
import { readHostAptSources, sourcesForSuite } from '../../stage/apt-sources.ts'
import { archiveKey } from '../../stage/archive-key.ts'
import type { DebianRelease } from '../../stage/debian-packages.ts'
import { fetchLocked, objectOf } from '../../stage/fetch-locked.ts'
import { packageIndex, poolPath, releaseOf } from '../../stage/package-index.ts'
import type { StoredPackage } from '../../stage/package-index.ts'
import { parseStanzas } from '../../stage/deb822.ts'
import type { Progress } from '../../stage/progress.ts'
import { runProgram } from '../../stage/run-program.ts'
import { hashOf } from '../../stage/object-hash.ts'
import type { ObjectHash } from '../../stage/object-hash.ts'
import type { Store } from '../../stage/store.ts'
import { ImageError } from '../image-error.ts'
import { createImageCompressor } from '../zstd.ts'
import { ROOTFS_RECIPE, rootfsPackages } from './packages.ts'
import type { RootfsFlavour } from './packages.ts'

/** What root filesystem to build. */
export interface BuildRootfsOptions {
  readonly os: DebianRelease
  readonly flavour: RootfsFlavour
  /** Packages beyond the flavour's own, in any order. */
  readonly packages?: readonly string[]
  readonly store: Store
  readonly signal: AbortSignal
  /** For sources of the site. */
  readonly upstreamProxy?: string | null
  readonly onProgress: Progress
  /** Where packages come from; default: what this machine's apt uses for the suite. */
  readonly sources?: (() => Promise<AptUse>) | undefined
  /** What is locked: then exactly this, and no index of a mirror is read. */
  readonly locked?: LockedRootfs | undefined
}

/** All packages of a root filesystem. */
export interface LockedRootfs {
  /** Names that were asked for. */
  readonly wanted: readonly string[]
  readonly packages: { readonly [name: string]: LockedPackage }
  /** Time of the files that the build makes, seconds since 1970. */
  readonly epoch: number
}

/** A root filesystem in the store. */
export interface Rootfs {
  readonly kind: 'rootfs'
  readonly version: 1
  readonly os: DebianRelease
  readonly flavour: RootfsFlavour
  /** The tar archive (pax, extended attributes, numeric owners), compressed with zstd. */
  readonly hash: ObjectHash
  readonly bytes: number
  /** Size of the archive uncompressed, bytes; a disk should have half as much again. */
  readonly unpackedBytes: number
  /** Its `/var/lib/dpkg/status`, for `stageDebianPackages`. */
  readonly status: ObjectHash
  readonly packages: readonly { readonly name: string; readonly version: string }[]
  /** `6.1.0-56-amd64`; null in a container's. The files are also `/boot/vmlinuz` and `/boot/initrd.img`. */
  readonly kernel: string | null
  /** Hash over all that decides the result. */
  readonly inputs: ObjectHash
  /** Time of the files that the build made, seconds since 1970. */
  readonly epoch: number
}

/**
 * mdadm's configuration, there before mdadm is: no array is assembled that an install did not list here. Without an ARRAY line
 * Debian would list what it finds, on whatever disk, each time it makes an initial RAM disk. mdadm.conf(5)
 */
const NO_ARRAYS = 'HOMEHOST <ignore>\nMAILADDR root\nAUTO -all\nARRAY <ignore> UUID=00000000:00000000:00000000:00000000\n'
const KEYRING = 'keyring.gpg'
const CUSTOMIZE = fileURLToPath(new URL('customize', import.meta.url))

/**
 * Builds a Debian root filesystem from apt sources, or finds in the store the one that was built from
 * the same packages. The same package versions give the same bytes. Needs root, mmdebstrap and about 2 GB in the store's
 * folder; see `needs.ts`.
 *
 * What the archive has, and has not: systemd with networkd enabled and no network file; for machines, `/boot/vmlinuz` and
 * `/boot/initrd.img` (links that kernel upgrades keep), an initrd for any disk, GRUB's files for BIOS and UEFI and nothing
 * of them installed; an empty `/etc/machine-id`; no hostname, hosts other than localhost, fstab, resolv.conf, sources of
 * apt, ssh keys or password of root. What the runtime links to is there.
 *
 * How to put it on a disk, so that BIOS and UEFI both boot from it, whichever the machine has now (tried with both):
 *
 * 1. Table: GPT. Partition 1: 1 MiB, type 21686148-6449-6E6F-744E-656564454649 (BIOS boot), never formatted. Partition 2:
 *    128 MiB or more, C12A7328-F81F-11D2-BA4B-00A0C93EC93B (EFI system), `mkfs.vfat -F 32 -i <8 hex digits>`. Partition 3:
 *    the rest, 4F68BCE3-E8CD-4DB1-96E7-FBCAF984B709 (root, x86-64), `mkfs.ext4 -q -F -U <uuid>`. `sfdisk --wipe always
 *    --wipe-partitions always <disk>` takes it all as one script; identifiers are chosen before, so that files may say them.
 *    The partitions of a disk whose name ends in a digit are `<disk>p1` and so on.
 * 2. Unpack: mount partition 3, then `tar -x -p --numeric-owner --xattrs --xattrs-include=* -C <root>` from the decompressed
 *    archive; mount partition 2 on `<root>/boot/efi`; `mount --rbind` /dev, /proc and /sys below it (`umount -R` them after).
 * 3. In a chroot: `grub-install --target=i386-pc --boot-directory=/boot --no-floppy <disk>`, and
 *    `grub-install --target=x86_64-efi --boot-directory=/boot --efi-directory=/boot/efi --removable --no-nvram
 *    --no-uefi-secure-boot`. The second leaves the firmware's boot order alone: it finds EFI/BOOT/BOOTX64.EFI by itself.
 * 4. `/boot/grub/grub.cfg`, written rather than generated:
 *    ```
 *    set default=0
 *    set timeout=1
 *    serial --unit=0 --speed=115200
 *    terminal_input console serial
 *    terminal_output console serial
 *    insmod part_gpt
 *    insmod ext2
 *    search --no-floppy --fs-uuid --set=root <uuid>
 *    menuentry 'Debian' {
 *      linux /boot/vmlinuz root=UUID=<uuid> ro console=tty0 console=ttyS0,115200
 *      initrd /boot/initrd.img
 *    }
 *    ```
 *    systemd puts a login on each console that the kernel was given.
 * 5. `/etc/fstab`: `UUID=<uuid> / ext4 errors=remount-ro 0 1` and `UUID=<ABCD-EF01> /boot/efi vfat umask=0077,nofail 0 2`.
 *    `/etc/hostname`, `/etc/hosts` (`<address> <name>.<domain> <name>`), `/etc/resolv.conf` (a plain file).
 * 6. `/etc/systemd/network/10-<network>.network`, one for each interface with an address:
 *    ```
 *    [Match]
 *    PermanentMACAddress=<mac>
 *
 *    [Network]
 *    Address=<address>/<length>
 *    Gateway=<gateway>
 *    LinkLocalAddressing=ipv6
 *    IPv6AcceptRA=no
 *    ```
 *    An interface without a file stays down. In a container (`host0`) match by `Name=`: a veth has no permanent address.
 * 7. The node agent: runtime and bundle in `/usr/lib/crowbar`, a unit that is enabled by `chroot <root> systemctl enable`.
 *    Its output reaches the serial console with `StandardOutput=journal+console`.
 *
 * @throws {ImageError} IMAGE_NEEDS_ROOT.
 * @throws {StageError} APT_…, PROGRAM_…
 */
export async function buildRootfs(options: BuildRootfsOptions): Promise<Rootfs> {
  const { os, flavour, store, signal, onProgress } = options
  const use = options.sources ?? (async (): Promise<AptUse> => ({ sources: sourcesForSuite(await readHostAptSources(), os.suite) }))
  await using apt = options.locked === undefined ? await openAptRoot({ store, signal, onProgress, status: '', architecture: os.architecture, ...await use() }) : undefined
  const { wanted, packages, epoch } = apt === undefined ? options.locked as LockedRootfs : await resolved(apt, options)
  const closure = Object.entries(packages).map(([name, locked]) => ({ ...locked, name, hash: objectOf(locked) })).toSorted((a, b) => (a.name < b.name ? -1 : 1))
  const inputs = hashOf(JSON.stringify({
    recipe: ROOTFS_RECIPE, customize: hashOf(await readFile(CUSTOMIZE)), runtime: process.versions['zstd'], os, flavour, wanted, closure: closure.map(one => one.hash),
  }))
  const reference = `rootfs/${inputs.slice(7)}`
  const built = await readBuilt(store, reference)
  if (built !== undefined) return built
  await fetchLocked(packages, { store, sources: async () => (await use()).sources, upstreamProxy: options.upstreamProxy, signal, onProgress })
  if (process.getuid?.() !== 0) throw new ImageError('IMAGE_NEEDS_ROOT', 'a root filesystem can only be built by root; its packages are in the store')
  const rootfs = await build({ closure, inputs, epoch }, options)
  const { hash } = await store.put(Buffer.from(`${JSON.stringify(rootfs, undefined, 1)}\n`))
  await store.refer(reference, hash)
  return rootfs
}

/** What the mirror has today. */
async function resolved(apt: AptRoot, { os, flavour, ...options }: BuildRootfsOptions): Promise<LockedRootfs> {
  const wanted = rootfsWanted(flavour, os.architecture, options.packages ?? [])
  const closure = await apt.resolve([...LEAST, ...wanted])
  return { wanted, epoch: apt.releaseTime, packages: Object.fromEntries(closure.map(one => [one.name, lockedOf(one)])) }
}

/** What every Debian system has, as apt says it. */
export const LEAST = ['?essential', '?priority(required)', 'apt'] as const

/** The names that a root filesystem is made of, beside those that every Debian system has; sorted. */
export function rootfsWanted(flavour: RootfsFlavour, architecture: string, packages: readonly string[]): string[] {
  return [...new Set([...rootfsPackages(flavour, architecture), ...packages])].toSorted()
}

async function readBuilt(store: Store, reference: string): Promise<Rootfs | undefined> {
  const manifest = await store.resolve(reference)
  if (manifest === undefined) return undefined
  const rootfs = JSON.parse((await store.read(manifest)).toString('utf8')) as Rootfs
  return await store.has(rootfs.hash) && await store.has(rootfs.status) ? rootfs : undefined
}

interface Parts {
  readonly closure: readonly StoredPackage[]
  readonly inputs: ObjectHash
  readonly epoch: number
}

async function build({ closure, inputs, epoch }: Parts, options: BuildRootfsOptions): Promise<Rootfs> {
  const { os, flavour, store, signal, onProgress } = options
  await using work = await store.temporaryFolder('rootfs')
  const tar = join(work.path, 'rootfs.tar')
  const repository = join(work.path, 'repository')
  await writeRepository(repository, closure, { os, store, signal })
  onProgress(`installing ${String(closure.length)} packages into a root filesystem`)
  await runProgram(mmdebstrap({ repository, names: closure.map(one => one.name), os, work: work.path, tar }), {
    signal,
    env: {
      PATH: '/usr/sbin:/usr/bin:/sbin:/bin', LC_ALL: 'C.UTF-8', TMPDIR: work.path, SOURCE_DATE_EPOCH: String(epoch), CROWBAR_FLAVOUR: flavour,
    },
    onLine: line => {
      const stage = /^I: ((?:extracting|installing|creating) [^/]+?)\.*$/.exec(line)?.[1]
      if (stage !== undefined) onProgress(stage)
    },
  })
  onProgress('compressing the root filesystem')
  const compressor = createImageCompressor()
  const [stored] = await Promise.all([store.put(compressor, { signal }), pipeline(createReadStream(tar), compressor, { end: true, signal })])
  const status = await store.put({ file: join(work.path, 'status') })
  const packages = parseStanzas((await store.read(status.hash)).toString('utf8'))
    .map(stanza => ({ name: stanza.get('Package') ?? '', version: stanza.get('Version') ?? '' }))
  const other = closure.filter(({ name, version }) => !packages.some(one => one.name === name && one.version === version))
  if (other.length > 0 || packages.length !== closure.length) throw new ImageError('IMAGE_DIFFERS', `the root filesystem does not have exactly the packages that were resolved: ${other.map(({ name }) => name).join(', ')}`)
  return {
    kind: 'rootfs', version: 1, os, flavour, hash: stored.hash, bytes: stored.bytes, unpackedBytes: (await stat(tar)).size,
    status: status.hash, packages, kernel: kernelOf(packages), inputs, epoch,
  }
}

/** A flat repository in a folder of the store's file system, which its packages are linked into, signed by a key that nobody keeps. */
async function writeRepository(folder: string, packages: readonly StoredPackage[], { os, store, signal }: { readonly os: DebianRelease; readonly store: Store; readonly signal: AbortSignal }): Promise<void> {
  await mkdir(join(folder, 'pool'), { recursive: true })
  for (const one of packages) await link(store.path(one.hash), join(folder, poolPath(one)))
  const index = await packageIndex(packages, { store, signal })
  await writeFile(join(folder, 'Packages'), index)
  const key = archiveKey()
  await writeFile(join(folder, KEYRING), key.public)
  await writeFile(join(folder, 'InRelease'), key.signInline(releaseOf(os, index)))
}

function mmdebstrap({ repository, names, os, work, tar }: { readonly repository: string; readonly names: readonly string[]; readonly os: DebianRelease; readonly work: string; readonly tar: string }): [string, ...string[]] {
  return [
    // In namespaces of its own, so that mounts and processes of the build end with it, however it ends.
    'unshare', '--mount', '--pid', '--fork', '--kill-child=SIGKILL', '--mount-proc',
    'mmdebstrap', '--mode=root', '--variant=minbase', '--format=tar', `--architectures=${os.architecture}`,
    '--dpkgopt=path-exclude=/usr/share/man/*', '--dpkgopt=path-exclude=/usr/share/locale/*',
    '--dpkgopt=path-exclude=/usr/share/doc/*', '--dpkgopt=path-include=/usr/share/doc/*/copyright',
    `--setup-hook=test "$CROWBAR_FLAVOUR" = container || { mkdir -p "$1/etc/mdadm" && printf '${NO_ARRAYS.replaceAll('\n', '\\n')}' > "$1/etc/mdadm/mdadm.conf"; }`,
    // All of them by name: which packages a variant has hangs on priorities, and those of the archive are not in the files.
    `--include=${names.join(',')}`,
    `--customize-hook=${CUSTOMIZE}`, `--customize-hook=copy-out /var/lib/dpkg/status ${work}`,
    os.suite, tar, `deb [signed-by=${join(repository, KEYRING)}] copy://${repository} ./`,
  ]
}

function kernelOf(packages: readonly { readonly name: string }[]): string | null {
  const name = packages.map(one => one.name).find(one => /^linux-image-\d/.test(one))
  return name === undefined ? null : name.slice('linux-image-'.length)
}
