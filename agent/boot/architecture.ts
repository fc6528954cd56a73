import type { BootArchitecture } from './booter.ts'

/** What a number of DHCP option 93 stands for. */
export interface ClientArchitecture {
  readonly firmware: 'bios' | 'uefi'
  readonly architecture: BootArchitecture
}

const bios = 'bios'
const uefi = 'uefi'

/**
 * DHCP option 93, "Processor Architecture Types" of IANA (RFC 4578 §2.1, RFC 5970 §3.3).
 *
 * 7 and 9 are both 64-bit x86: RFC 4578 had them the wrong way round and firmware of both readings is in use. 0 is
 * `amd64` although the firmware runs 16-bit code: the processors it still runs on are.
 */
const architectures: Readonly<Record<number, ClientArchitecture>> = {
  0: { firmware: bios, architecture: 'amd64' },
  1: { firmware: bios, architecture: 'i386' },
  2: { firmware: uefi, architecture: 'other' },
  6: { firmware: uefi, architecture: 'i386' },
  7: { firmware: uefi, architecture: 'amd64' },
  8: { firmware: uefi, architecture: 'other' },
  9: { firmware: uefi, architecture: 'amd64' },
  10: { firmware: uefi, architecture: 'armhf' },
  11: { firmware: uefi, architecture: 'arm64' },
  14: { firmware: bios, architecture: 'other' },
  15: { firmware: uefi, architecture: 'i386' },
  16: { firmware: uefi, architecture: 'amd64' },
  17: { firmware: uefi, architecture: 'amd64' },
  18: { firmware: uefi, architecture: 'armhf' },
  19: { firmware: uefi, architecture: 'arm64' },
  20: { firmware: bios, architecture: 'amd64' },
  21: { firmware: bios, architecture: 'armhf' },
  22: { firmware: bios, architecture: 'arm64' },
  25: { firmware: uefi, architecture: 'other' },
  26: { firmware: uefi, architecture: 'other' },
  27: { firmware: uefi, architecture: 'riscv64' },
  28: { firmware: uefi, architecture: 'riscv64' },
  31: { firmware: bios, architecture: 's390x' },
  32: { firmware: bios, architecture: 's390x' },
  37: { firmware: uefi, architecture: 'other' },
  38: { firmware: uefi, architecture: 'other' },
  39: { firmware: uefi, architecture: 'loong64' },
  40: { firmware: uefi, architecture: 'loong64' },
  41: { firmware: bios, architecture: 'arm64' },
}

/** The number that stands for a Raspberry Pi's own firmware. */
export const raspberryPi = 41

/** Makers' prefixes of Raspberry Pi boards, whose firmware says 0 (a PC) in option 93. */
const raspberryPiPrefixes = ['b8:27:eb', 'dc:a6:32', 'e4:5f:01', '28:cd:c1', 'd8:3a:dd']

/**
 * Chooses among the numbers a machine named the first that we know, or the first at all.
 *
 * @param codes option 93 in the machine's order.
 */
export function chooseArchitecture(codes: readonly number[], mac: string): number | undefined {
  const code = codes.find((each) => each in architectures) ?? codes[0]
  return code === 0 && raspberryPiPrefixes.includes(mac.slice(0, 8)) ? raspberryPi : code
}

/** What a number of option 93 stands for; an unknown one is taken for UEFI of another processor. */
export function describeArchitecture(code: number): ClientArchitecture {
  return architectures[code] ?? { firmware: uefi, architecture: 'other' }
}

/** File name of the network boot program, by number of option 93. A number that is missing gets no boot file. */
export type LoaderTable = Readonly<Record<number, string>>

/**
 * The loaders of Debian's package `ipxe`, which come with the discovery image. It has none for 32-bit UEFI and none for arm64; a site
 * that boots such machines adds its own file and entry.
 *
 * `snponly.efi` drives the card through the firmware that has just used it, so it works with every card that got this
 * far; `ipxe.efi` brings drivers of its own.
 */
export const debianLoaders: LoaderTable = {
  0: 'undionly.kpxe',
  7: 'ipxe.efi',
  9: 'ipxe.efi',
  16: 'ipxe.efi',
  17: 'ipxe.efi',
}
