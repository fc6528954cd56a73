import type { BootAnswer } from './booter.ts'

/** What a script refers to, as the machine sees it. */
export interface IpxeScriptOptions {
  /** `http://192.168.124.10`, without a final slash: what the answer's paths are put behind. */
  readonly base: string
  /** URL of this very script, to ask again. */
  readonly self: string
}

/** Name, below `/boot/files/`, of the UEFI program that boots the local disk; iPXE fills in its own architecture. */
export const LOCAL_BOOT_FILE = 'local-${buildarch}.efi'

/** The numbers of the first disks of a BIOS machine, in its own order. */
const biosDrives = ['0x80', '0x81', '0x82', '0x83', '0x84', '0x85', '0x86', '0x87'] as const

/** Seconds until a machine asks again: after a failure, and while it is on hold. */
const retrySeconds = 5
const holdSeconds = 20

/**
 * Writes the iPXE script that carries out an answer. It never ends in iPXE's own prompt and never gives up: what fails
 * asks the booter again, whose answer may be another one by then.
 *
 * Uses what the iPXE of Debian 12 knows (1.0.0 of 2019). The script does not depend on the firmware: `${platform}` is
 * asked where it matters.
 *
 * @throws {RangeError} if a kernel, initrd or command line holds what iPXE would read as its own language.
 */
export function ipxeScript(answer: BootAnswer, { base, self }: IpxeScriptOptions): string {
  const again = `chain --replace --autofree ${self}`
  switch (answer.kind) {
    case 'discovery': {
      const kernel = literal(answer.kernel)
      const initrd = literal(answer.initrd)
      return lines(
        '#!ipxe',
        'goto boot',
        ':retry',
        `echo Cannot boot; asking again in ${retrySeconds} seconds`,
        `sleep ${retrySeconds}`,
        'imgfree',
        `${again} || goto retry`,
        ':boot',
        // UEFI kernels find their initrd by the name on the command line; BIOS has no use for it and no harm from it.
        `kernel ${base}${kernel} initrd=initrd ${literal(answer.commandLine)} || goto retry`,
        `initrd --name initrd ${base}${initrd} || goto retry`,
        'boot || goto retry',
      )
    }
    case 'local':
      return lines(
        '#!ipxe',
        'echo Booting from the local disk',
        'iseq ${platform} efi && goto efi ||',
        // A disk that does not start gives way to the next one: half of a mirror may be missing, or new and empty.
        ...biosDrives.map(drive => `sanboot --no-describe --drive ${drive} ||`),
        'exit 1',
        ':efi',
        // iPXE cannot start what is on a disk there, and its way back to the firmware is not to be relied on.
        `chain --replace --autofree ${base}/boot/files/${LOCAL_BOOT_FILE} ||`,
        `sleep ${retrySeconds}`,
        `${again} || goto efi`,
      )
    case 'hold':
      return lines(
        '#!ipxe',
        ':hold',
        `echo This machine is on hold: ${printable(answer.reason)}`,
        `sleep ${holdSeconds}`,
        `${again} || goto hold`,
      )
    default:
      return answer satisfies never
  }
}

function lines(...each: readonly string[]): string {
  return `${each.join('\n')}\n`
}

/** iPXE has no quoting: settings are expanded everywhere, and `||`, `&&` and `;` end a command. */
function literal(text: string): string {
  const isForeign = /[^\x20-\x7e]|\$\{/.test(text) || text.split(' ').some((word) => ['||', '&&', ';'].includes(word))
  if (isForeign) throw new RangeError(`iPXE cannot be told this as it stands: ${JSON.stringify(text)}`)
  return text
}

function printable(text: string): string {
  const words = text.replace(/[^\x20-\x7e]/g, ' ').replaceAll('$', '').split(' ')
  return words.filter((word) => !['', '||', '&&', ';'].includes(word)).join(' ').slice(0, 300)
}
