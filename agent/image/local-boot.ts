import { mkdir, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import type { Progress } from '../stage/progress.ts'
import { runProgram } from '../stage/run-program.ts'
import type { ObjectHash } from '../stage/object-hash.ts'
import type { Store } from '../stage/store.ts'

/** What the loader can read: a GPT or MBR disk with a FAT system partition. */
const MODULES = 'boot chain echo fat minicmd normal part_gpt part_msdos regexp sleep test'

/** Where operating systems put their first loader, the fallback that firmware itself looks for first. */
const LOADERS = ['/EFI/BOOT/BOOTX64.EFI', '/EFI/debian/shimx64.efi', '/EFI/debian/grubx64.efi', '/EFI/Microsoft/Boot/bootmgfw.efi'] as const

/**
 * Every disk is tried, so that half of a mirror may be missing, new or damaged. When none starts, the program ends with an
 * error, and the firmware goes on to its next device. Debian's `chainloader` tells the loader that it comes from `root`,
 * whatever device is in its path: without a root the firmware has no device for it.
 */
const CONFIGURATION = `set timeout=0
for loader in ${LOADERS.join(' ')}; do
  for partition in (hd*,*); do
    if [ -f "$partition$loader" ]; then
      echo "Booting $loader from $partition"
      regexp --set=1:root '^\\((.*)\\)$' "$partition"
      if chainloader "$loader"; then boot; fi
    fi
  done
done
echo "No disk has a boot loader"
sleep 5
exit 1
`

/**
 * Builds a UEFI program that starts the operating system of the local disk, and stores it.
 *
 * Leaving the network boot is not enough on UEFI: the iPXE of Debian 12 does not return to the firmware after a script
 * that ends with an error, and firmware that does go on tries every other way to boot from the network first, for
 * minutes. So the machine is handed a loader that looks for the disk itself.
 *
 * Needs `grub-mkstandalone` and GRUB's modules for x86_64-efi. Not signed: Secure Boot refuses it, as it does iPXE.
 *
 * @throws {StageError} PROGRAM_MISSING, PROGRAM_FAILED.
 */
export async function buildLocalBoot(options: { readonly store: Store; readonly signal: AbortSignal; readonly onProgress: Progress }): Promise<ObjectHash> {
  const { store, signal, onProgress } = options
  await using work = await store.temporaryFolder('local-boot')
  const configuration = join(work.path, 'grub.cfg')
  const program = join(work.path, 'local.efi')
  await mkdir(work.path, { recursive: true })
  await writeFile(configuration, CONFIGURATION)
  onProgress('building the loader for local disks')
  await runProgram([
    'grub-mkstandalone', '--format=x86_64-efi', `--modules=${MODULES}`, `--install-modules=${MODULES}`, '--locales=', '--themes=', '--fonts=', `--output=${program}`, `boot/grub/grub.cfg=${configuration}`,
  ], { signal, env: { PATH: '/usr/sbin:/usr/bin:/sbin:/bin', LC_ALL: 'C.UTF-8', SOURCE_DATE_EPOCH: '0', TMPDIR: work.path } })
  return (await store.put({ file: program })).hash
}
