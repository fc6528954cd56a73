/** Processor family, in Debian's words, as an `os` document's `architecture` has it. */
export type BootArchitecture = 'i386' | 'amd64' | 'armhf' | 'arm64' | 'riscv64' | 'loong64' | 's390x' | 'other'

/** What a boot service knows about the machine that asks. All of it is the machine's own claim; none of it is proof. */
export interface BootClient {
  /** Lower case, colons: `52:54:00:12:34:56`. */
  readonly mac: string
  /** System UUID, lower case with hyphens, in the order that SMBIOS tools print. */
  readonly uuid?: string
  readonly architecture: BootArchitecture
  readonly firmware: 'bios' | 'uefi'
  /** DHCP user class (option 77), as text: `iPXE` for every iPXE. */
  readonly userClass?: string
  /** The IPv4 address that the machine has or is about to get. */
  readonly address?: string
}

/**
 * What a machine boots. Another way to boot is another member here; each service switches over `kind` exhaustively, so
 * the type checker then names every place that has to learn it.
 */
export type BootAnswer =
  | {
      /** Linux in memory: finds out what the machine is and carries out what the plan wants of it. */
      readonly kind: 'discovery'
      /** Absolute URL path on the boot server, `/artifacts/sha256/…` or `/boot/files/…`. */
      readonly kernel: string
      /** Absolute URL path on the boot server. */
      readonly initrd: string
      /** Kernel command line on one line, without `initrd=`. */
      readonly commandLine: string
    }
  /** The machine's own disk: it leaves the network boot and its firmware goes on to the next device. */
  | { readonly kind: 'local' }
  /** Nothing at all: the machine shows `reason` on its console, waits and asks again. */
  | { readonly kind: 'hold'; readonly reason: string }

/**
 * The one question "what does this machine boot?", and its one answer. DHCP, TFTP and HTTP all ask the same booter, so
 * they cannot disagree.
 *
 * `answer` is synchronous and reads what was worked out before (below 1 ms): firmware gives up on a slow DHCP server.
 * It has no effect: a machine asks several times in one boot, and anybody on the network may ask in its name.
 */
export interface Booter {
  answer(client: BootClient): BootAnswer
}
