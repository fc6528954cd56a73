import { Failure } from '../value.ts'
import { define, sig } from './function.ts'
import type { LibraryFunction } from './function.ts'

const BASE64 = /^[A-Za-z0-9+/]*={0,2}$/

/** `base64.encode` and `base64.decode` (RFC 4648 §4, padding optional when decoding). */
export const ENCODERS: readonly LibraryFunction[] = [
  define('base64.encode', [sig('bytes', 'string')], (meter, a) => {
    if (!(a instanceof Uint8Array)) return undefined
    meter.charge(a.length >> 3)
    return Buffer.from(a).toString('base64')
  }),
  define('base64.decode', [sig('string', 'bytes')], (meter, a) => {
    if (typeof a !== 'string') return undefined
    meter.charge(a.length >> 3)
    if (!BASE64.test(a) || a.replace(/=+$/, '').length % 4 === 1) return new Failure('the text is not base64')
    return new Uint8Array(Buffer.from(a, 'base64'))
  }),
]
