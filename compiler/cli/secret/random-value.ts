import { randomBytes, randomInt } from 'node:crypto'
import type { Generate } from '../../inject/secret.ts'

const DIGITS = '0123456789'
const LETTERS = 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz'

/** The characters that a generated value is made of. */
export const ALPHABETS = { alphanumeric: DIGITS + LETTERS, hex: `${DIGITS}abcdef`, base64: `${LETTERS}${DIGITS}+/` } as const satisfies Record<NonNullable<Generate['alphabet']>, string>

/** A value of so many characters (default 32), each drawn alike from an alphabet (default alphanumeric). */
export function randomValue({ length = 32, alphabet = 'alphanumeric' }: Generate): string {
  const characters = ALPHABETS[alphabet]
  return Array.from({ length }, () => characters.charAt(randomInt(characters.length))).join('')
}

/**
 * The version after another one: a number for people, and ten random hexadecimal digits, so that two branches that make
 * the same secret anew do not come to one version.
 */
export function nextVersion(before: string | undefined): string {
  const number = Number(/^[0-9]{1,9}/.exec(before ?? '')?.[0] ?? 0) + 1
  return `${number}-${randomBytes(5).toString('hex')}`
}
