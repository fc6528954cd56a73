import type { BootAnswer } from './booter.ts'

/** What one kind of answer a machine was given; the whole answer is the booter's to explain. */
export type BootAnswerKind = BootAnswer['kind']

/** The part of a DHCP event that says who asked, and where. */
export interface DhcpParty {
  /** Hardware address; empty for a client that has none (InfiniBand). */
  readonly mac: string
  readonly interface: string
}

/**
 * What the boot services saw and did, one event each: for the event log, and for `explain boot MAC`, which reads those
 * with its `mac` in order. No event holds a secret: command lines and file contents never appear.
 */
export type BootEvent =
  | (DhcpParty & {
      readonly type: 'boot.dhcp.offer' | 'boot.dhcp.ack'
      /** The address offered or given; empty in proxy mode and in an answer to INFORM. */
      readonly address: string
      readonly subnet: string
      /** Lease, seconds; 0 in proxy mode and in an answer to INFORM. */
      readonly seconds: number
      readonly hostname?: string
      /** DHCP option 93 and what was chosen for it; only for a machine that boots from the network. */
      readonly boot?: { readonly architecture: number; readonly file: string; readonly answer: BootAnswerKind }
    })
  | (DhcpParty & { readonly type: 'boot.dhcp.nak'; readonly address: string; readonly reason: string })
  /** The client found somebody else at the address that we gave it. Out of use until `until`, ms since 1970. */
  | (DhcpParty & { readonly type: 'boot.dhcp.declined'; readonly address: string; readonly until: number })
  /** An address of a pool answered ARP before it was offered. Out of use until `until`, ms since 1970. */
  | (DhcpParty & { readonly type: 'boot.dhcp.in-use'; readonly address: string; readonly until: number })
  | (DhcpParty & { readonly type: 'boot.dhcp.released'; readonly address: string })
  /** No answer, on purpose, and why. */
  | (DhcpParty & { readonly type: 'boot.dhcp.ignored'; readonly reason: string })
  | (DhcpParty & { readonly type: 'boot.dhcp.exhausted'; readonly subnet: string })
  /** Another DHCP server answers on this network. */
  | { readonly type: 'boot.dhcp.foreign'; readonly interface: string; readonly server: string }
  | { readonly type: 'boot.dhcp.malformed'; readonly interface: string; readonly from: string; readonly reason: string }
  /** The reply was not sent: the lease could not be written, the network refused it, or too many were waiting. */
  | (DhcpParty & { readonly type: 'boot.dhcp.failed'; readonly reason: string })
  | {
      readonly type: 'boot.tftp.sent'
      readonly mac: string | undefined
      readonly client: string
      readonly path: string
      readonly bytes: number
      readonly milliseconds: number
      /** DATA packets sent more than once. */
      readonly resent: number
    }
  /** The client ended it: firmware asks for the size first and then hangs up. Not a failure. */
  | { readonly type: 'boot.tftp.aborted'; readonly mac: string | undefined; readonly client: string; readonly path: string }
  | {
      readonly type: 'boot.tftp.refused' | 'boot.tftp.failed'
      readonly mac: string | undefined
      readonly client: string
      readonly path: string
      readonly reason: string
    }
  | { readonly type: 'boot.http.script'; readonly mac: string; readonly client: string; readonly answer: BootAnswerKind }
  | {
      readonly type: 'boot.http.sent'
      /** iPXE asks with HEAD for the size, and then with GET. */
      readonly method: string
      readonly mac: string | undefined
      readonly client: string
      readonly path: string
      readonly status: number
      /** Handed to the network, header included; fewer than the file has if the client broke off. */
      readonly bytes: number
      readonly milliseconds: number
    }
  | { readonly type: 'boot.http.failed'; readonly client: string; readonly path: string; readonly reason: string }
  /** The machine fetched its loader again and again and never asked for its script; it gets no loader for a while. */
  | { readonly type: 'boot.loop'; readonly mac: string; readonly fetches: number }
  | { readonly type: 'boot.booter.failed'; readonly mac: string; readonly message: string }

/** Takes one event. Called synchronously on the path of every packet: it must be quick and must not throw. */
export type ReportBootEvent = (event: BootEvent) => void
