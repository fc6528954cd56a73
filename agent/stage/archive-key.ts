import { createHash, createPrivateKey, createPublicKey, generateKeyPairSync, sign } from 'node:crypto'
import type { KeyObject } from 'node:crypto'
import { mkdir, open, readFile, rename, stat } from 'node:fs/promises'
import { dirname } from 'node:path'
import { StageError } from './stage-error.ts'

/** The key that an apt repository is signed with, as apt knows keys: OpenPGP, version 4, ed25519. RFC 9580 */
export interface ArchiveKey {
  /** For `Signed-By`: a keyring, binary. Always the same bytes for the same key. */
  readonly public: Buffer
  /** 40 hex digits, as apt names it. */
  readonly fingerprint: string
  /** `InRelease` of a `Release`. RFC 9580 §7 */
  signInline(text: string): string
  /** `Release.gpg` of a `Release`. */
  signBeside(text: string): string
}

/**
 * When keys and signatures were made, as all of them say: seconds since 1970, the first of January 2020. So the same key
 * signs the same text with the same bytes, and a node whose clock is behind believes it.
 */
const MADE = 1_577_836_800
const USER = 'Crowbar'
/** RFC 9580 §9: EdDSALegacy (what Debian 11's gpgv reads) on Ed25519, SHA-512. */
const ED25519 = 22
const ED25519_OID = Buffer.from('2b06010401da470f01', 'hex')
const SHA512 = 10
/** RFC 9580 §5.2.1. */
const OF_BYTES = 0x00
const OF_TEXT = 0x01
const OF_USER = 0x13

/**
 * Opens the key of this admin node's repositories, and makes it where there is none: PKCS #8 in PEM, mode 0600.
 *
 * @throws {StageError} KEY_INVALID when the file is no such key, or others can read it.
 */
export async function openArchiveKey(file: string): Promise<ArchiveKey> {
  const found = await readFile(file, 'utf8').catch((error: NodeJS.ErrnoException) => {
    if (error.code === 'ENOENT') return undefined
    throw error
  })
  if (found === undefined) return archiveKey(await makeKey(file))
  if (((await stat(file)).mode & 0o077) !== 0) throw new StageError('KEY_INVALID', `others can read the key ${file}: chmod 600 ${file}`)
  let key: KeyObject
  try {
    key = createPrivateKey(found)
    if (key.asymmetricKeyType !== 'ed25519') throw new TypeError('another kind of key')
  } catch (cause) {
    throw new StageError('KEY_INVALID', `${file} is no ed25519 key (PKCS #8, PEM, without a password); take it away and start again, and a new one is made`, { cause })
  }
  return archiveKey(key)
}

/** A key that signs for as long as somebody holds it. @param key ed25519; default: a new one. */
export function archiveKey(key: KeyObject = generateKeyPairSync('ed25519').privateKey): ArchiveKey {
  const body = Buffer.concat([Buffer.from([4]), uint32(MADE), Buffer.from([ED25519, ED25519_OID.length]), ED25519_OID, integer(Buffer.concat([Buffer.from([0x40]), createPublicKey(key).export({ format: 'der', type: 'spki' }).subarray(-32)]))])
  const hashed = Buffer.concat([Buffer.from([0x99]), uint16(body.length), body])
  const fingerprint = createHash('sha1').update(hashed).digest()

  /** A signature packet over what is hashed before its own fields. RFC 9580 §5.2.3, §5.2.4 */
  const signature = (type: number, content: readonly Uint8Array[], more: Buffer = Buffer.alloc(0)): Buffer => {
    const parts = Buffer.concat([subpacket(2, uint32(MADE)), subpacket(33, Buffer.concat([Buffer.from([4]), fingerprint])), more])
    const fields = Buffer.concat([Buffer.from([4, type, ED25519, SHA512]), uint16(parts.length), parts])
    const digest = createHash('sha512').update(Buffer.concat([...content, fields, Buffer.from([4, 0xff]), uint32(fields.length)])).digest()
    const signed = sign(null, digest, key)
    const issuer = subpacket(16, fingerprint.subarray(-8))
    return packet(2, Buffer.concat([fields, uint16(issuer.length), issuer, digest.subarray(0, 2), integer(signed.subarray(0, 32)), integer(signed.subarray(32))]))
  }

  const user = Buffer.from(USER)
  const certified = signature(OF_USER, [hashed, Buffer.from([0xb4]), uint32(user.length), user], subpacket(27, Buffer.from([0x03])))
  return {
    public: Buffer.concat([packet(6, body), packet(13, user), certified]),
    fingerprint: fingerprint.toString('hex').toUpperCase(),
    signInline(text) {
      const lines = text.replace(/\n$/, '').split('\n').map(line => line.replace(/[ \t\r]+$/, ''))
      const escaped = lines.map(line => (line.startsWith('-') ? `- ${line}` : line))
      return `-----BEGIN PGP SIGNED MESSAGE-----\nHash: SHA512\n\n${escaped.join('\n')}\n${armour(signature(OF_TEXT, [Buffer.from(lines.join('\r\n'))]))}`
    },
    signBeside: text => armour(signature(OF_BYTES, [Buffer.from(text)])),
  }
}

async function makeKey(file: string): Promise<KeyObject> {
  const { privateKey } = generateKeyPairSync('ed25519')
  await mkdir(dirname(file), { recursive: true, mode: 0o700 })
  {
    await using handle = await open(`${file}.next`, 'w', 0o600)
    await handle.writeFile(privateKey.export({ format: 'pem', type: 'pkcs8' }))
    await handle.sync()
  }
  await rename(`${file}.next`, file)
  return privateKey
}

/** A packet with a length of one, two or five bytes. RFC 9580 §4.2.1 */
function packet(tag: number, body: Buffer): Buffer {
  return Buffer.concat([Buffer.from([0xc0 | tag]), lengthOf(body.length), body])
}

/** RFC 9580 §5.2.3.7 */
function subpacket(type: number, body: Buffer): Buffer {
  return Buffer.concat([lengthOf(body.length + 1), Buffer.from([type]), body])
}

function lengthOf(bytes: number): Buffer {
  if (bytes < 192) return Buffer.from([bytes])
  return bytes < 8384 ? Buffer.from([((bytes - 192) >> 8) + 192, (bytes - 192) & 0xff]) : Buffer.concat([Buffer.from([0xff]), uint32(bytes)])
}

/** A number of as many bits as it has from its first 1 on. RFC 9580 §3.2 */
function integer(bytes: Buffer): Buffer {
  const first = bytes.findIndex(byte => byte !== 0)
  const rest = first === -1 ? Buffer.alloc(0) : bytes.subarray(first)
  return Buffer.concat([uint16(rest.length === 0 ? 0 : rest.length * 8 - Math.clz32(rest[0] ?? 0) + 24), rest])
}

function armour(signature: Buffer): string {
  const base64 = signature.toString('base64').replaceAll(/.{64}(?=.)/g, '$&\n')
  return `-----BEGIN PGP SIGNATURE-----\n\n${base64}\n=${checksum(signature).toString('base64')}\n-----END PGP SIGNATURE-----\n`
}

/** RFC 9580 §6.1 */
function checksum(bytes: Buffer): Buffer {
  let crc = 0xb704ce
  for (const byte of bytes) {
    crc ^= byte << 16
    for (let bit = 0; bit < 8; bit++) crc = (crc << 1) ^ ((crc & 0x800000) === 0 ? 0 : 0x1864cfb)
  }
  return Buffer.from([(crc >> 16) & 0xff, (crc >> 8) & 0xff, crc & 0xff])
}

function uint16(value: number): Buffer {
  return Buffer.from([value >> 8, value & 0xff])
}

function uint32(value: number): Buffer {
  const bytes = Buffer.alloc(4)
  bytes.writeUInt32BE(value)
  return bytes
}
