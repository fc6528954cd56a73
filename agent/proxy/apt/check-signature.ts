import { readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { runProgram } from '../../stage/run-program.ts'
import { StageError } from '../../stage/stage-error.ts'
import type { Store } from '../../stage/store.ts'
import { UpstreamError } from '../upstream/upstream-error.ts'
import { ProxyError } from '../proxy-error.ts'

/** Whose signature a repository bears. */
export type Trust =
  /** Keys, each as OpenPGP data, with armour or without. */
  | { readonly kind: 'keys'; readonly keys: readonly Buffer[] }
  /** Files of keys on this machine, read anew each time. */
  | { readonly kind: 'files'; readonly paths: readonly string[] }
  /** This machine's own apt is told to trust it without: `[trusted=yes]`. */
  | { readonly kind: 'unsigned' }

/** A Release as it came: with its signature inside, or beside it. */
export type SignedRelease =
  | { readonly kind: 'inline'; readonly inRelease: Buffer }
  | { readonly kind: 'detached'; readonly release: Buffer; readonly signature: Buffer | null }

export interface CheckOptions {
  readonly trust: Trust
  readonly store: Store
  readonly signal: AbortSignal
}

/**
 * Holds a Release against the keys of its source, with gpgv.
 *
 * @returns the bytes that are signed; nothing else of what came may be believed.
 * @throws {UpstreamError} wrong: no signature, or none by these keys.
 * @throws {ProxyError} NOT_GENUINE when there are no keys; UPSTREAM_FAILED when gpgv is missing.
 */
export async function checkSignature(signed: SignedRelease, { trust, store, signal }: CheckOptions): Promise<Buffer> {
  if (trust.kind === 'unsigned') return signed.kind === 'inline' ? payload(signed.inRelease) : signed.release
  if (signed.kind === 'detached' && signed.signature === null) throw new UpstreamError('wrong', 'its Release is not signed')
  await using work = await store.temporaryFolder('gpgv')
  const keys = trust.kind === 'keys' ? trust.keys : await Promise.all(trust.paths.map(readKeys))
  if (keys.length === 0) throw new ProxyError('NOT_GENUINE', 'no key is known that could have signed it: give the source a keyring')
  const rings: string[] = []
  for (const [index, key] of keys.entries()) {
    const ring = join(work.path, `keys-${String(index)}.gpg`)
    await writeFile(ring, dearmour(key))
    rings.push('--keyring', ring)
  }
  const out = join(work.path, 'signed')
  const files: string[] = []
  for (const [name, bytes] of signed.kind === 'inline' ? [['in', signed.inRelease] as const] : [['signature', signed.signature ?? Buffer.alloc(0)] as const, ['release', signed.release] as const]) {
    await writeFile(join(work.path, name), bytes)
    files.push(join(work.path, name))
  }
  try {
    const { stdout } = await runProgram(['gpgv', '--quiet', '--status-fd', '1', '--homedir', work.path, ...rings, ...(signed.kind === 'inline' ? ['--output', out] : []), ...files], { signal, deadlineMs: 60_000 })
    if (!isSigned(stdout)) throw new UpstreamError('wrong', 'its Release is not signed by a key of the source that counts')
  } catch (error) {
    if (!(error instanceof StageError)) throw error
    if (error.code === 'PROGRAM_MISSING') throw new ProxyError('UPSTREAM_FAILED', 'gpgv is not installed on this admin node, so no signature can be checked: apt-get install gpgv', { cause: error })
    // An archive signs by several keys, of which a source may have one: then gpgv fails for the others.
    const { stdout = '' } = error.data as { readonly stdout?: string }
    if (error.code !== 'PROGRAM_FAILED' || !isSigned(stdout)) throw new UpstreamError('wrong', `its Release is not signed by a key of the source (${lastLine(error.message)})`, { cause: error })
  }
  return signed.kind === 'inline' ? readFile(out) : signed.release
}

async function readKeys(path: string): Promise<Buffer> {
  return readFile(path).catch((cause: unknown) => {
    throw new ProxyError('NOT_GENUINE', `the keyring ${path} cannot be read: ${(cause as Error).message}`, { cause })
  })
}

/** gpgv reads keys without armour only. RFC 9580 §6.2. */
function dearmour(key: Buffer): Buffer {
  const text = key.toString('latin1')
  if (!text.includes('-----BEGIN PGP PUBLIC KEY BLOCK-----')) return key
  const blocks = [...text.matchAll(/-----BEGIN PGP PUBLIC KEY BLOCK-----\r?\n(?<body>[\s\S]*?)-----END PGP PUBLIC KEY BLOCK-----/g)]
  return Buffer.concat(blocks.map(({ groups }) => {
    const lines = (groups?.['body'] ?? '').split(/\r?\n/)
    const blank = lines.findIndex(line => line.trim() === '' || line.trim() === '.')
    return Buffer.from(lines.slice(blank + 1).filter(line => !line.startsWith('=')).join(''), 'base64')
  }))
}

/** The text of a signed message, without its signature. RFC 9580 §7. */
function payload(inRelease: Buffer): Buffer {
  const match = /-----BEGIN PGP SIGNED MESSAGE-----\r?\n(?:[^\n]+\n)*\r?\n(?<text>[\s\S]*?)\r?\n-----BEGIN PGP SIGNATURE-----/.exec(inRelease.toString('latin1'))
  return match?.groups === undefined ? inRelease : Buffer.from((match.groups['text'] ?? '').replace(/^- /gm, ''), 'latin1')
}

/** All that gpgv may say of what is believed; anything else, as ERROR or BADSIG, is a no. GnuPG doc/DETAILS. */
const HARMLESS: ReadonlySet<string> = new Set([
  'PLAINTEXT', 'PLAINTEXT_LENGTH', 'NEWSIG', 'KEY_CONSIDERED', 'SIG_ID', 'GOODSIG', 'VALIDSIG', 'VERIFICATION_COMPLIANCE_MODE', 'NOTATION_NAME', 'NOTATION_FLAGS', 'NOTATION_DATA', 'POLICY_URL',
  'ERRSIG', 'NO_PUBKEY', 'EXPSIG', 'EXPKEYSIG', 'REVKEYSIG', 'KEYEXPIRED', 'KEYREVOKED', 'FAILURE',
])
/** MD5, SHA-1 and RIPEMD-160, by their numbers. RFC 9580 §9.5. */
const WEAK: ReadonlySet<string> = new Set(['1', '2', '3'])

/** Whether one signature at least is good, by a key that is neither revoked nor expired, and nothing else is amiss. As apt does. */
function isSigned(status: string): boolean {
  const lines = status.split('\n').filter(line => line.startsWith('[GNUPG:] ')).map(line => line.split(' ').slice(1))
  if (lines.some(([word = '']) => !HARMLESS.has(word)) || lines.filter(([word]) => word === 'PLAINTEXT').length > 1) return false
  // A GOODSIG is followed by the VALIDSIG of the same signature.
  return lines.some(([word], at) => word === 'GOODSIG' && lines[at + 1]?.[0] === 'VALIDSIG' && !WEAK.has(lines[at + 1]?.[8] ?? '1'))
}

function lastLine(text: string): string {
  return text.trimEnd().split('\n').filter(line => !line.includes('ended with')).map(line => line.replace(/^gpgv: /, '').trim()).at(-1) ?? ''
}
