const JUNK_WORDS =
  /^(to be filled( by o\.?e\.?m\.?)?|default( string)?|system (serial number|product name|manufacturer|version|uuid)|serial ?number|not (specified|available|applicable|settable|present)|unknown|none|null|n\/?a|o\.?e\.?m\.?|undefined|invalid|chassis serial number|base ?board serial number|no asset (tag|information)|asset ?tag|empty|xxx+|\.+|-+|\*+|\?+|x+)\.?$/i
const COUNTING = ['0123456789abcdefgh', '1234567890abcdefgh', 'abcdefghijklmnopqrstuvwxyz']
/** UUIDs that boards left the factory with, the same in each of them. */
const FACTORY_UUIDS: ReadonlySet<string> = new Set([
  '03000200-0400-0500-0006-000700080009', '00020003-0004-0005-0006-000700080009', '12345678-1234-5678-90ab-cddeefaabbcc',
  '4c4c4544-0000-2010-8020-80c04f202020', 'fefefefe-fefe-fefe-fefe-fefefefefefe', '01234567-8910-1112-1314-151617181920',
])

/**
 * A serial number or asset tag without surrounding space, or undefined when it says nothing: a vendor's filler, a
 * single repeated character, `0123456789`.
 */
export function usefulSerial(text: string): string | undefined {
  const serial = text.trim()
  if (serial.length < 2 || JUNK_WORDS.test(serial)) return undefined
  if (new Set(serial.toLowerCase().replaceAll(/[-_.: ]/g, '')).size < 2) return undefined
  if (serial.length >= 5 && COUNTING.some((run) => run.includes(serial.toLowerCase()))) return undefined
  return serial
}

/**
 * A system UUID, lower case, or undefined when it says nothing. Firmware writes the first three fields in either byte
 * order and kernels disagree on which (SMBIOS 3.7 §7.2.1): both spellings give the same result, the lower one.
 */
export function usefulUuid(text: string): string | undefined {
  const uuid = text.trim().toLowerCase()
  if (!/^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/.test(uuid)) return undefined
  if (new Set(uuid.replaceAll('-', '')).size <= 2) return undefined
  const swapped = swapByteOrder(uuid)
  if (FACTORY_UUIDS.has(uuid) || FACTORY_UUIDS.has(swapped)) return undefined
  return uuid < swapped ? uuid : swapped
}

/** A hardware address, or undefined when it is zero, broadcast or multicast. */
export function usefulMac(text: string): string | undefined {
  const mac = text.toLowerCase()
  if (!/^[0-9a-f]{2}(:[0-9a-f]{2}){5}$/.test(mac) || mac === '00:00:00:00:00:00') return undefined
  return (Number.parseInt(mac.slice(0, 2), 16) & 1) === 1 ? undefined : mac
}

function swapByteOrder(uuid: string): string {
  const [a = '', b = '', c = '', ...rest] = uuid.split('-')
  const swap = (field: string): string => (field.match(/../g) ?? []).toReversed().join('')
  return [swap(a), swap(b), swap(c), ...rest].join('-')
}
