import { describeArchitecture, chooseArchitecture } from '../architecture.ts'
import type { BootClient } from '../booter.ts'
import { formatMac } from '../mac.ts'
import { option } from './option.ts'
import type { DhcpPacket } from './packet.ts'
import { decodeSubOptions, decodeText, decodeUint16List, decodeUserClass } from './values.ts'

/** Who sent a DHCP message. */
export interface DhcpClient {
  /** Whose lease it is, as in {@link Lease.client}; undefined for a client that says nothing of itself. */
  readonly key: string | undefined
  /** Lower case, colons; empty if the hardware has no address. */
  readonly mac: string
  /** Option 61 in hexadecimal. */
  readonly clientId: string | undefined
  /** Both readings of option 97: as SMBIOS tools print it first, if the sender is firmware. */
  readonly uuids: readonly string[]
  /** Set if it is firmware, or iPXE, that boots from the network. */
  readonly netboot: NetbootClient | undefined
}

/** What firmware says about how it boots. */
export interface NetbootClient {
  readonly class: 'PXEClient' | 'HTTPClient'
  /** Of option 93, the number we go by. */
  readonly architecture: number
  /** Option 77. */
  readonly userClass: string | undefined
  /** Sub-options of 175: what this iPXE was built with. Empty for anything else. */
  readonly ipxeFeatures: ReadonlySet<number>
}

/**
 * Finds out who sent a message.
 *
 * The hardware address is the identity, and not the client identifier (61): firmware, iPXE and the operating system of
 * one machine each send another identifier and must find the same address. InfiniBand has no hardware address in DHCP
 * (RFC 4390), there the identifier serves.
 */
export function identifyClient(packet: DhcpPacket): DhcpClient {
  const mac = packet.htype === 32 || packet.chaddr.length === 0 ? '' : formatMac(packet.chaddr)
  const clientId = packet.options.get(option.clientId)?.toString('hex')
  const netboot = readNetboot(packet, mac)
  return {
    key: mac !== '' ? `mac:${mac}` : clientId ? `id:${clientId}` : undefined,
    mac,
    clientId,
    uuids: readUuids(packet.options.get(option.machineId), netboot?.userClass === 'iPXE'),
    netboot,
  }
}

/** Puts together what the booter is told, or undefined if the sender does not boot from the network. */
export function bootClient(client: DhcpClient, address: string): BootClient | undefined {
  if (!client.netboot) return undefined
  const [uuid] = client.uuids
  const { architecture, firmware } = describeArchitecture(client.netboot.architecture)
  return {
    mac: client.mac,
    architecture,
    firmware,
    ...(uuid !== undefined && { uuid }),
    ...(client.netboot.userClass !== undefined && { userClass: client.netboot.userClass }),
    ...(address !== '' && { address }),
  }
}

/**
 * Option 60 decides. Options 93, 94 and 97 should be there too (PXE 2.1 §2.2.1), but firmware that leaves one out is
 * in use and boots well; the architecture is then read from option 60, `PXEClient:Arch:00007:UNDI:003016`.
 */
function readNetboot(packet: DhcpPacket, mac: string): NetbootClient | undefined {
  const vendorClass = decodeText(packet.options.get(option.vendorClass)) ?? ''
  const match = /^(PXEClient|HTTPClient)(?::Arch:([0-9]{5}))?/.exec(vendorClass)
  if (!match) return undefined
  const named = match[2] === undefined ? [] : [Number(match[2])]
  const codes = decodeUint16List(packet.options.get(option.architecture))
  const architecture = chooseArchitecture(codes.length > 0 ? codes : named, mac)
  if (architecture === undefined) return undefined
  return {
    class: match[1] === 'HTTPClient' ? 'HTTPClient' : 'PXEClient',
    architecture,
    userClass: decodeUserClass(packet.options.get(option.userClass)),
    ipxeFeatures: new Set(decodeSubOptions(packet.options.get(option.ipxe)).keys()),
  }
}

/**
 * Firmware copies the SMBIOS structure, whose first three fields are little-endian; iPXE sends the UUID as it prints it
 * (RFC 4578 §2.3 leaves it open).
 */
function readUuids(value: Buffer | undefined, isPrinted: boolean): readonly string[] {
  if (value?.length !== 17 || value[0] !== 0) return []
  const straight = value.subarray(1)
  // What boards send that were never given one: the same for all of them.
  if (straight.every((byte) => byte === 0) || straight.every((byte) => byte === 255)) return []
  const swapped = Buffer.from(straight)
  swapped.subarray(0, 4).reverse()
  swapped.subarray(4, 6).reverse()
  swapped.subarray(6, 8).reverse()
  const readings = [formatUuid(straight), formatUuid(swapped)]
  return isPrinted ? readings : readings.reverse()
}

function formatUuid(bytes: Buffer): string {
  const hex = bytes.toString('hex')
  return [hex.slice(0, 8), hex.slice(8, 12), hex.slice(12, 16), hex.slice(16, 20), hex.slice(20)].join('-')
}
