import { toText } from './library/convert.ts'
import { Uint } from './value.ts'
import type { CelValue, MapValue } from './value.ts'

/** False if the map has that key already, or if no key can be like that. */
export function addEntry(map: MapValue, key: CelValue, value: CelValue): boolean {
  return isKey(key) && map.add(key, value)
}

/** Why `addEntry` said no. */
export function keyMessage(key: CelValue): string {
  return isKey(key) ? `the key ${toText(key) ?? ''} is there twice` : 'a key is a string, int, uint or bool'
}

function isKey(key: CelValue): boolean {
  if (typeof key === 'number') return Number.isSafeInteger(key)
  return typeof key === 'string' || typeof key === 'boolean' || typeof key === 'bigint' || key instanceof Uint
}
