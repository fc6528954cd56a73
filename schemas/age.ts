import { armor, Decrypter, identityToRecipient } from 'age-encryption'
import { readLabel } from './secret-file.ts'
import type { SecretLabel } from './secret-file.ts'

/** Private keys of age, as text; never printed. */
export interface Identities {
  readonly keys: readonly string[]
  /** What is encrypted for them, in the same order: `age1…`. */
  readonly recipients: readonly string[]
}

/**
 * Reads an identity file as `age-keygen` writes it: a key a line, `#` for notes.
 *
 * @returns why it is none, without repeating anything of it.
 */
export async function readIdentities(text: string): Promise<Identities | string> {
  const keys = text.split('\n').map((line) => line.trim()).filter((line) => line !== '' && !line.startsWith('#'))
  if (keys.length === 0) return 'it holds no key'
  const recipients: string[] = []
  for (const [index, key] of keys.entries()) {
    if (!key.startsWith('AGE-SECRET-KEY-')) return `key ${index + 1} in it is no age identity, which begins with AGE-SECRET-KEY-`
    try {
      recipients.push(await identityToRecipient(key))
    } catch {
      return `key ${index + 1} in it is damaged, or of a kind that is not supported`
    }
  }
  return { keys, recipients }
}

/** What became of decrypting a secret's file. `message` never holds anything of the value. */
export type OpenedSecret =
  | { readonly kind: 'opened'; readonly value: string; readonly label: SecretLabel }
  | { readonly kind: 'closed'; readonly code: 'SECRET_UNLABELLED' | 'SECRET_UNDECRYPTABLE' | 'SECRET_NOT_TEXT'; readonly message: string }

/** Decrypts the file of a secret. Its label is authenticated by the same key as its value. */
export async function openSecret(file: Uint8Array, identities: Identities): Promise<OpenedSecret> {
  const label = readLabel(file)
  if (label === undefined) return { kind: 'closed', code: 'SECRET_UNLABELLED', message: 'it was not written by `crowbar secret`' }
  const decrypter = new Decrypter()
  for (const key of identities.keys) decrypter.addIdentity(key)
  let bytes: Uint8Array
  try {
    bytes = await decrypter.decrypt(isArmored(file) ? armor.decode(Buffer.from(file).toString('latin1')) : file)
  } catch {
    const meant = label.recipients.some((recipient) => identities.recipients.includes(recipient))
    return { kind: 'closed', code: 'SECRET_UNDECRYPTABLE', message: meant ? 'the file is damaged' : `it is not encrypted for ${identities.recipients.join(' or ')}` }
  }
  try {
    return { kind: 'opened', value: new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(bytes), label }
  } catch {
    return { kind: 'closed', code: 'SECRET_NOT_TEXT', message: 'its value is not UTF-8 text' }
  }
}

function isArmored(file: Uint8Array): boolean {
  return Buffer.from(file.buffer, file.byteOffset, Math.min(file.byteLength, 64)).toString('latin1').trimStart().startsWith('-----')
}
