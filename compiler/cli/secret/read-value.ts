import { readFileSync } from 'node:fs'
import { buffer } from 'node:stream/consumers'
import type { ReadStream } from 'node:tty'

/** Bytes. A secret is a password, a key or a certificate. */
const MOST_BYTES = 256 * 1024

/** Why no value could be read; `message` is for people and holds nothing of the value. */
export class SecretValueError extends Error {}

/**
 * Reads a value: from a file, from what is piped in, or from a person at a terminal, who types it twice and unseen.
 * A newline at the end of a single line is not part of it, unless `exact`.
 *
 * @throws {SecretValueError}
 */
export async function readValue(path: string, { file, exact = false }: { readonly file?: string | undefined; readonly exact?: boolean | undefined }): Promise<string> {
  const typed = file === undefined && process.stdin.isTTY
  const bytes = file !== undefined ? readFileSync(file) : typed ? Buffer.from(await askTwice(path)) : await buffer(process.stdin)
  if (bytes.length > MOST_BYTES) throw new SecretValueError(`the value is longer than ${MOST_BYTES} bytes`)
  const text = decode(bytes)
  const value = exact || /\n[^\n]/.test(text) ? text : text.replace(/\r?\n$/, '')
  if (value === '') throw new SecretValueError('the value is empty')
  if (value.includes('\0')) throw new SecretValueError('the value holds a NUL, which no configuration file can; encode it as base64')
  return value
}

function decode(bytes: Uint8Array): string {
  try {
    return new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(bytes)
  } catch {
    throw new SecretValueError('the value is not UTF-8 text; encode it as base64')
  }
}

async function askTwice(path: string): Promise<string> {
  const value = await ask(`Value of ${path}: `)
  if ((await ask('Once more: ')) !== value) throw new SecretValueError('the two are not the same')
  return value
}

/** Asks at the terminal, without showing what is typed. */
function ask(question: string): Promise<string> {
  const input: ReadStream = process.stdin
  process.stderr.write(question)
  input.setRawMode(true).setEncoding('utf8')
  return new Promise((resolve, reject) => {
    let value = ''
    const end = (settle: () => void): void => {
      input.off('data', hear).setRawMode(false).pause()
      process.stderr.write('\n')
      settle()
    }
    const hear = (typed: string): void => {
      for (const character of typed) {
        if (character === '\r' || character === '\n') return end(() => resolve(value))
        if (character === '\u0003' || character === '\u0004') return end(() => reject(new SecretValueError('nothing was typed')))
        value = character === '\u007f' || character === '\b' ? value.replace(/.$/su, '') : value + character
      }
    }
    input.on('data', hear).resume()
  })
}
