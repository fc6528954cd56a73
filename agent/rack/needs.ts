import { access } from 'node:fs/promises'
import { installDebianPackages, missingHostPackages } from '../image/needs.ts'
import type { HostNeed } from '../image/needs.ts'
import type { Progress } from '../stage/progress.ts'
import { RackError } from './rack-error.ts'

const PROGRAMS: readonly HostNeed[] = [
  { program: 'ip', package: 'iproute2', because: 'makes bridges and taps' },
  { program: 'setpriv', package: 'util-linux', because: 'ties the rack to the rehearsal' },
  { program: 'git', package: 'git', because: 'keeps the rehearsed site' },
]
const MACHINE_PROGRAMS: readonly HostNeed[] = [
  { program: 'qemu-system-x86_64', package: 'qemu-system-x86', because: 'runs the machines' },
  { program: 'mkfs.ext4', package: 'e2fsprogs', because: 'makes disks that hold something' },
  { program: 'sfdisk', package: 'fdisk', because: 'makes disks that hold something' },
]
const MACHINE_FILES: readonly { readonly file: string; readonly package: string }[] = [
  { file: '/usr/share/OVMF/OVMF_CODE_4M.fd', package: 'ovmf' },
  { file: '/usr/lib/ipxe/qemu/pxe-virtio.rom', package: 'ipxe-qemu' },
]
const CONTAINER_PROGRAMS: readonly HostNeed[] = [
  { program: 'systemd-nspawn', package: 'systemd-container', because: 'runs the container nodes' },
  { program: 'zstd', package: 'zstd', because: 'unpacks their root filesystem' },
]

/**
 * Sees to it that this machine can build a rack, installing Debian packages when root.
 *
 * @throws {RackError} RACK_NEEDS_ROOT, whose message is the one line to run.
 */
export async function provideRackNeeds(nodes: 'qemu' | 'container', options: { readonly signal: AbortSignal; readonly onProgress: Progress; readonly offline: boolean }): Promise<void> {
  const missing = new Set(await missingHostPackages([...PROGRAMS, ...(nodes === 'qemu' ? MACHINE_PROGRAMS : CONTAINER_PROGRAMS)]))
  if (nodes === 'qemu') {
    for (const need of MACHINE_FILES) {
      if (!(await access(need.file).then(() => true, () => false))) missing.add(need.package)
    }
  }
  if (options.offline && missing.size > 0) throw new RackError('RACK_NEEDS_ROOT', `this machine lacks ${[...missing].toSorted().join(', ')}, and nothing is fetched with --offline: install them first`)
  const outcome = await installDebianPackages([...missing].toSorted(), options)
  if (outcome.kind === 'needs-root') throw new RackError('RACK_NEEDS_ROOT', `this machine lacks ${outcome.names.join(', ')}; run: ${outcome.command}`)
}
