import type { Report } from '../../schemas/diagnostic.ts'
import { error } from '../diagnostics/diagnostic.ts'
import { rangeBetween, sourceText } from './document.ts'
import type { SourceText } from './document.ts'

/** Bytes of a document file as text, without byte order mark; undefined when they are not UTF-8, which is reported. */
export function decode(path: string, bytes: Uint8Array, report: Report): SourceText | undefined {
  try {
    return sourceText(path, new TextDecoder('utf-8', { fatal: true }).decode(bytes))
  } catch {
    report(notUtf8(path, bytes))
    return undefined
  }
}

function notUtf8(path: string, bytes: Uint8Array): ReturnType<typeof error> {
  if ((bytes[0] === 0xff && bytes[1] === 0xfe) || (bytes[0] === 0xfe && bytes[1] === 0xff)) {
    const start = sourceText(path, '')
    return error('FILE_NOT_UTF8', rangeBetween(start, 0, 0), 'The file is UTF-16, not UTF-8.', { fix: 'Save it as UTF-8.' })
  }
  const good = sourceText(path, decodable(bytes))
  const byte = (bytes[new TextEncoder().encode(good.text).length + byteOrderMark(bytes)] ?? 0).toString(16).padStart(2, '0')
  const range = rangeBetween(good, good.text.length, good.text.length)
  return error('FILE_NOT_UTF8', range, `The file is not UTF-8: byte 0x${byte} cannot stand here.`, { fix: 'Save it as UTF-8.' })
}

/** The longest beginning that is UTF-8, as text. */
function decodable(bytes: Uint8Array): string {
  let low = 0
  let high = bytes.length
  while (low < high) {
    const middle = (low + high + 1) >> 1
    if (prefix(bytes, middle) === undefined) high = middle - 1
    else low = middle
  }
  return prefix(bytes, low) ?? ''
}

function prefix(bytes: Uint8Array, length: number): string | undefined {
  try {
    // A character that is cut off by the end of the prefix is not an error yet.
    return new TextDecoder('utf-8', { fatal: true }).decode(bytes.subarray(0, length), { stream: true })
  } catch {
    return undefined
  }
}

function byteOrderMark(bytes: Uint8Array): number {
  return bytes[0] === 0xef && bytes[1] === 0xbb && bytes[2] === 0xbf ? 3 : 0
}
