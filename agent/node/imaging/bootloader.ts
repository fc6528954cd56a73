import { mkdir, readdir, stat } from 'node:fs/promises'
import { join } from 'node:path'
import type { InstallDocument } from '../../../schemas/install.ts'
import type { TaskContext } from '../executor.ts'
import { NodeError } from '../node-error.ts'
import { mustRun } from '../run-program.ts'
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
  /** The whole disk, e.g. /dev/sda. */
  readonly disk: string
  readonly firmware: InstallDocument['firmware']
  readonly architecture: string
  /** The EFI system partition is mounted at /boot/efi. */
  readonly efi: boolean
  /** UUID of the filesystem on /, and of the one that holds /boot; the same when /boot is a folder of /. */
  readonly rootUuid: string
  readonly bootUuid: string
  readonly separateBoot: boolean
  readonly context: TaskContext
}

/**
 * Installs GRUB from within the new system and writes its configuration: for the firmware that the machine has, and for the
 * other one too when the system brings it, so that the disk also starts in the next machine. The machine's own boot entries
 * are left alone: the EFI loader goes where firmware looks on any disk.
 *
 * /dev, /proc and /sys have to be mounted below the root.
 *
 * @throws {NodeError} IMAGE_INVALID when the root filesystem has no kernel or no GRUB for this firmware.
 */
export async function installBootloader(options: BootloaderOptions): Promise<void> {
  const { root, disk, firmware, architecture, efi: mounted, context } = options
  const kernel = await findKernel(root)
  await writeRootFiles(root, [
    { path: 'etc/default/grub', mode: 0o644, text: DEFAULTS },
    { path: 'boot/grub/grub.cfg', mode: 0o600, text: grubConfiguration(options, kernel) },
  ])
  const efi = architecture === 'arm64' ? 'arm64-efi' : 'x86_64-efi'
  const wanted = firmware === 'uefi' ? efi : 'i386-pc'
  const there: string[] = []
  for (const target of mounted ? ['i386-pc', efi] : ['i386-pc']) if (await exists(join(root, 'usr/lib/grub', target, 'modinfo.sh'))) there.push(target)
  if (!there.includes(wanted)) throw new NodeError('IMAGE_INVALID', `the root filesystem has no GRUB for ${firmware} (${wanted})`)
  for (const target of there) {
    const more = target === 'i386-pc' ? [disk] : ['--efi-directory=/boot/efi', '--removable', '--no-nvram']
    await mkdir(join(root, 'boot/efi'), { recursive: true })
    await mustRun(['chroot', root, 'grub-install', `--target=${target}`, '--recheck', '--no-floppy', '--boot-directory=/boot', ...more], {
      signal: context.signal, onStart: (mark) => context.started(mark),
    })
  }
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
  { rootUuid, bootUuid, separateBoot }: Pick<BootloaderOptions, 'rootUuid' | 'bootUuid' | 'separateBoot'>, { kernel, initrd }: Kernel,
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
search --no-floppy --fs-uuid --set=root ${bootUuid}
menuentry 'Linux' {
  linux ${folder}/${kernel} root=UUID=${rootUuid} ro ${KERNEL_ARGUMENTS}
${initrd === undefined ? '' : `  initrd ${folder}/${initrd}\n`}}
`
}

function exists(path: string): Promise<boolean> {
  return stat(path).then(() => true, () => false)
}
