/** Writes a hardware address as text: lower case, colons. */
export function formatMac(bytes: Uint8Array): string {
  return Array.from(bytes, (byte) => byte.toString(16).padStart(2, '0')).join(':')
}

/**
 * Reads an Ethernet address written with colons, hyphens or nothing between the bytes.
 *
 * @returns lower case with colons, or undefined if `text` is anything else.
 */
export function parseMac(text: string): string | undefined {
  const match = /^([0-9a-f]{2})([:-]?)([0-9a-f]{2})\2([0-9a-f]{2})\2([0-9a-f]{2})\2([0-9a-f]{2})\2([0-9a-f]{2})$/i.exec(text)
  if (!match) return undefined
  return [match[1], match[3], match[4], match[5], match[6], match[7]].join(':').toLowerCase()
}

/**
 * Writes a hardware address for a path: hyphens. A colon in a file name makes iPXE take what stands before it for the
 * scheme of a URL.
 */
export function macInPath(mac: string): string {
  return mac.replaceAll(':', '-')
}
