import { appendFile, mkdir, readFile, readdir, rm, stat, truncate } from 'node:fs/promises'
import { join } from 'node:path'
import type { InstallDocument } from '../../../schemas/install.ts'
import type { TaskContext } from '../executor.ts'
import { NodeError } from '../node-error.ts'
import { mustRun } from '../run-program.ts'
import type { Mounts } from './mounts.ts'
import { writeRootFiles } from './root-files.ts'

/** How the kernel talks: the last console is /dev/console. */
const KERNEL_ARGUMENTS = 'console=tty0 console=ttyS0,115200n8'
const DEFAULTS = `# Written at installation.
GRUB_DEFAULT=0
GRUB_TIMEOUT=2
GRUB_DISTRIBUTOR=Crowbar
GRUB_CMDLINE_LINUX="${KERNEL_ARGUMENTS}"
GRUB_TERMINAL="console serial"
GRUB_SERIAL_COMMAND="serial --speed=115200 --unit=0"
GRUB_DISABLE_OS_PROBER=true
`

/** What the boot loader has to find. */
export interface BootloaderOptions {
  readonly root: string
  /** Whole disks, e.g. /dev/sda: all that hold the system, so that each of a mirror starts the machine by itself. */
  readonly disks: readonly string[]
  /** Their EFI system partitions. */
  readonly esps: readonly string[]
  readonly mounts: Mounts
  readonly firmware: InstallDocument['firmware']
  readonly architecture: string
  /** UUID of the filesystem on /, and of the one that holds /boot; the same when /boot is a folder of /. */
  readonly rootUuid: string
  readonly bootUuid: string
  readonly separateBoot: boolean
  /** Some of it is on arrays: the initial RAM disk has to know them. */
  readonly arrays: boolean
  readonly context: TaskContext
}

/**
 * Installs GRUB from within the new system and writes its configuration: for the firmware that the machine has, and for the
 * other one too when the system brings it, so that the disk also starts in the next machine. The machine's own boot entries
 * are left alone: the EFI loader goes where firmware looks on any disk. On a BIOS machine whose kernel cannot mount an EFI
 * system partition, that one is left empty.
 *
 * /dev, /proc and /sys have to be mounted below the root.
 *
 * @throws {NodeError} IMAGE_INVALID when the root filesystem has no kernel or no GRUB for this firmware, or cannot start
 *   from an array.
 */
export async function installBootloader(options: BootloaderOptions): Promise<void> {
  const { root, disks, esps, mounts, firmware, architecture, context } = options
  const inside = async (...argv: readonly string[]): Promise<void> => {
    await mustRun(['chroot', root, ...argv], { signal: context.signal, onStart: (mark) => context.started(mark) })
  }
  const kernel = await findKernel(root)
  await writeRootFiles(root, [
    { path: 'etc/default/grub', mode: 0o644, text: DEFAULTS },
    { path: 'boot/grub/grub.cfg', mode: 0o600, text: grubConfiguration(options, kernel) },
  ])
  if (options.arrays) {
    if (!(await exists(join(root, 'usr/share/initramfs-tools/hooks/mdadm')))) throw new NodeError('IMAGE_INVALID', 'the root filesystem has no mdadm, without which it cannot start from an array')
    await tellInitrd({ root, kernel, signal: context.signal })
  }
  const efi = architecture === 'arm64' ? 'arm64-efi' : 'x86_64-efi'
  const wanted = firmware === 'uefi' ? efi : 'i386-pc'
  const has = (target: string): Promise<boolean> => exists(join(root, 'usr/lib/grub', target, 'modinfo.sh'))
  if (!(await has(wanted))) throw new NodeError('IMAGE_INVALID', `the root filesystem has no GRUB for ${firmware} (${wanted})`)
  const install = (target: string, ...more: readonly string[]): Promise<void> => inside('grub-install', `--target=${target}`, '--recheck', '--no-floppy', '--boot-directory=/boot', ...more)
  await mkdir(join(root, 'boot/efi'), { recursive: true })
  if (await has('i386-pc')) for (const disk of disks) await install('i386-pc', disk)
  if (!(await has(efi))) return
  for (const esp of esps) {
    try {
      await mounts.mount(esp, '/boot/efi', { type: 'vfat' })
    } catch (error) {
      if (firmware === 'uefi') throw error
      context.output('progress', 'the EFI system partition cannot be mounted here; the disk will start by BIOS only')
      return
    }
    await install(efi, '--efi-directory=/boot/efi', '--removable', '--no-nvram')
    await mounts.unmountLast()
  }
}

/**
 * Adds mdadm's configuration to the initial RAM disk, as another archive behind the ones that it consists of: the kernel
 * unpacks them in turn, each at a multiple of four bytes (Documentation/driver-api/early-userspace/buffer-format.rst). To
 * make it anew comes to the same and takes long; the next upgrade of the kernel does.
 */
async function tellInitrd({ root, kernel: { initrd }, signal }: { readonly root: string; readonly kernel: Kernel; readonly signal: AbortSignal }): Promise<void> {
  if (initrd === undefined) throw new NodeError('IMAGE_INVALID', 'the root filesystem has no initial RAM disk, without which it cannot start from an array')
  const archive = 'boot/crowbar-arrays.cpio'
  // By its path: busybox would run its own, and not the system's.
  await mustRun(['chroot', root, '/bin/cpio', '--quiet', '--create', '--format=newc', `--file=/${archive}`], { signal, input: 'etc\netc/mdadm\netc/mdadm/mdadm.conf\n' })
  const file = join(root, 'boot', initrd)
  await truncate(file, Math.ceil((await stat(file)).size / 4) * 4)
  await appendFile(file, await readFile(join(root, archive)))
  await rm(join(root, archive))
}

interface Kernel {
  readonly kernel: string
  readonly initrd: string | undefined
}

/** The newest kernel in /boot with its initial RAM disk; names as Debian gives them. */
async function findKernel(root: string): Promise<Kernel> {
  const names = await readdir(join(root, 'boot'))
  const versions = names.filter((name) => name.startsWith('vmlinuz-')).map((name) => name.slice('vmlinuz-'.length))
  const newest = versions.toSorted((a, b) => a.localeCompare(b, 'en', { numeric: true })).at(-1)
  if (newest !== undefined) return { kernel: `vmlinuz-${newest}`, initrd: names.find((name) => name === `initrd.img-${newest}`) }
  if (names.includes('vmlinuz')) return { kernel: 'vmlinuz', initrd: names.find((name) => name === 'initrd.img') }
  throw new NodeError('IMAGE_INVALID', 'the root filesystem has no kernel in /boot')
}

/** Pure but for its arguments; the same shape that update-grub later replaces. */
export function grubConfiguration(
  { rootUuid, bootUuid, separateBoot, arrays }: Pick<BootloaderOptions, 'rootUuid' | 'bootUuid' | 'separateBoot' | 'arrays'>, { kernel, initrd }: Kernel,
): string {
  const folder = separateBoot ? '' : '/boot'
  return `# Written at installation; update-grub replaces it.
serial --speed=115200 --unit=0
terminal_input console serial
terminal_output console serial
set timeout=2
set default=0
insmod part_gpt
insmod ext2
insmod xfs
insmod btrfs
${arrays ? 'insmod mdraid1x\n' : ''}search --no-floppy --fs-uuid --set=root ${bootUuid}
menuentry 'Linux' {
  linux ${folder}/${kernel} root=UUID=${rootUuid} ro ${KERNEL_ARGUMENTS}
${initrd === undefined ? '' : `  initrd ${folder}/${initrd}\n`}}
`
}

function exists(path: string): Promise<boolean> {
  return stat(path).then(() => true, () => false)
}
