import { createHash, createPrivateKey, createPublicKey, generateKeyPairSync, sign as signBytes, verify as verifyBytes } from 'node:crypto'
import type { KeyObject } from 'node:crypto'
import { mkdir, open, readFile, stat } from 'node:fs/promises'
import { dirname } from 'node:path'
import { loadAjv } from '../../schemas/load-ajv.ts'
import { bundleSignatureShape } from '../../schemas/bundle.ts'
import type { BundleSignature } from '../../schemas/bundle.ts'
import { BundleError } from './bundle-error.ts'
import { once } from './bundle-index.ts'

/** Who makes bundles: an ed25519 key. */
export interface Signer {
  /** `sha256:<64 hex digits>` over the public key as SubjectPublicKeyInfo (DER). */
  readonly fingerprint: string
  sign(index: Uint8Array): BundleSignature
}

/** Fingerprints of keys whose bundles are believed. */
export type Trust = ReadonlySet<string>

const checkOf = once(() => new (loadAjv().Ajv2020)({ strict: false }).compile<BundleSignature>(bundleSignatureShape.json))
/** So that no other document that is signed with this key can pass for an index. */
const CONTEXT = Buffer.from('crowbar bundle 1\n')

/**
 * Opens the key that bundles are signed with: PKCS #8 in PEM, ed25519. Where there is none it is made, mode 0600, with its
 * public half beside it as `<file>.pub`.
 *
 * @throws {BundleError} BUNDLE_REFUSED when it is no such key, or others can read it.
 */
export async function openSigner(file: string): Promise<Signer & { readonly isNew: boolean }> {
  const found = await readFile(file, 'utf8').catch((error: NodeJS.ErrnoException) => {
    if (error.code === 'ENOENT') return undefined
    throw error
  })
  if (found === undefined) return { ...signer(await makeKey(file)), isNew: true }
  if (((await stat(file)).mode & 0o077) !== 0) throw new BundleError('BUNDLE_REFUSED', `others can read the key ${file}: chmod 600 ${file}`)
  let key: KeyObject
  try {
    key = createPrivateKey(found)
  } catch (cause) {
    throw new BundleError('BUNDLE_REFUSED', `${file} is no private key in PEM without a password`, { cause })
  }
  if (key.asymmetricKeyType !== 'ed25519') throw new BundleError('BUNDLE_REFUSED', `${file} is a key of the kind ${key.asymmetricKeyType ?? 'unknown'}; bundles are signed with ed25519: openssl genpkey -algorithm ed25519 -out ${file}`)
  return { ...signer(key), isNew: false }
}

/**
 * Reads what `--trust` was given: fingerprints, and files with a public key in PEM.
 *
 * @throws {BundleError} BUNDLE_REFUSED
 */
export async function readTrust(given: readonly string[]): Promise<Trust> {
  const trust = new Set<string>()
  for (const one of given) {
    if (/^sha256:[0-9a-f]{64}$/.test(one)) {
      trust.add(one)
      continue
    }
    const text = await readFile(one, 'utf8').catch((cause: unknown) => {
      throw new BundleError('BUNDLE_REFUSED', `--trust ${one} is neither a fingerprint (sha256: and 64 hex digits) nor a file that can be read`, { cause })
    })
    try {
      trust.add(fingerprintOf(createPublicKey(text)))
    } catch (cause) {
      throw new BundleError('BUNDLE_REFUSED', `${one} has no public key in PEM`, { cause })
    }
  }
  return trust
}

/**
 * Who signed an index.
 *
 * @returns the fingerprint of the key.
 * @throws {BundleError} BUNDLE_UNTRUSTED when the signature is not of these bytes.
 */
export function signedBy(index: Uint8Array, signatureText: string, what: string): string {
  let key: KeyObject
  let signature: Buffer
  try {
    const value: unknown = JSON.parse(signatureText)
    const validate = checkOf()
    if (!validate(value)) throw new TypeError('not a signature')
    key = createPublicKey({ key: Buffer.from(value.key, 'base64'), format: 'der', type: 'spki' })
    signature = Buffer.from(value.signature, 'base64')
    if (key.asymmetricKeyType !== 'ed25519') throw new TypeError('not ed25519')
  } catch (cause) {
    throw new BundleError('BUNDLE_UNTRUSTED', `${what}: its bundle.sig is no signature by ed25519`, { cause })
  }
  if (!verifyBytes(null, Buffer.concat([CONTEXT, index]), key, signature)) throw new BundleError('BUNDLE_UNTRUSTED', `${what}: the signature is not of this index: it was changed after it was signed`)
  return fingerprintOf(key)
}

function signer(key: KeyObject): Signer {
  const publicKey = createPublicKey(key)
  return {
    fingerprint: fingerprintOf(publicKey),
    sign: index => ({ algorithm: 'ed25519', key: publicKey.export({ format: 'der', type: 'spki' }).toString('base64'), signature: signBytes(null, Buffer.concat([CONTEXT, index]), key).toString('base64') }),
  }
}

function fingerprintOf(key: KeyObject): string {
  return `sha256:${createHash('sha256').update(key.export({ format: 'der', type: 'spki' })).digest('hex')}`
}

async function makeKey(file: string): Promise<KeyObject> {
  const { privateKey, publicKey } = generateKeyPairSync('ed25519')
  await mkdir(dirname(file), { recursive: true })
  // Never over one that another process made meanwhile.
  for (const [path, text, mode] of [[file, privateKey.export({ format: 'pem', type: 'pkcs8' }), 0o600], [`${file}.pub`, publicKey.export({ format: 'pem', type: 'spki' }), 0o644]] as const) {
    await using handle = await open(path, path === file ? 'wx' : 'w', mode)
    await handle.writeFile(text)
    await handle.sync()
  }
  return privateKey
}
