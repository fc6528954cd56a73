import { open, type FileHandle } from 'node:fs/promises'

/** The bytes of one file, read from anywhere in it. */
export interface TftpSource extends AsyncDisposable {
  readonly size: number
  /** `length` bytes from `offset`, fewer only at the end of the file. May share memory: do not write into it. */
  read(offset: number, length: number): Promise<Buffer>
}

/** Serves bytes in memory. */
export function memorySource(bytes: Buffer): TftpSource {
  return {
    size: bytes.length,
    read: (offset, length) => Promise.resolve(bytes.subarray(offset, offset + length)),
    [Symbol.asyncDispose]: () => Promise.resolve(),
  }
}

/**
 * Serves a file from disk, without reading it whole.
 *
 * @throws if it cannot be opened or is no regular file (`code` of the operating system).
 */
export async function fileSource(path: string): Promise<TftpSource> {
  const file = await open(path, 'r')
  try {
    const found = await file.stat()
    if (!found.isFile()) throw Object.assign(new Error(`${path} is not a file`), { code: 'EISDIR' })
    return { size: found.size, read: (offset, length) => readAll(file, offset, length), [Symbol.asyncDispose]: () => file.close() }
  } catch (error) {
    await file.close()
    throw error
  }
}

async function readAll(file: FileHandle, offset: number, length: number): Promise<Buffer> {
  const bytes = Buffer.allocUnsafe(length)
  let got = 0
  while (got < length) {
    const { bytesRead } = await file.read(bytes, got, length - got, offset + got)
    if (bytesRead === 0) break
    got += bytesRead
  }
  return bytes.subarray(0, got)
}

/** Text as netascii has it (RFC 764): a line ends with CR LF, a bare CR is followed by NUL. */
export function toNetascii(bytes: Buffer): Buffer {
  const text = bytes.toString('latin1').replace(/\r\n|\r|\n/g, (end) => (end === '\r' ? '\r\0' : '\r\n'))
  return Buffer.from(text, 'latin1')
}
