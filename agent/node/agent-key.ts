import { createPrivateKey, createPublicKey, generateKeyPairSync, sign } from 'node:crypto'
import type { KeyObject } from 'node:crypto'
import { closeSync, fsyncSync, mkdirSync, openSync, readFileSync, renameSync, writeSync } from 'node:fs'
import { dirname } from 'node:path'

/** This node agent's Ed25519 key. It never leaves the machine. */
export interface AgentKey {
  /** Public key, 32 bytes, base64url (RFC 8032). */
  readonly public: string
  /** Signature over the UTF-8 of a text, base64url. */
  sign(text: string): string
}

/** Reads the key file (PKCS #8 PEM, mode 0600), or makes it. A file that is torn or empty is replaced. */
export function openAgentKey(file: string): AgentKey {
  const key = readKey(file) ?? makeKey(file)
  const { x } = createPublicKey(key).export({ format: 'jwk' })
  if (x === undefined) throw new TypeError(`${file} holds no Ed25519 key`)
  return { public: x, sign: (text) => sign(null, Buffer.from(text), key).toString('base64url') }
}

function readKey(file: string): KeyObject | undefined {
  try {
    const key = createPrivateKey(readFileSync(file))
    return key.asymmetricKeyType === 'ed25519' ? key : undefined
  } catch {
    return undefined
  }
}

function makeKey(file: string): KeyObject {
  const { privateKey } = generateKeyPairSync('ed25519')
  mkdirSync(dirname(file), { recursive: true, mode: 0o700 })
  const descriptor = openSync(`${file}.next`, 'w', 0o600)
  writeSync(descriptor, privateKey.export({ type: 'pkcs8', format: 'pem' }).toString())
  fsyncSync(descriptor)
  closeSync(descriptor)
  renameSync(`${file}.next`, file)
  return privateKey
}
