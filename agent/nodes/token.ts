import { createHmac, randomBytes, timingSafeEqual } from 'node:crypto'
import { chmod, mkdir, open, readFile, rename } from 'node:fs/promises'
import { dirname } from 'node:path'
import { Refusal } from './refusal.ts'

/** The one that a token is for. */
export type Subject =
  /** One boot of the discovery image by the machine with this port. */
  | { readonly kind: 'boot'; readonly mac: string }
  /**
   * One installation of a node; incarnation null for a machine that is joined. What joins has no name of its own, so the
   * node's index in the lock tells whose token supersedes whose: names are passed on.
   */
  | { readonly kind: 'installed'; readonly node: string; readonly incarnation: string | null; readonly index?: number }

/** What a token says, under the authority of the agent's key. */
export interface TokenClaims {
  readonly subject: Subject
  /** Milliseconds since 1970. A later token of the same subject supersedes an earlier one once it is redeemed. */
  readonly issued: number
  readonly expires: number
  /** Different in every token. */
  readonly id: string
}

/** A subject as one string. */
export function subjectName(subject: Subject): string {
  if (subject.kind === 'boot') return `boot/${subject.mac}`
  if (subject.incarnation === null && subject.index !== undefined) return `joined/${subject.index}`
  return `node/${subject.node}/${subject.incarnation ?? 'joined'}`
}

/** `<claims>.<HMAC-SHA-256>`, both base64url, without spaces: it stands on kernel command lines. */
export function sealToken(claims: TokenClaims, key: Buffer): string {
  const body = Buffer.from(JSON.stringify(claims)).toString('base64url')
  return `${body}.${mac(body, key).toString('base64url')}`
}

/** What a token says. @throws {Refusal} TOKEN_INVALID; it does not look at the time. */
export function openToken(token: string, key: Buffer): TokenClaims {
  const [body = '', seal = '', ...rest] = token.split('.')
  const given = Buffer.from(seal, 'base64url')
  const right = mac(body, key)
  if (rest.length > 0 || given.length !== right.length || !timingSafeEqual(given, right)) throw new Refusal('TOKEN_INVALID', 'this token was not made here')
  return JSON.parse(Buffer.from(body, 'base64url').toString('utf8')) as TokenClaims
}

/** The key that tokens are made under: 32 bytes in a file of mode 0600, made when it is not there. */
export async function openTokenKey(file: string): Promise<Buffer> {
  const found = await readFile(file).catch((error: NodeJS.ErrnoException) => {
    if (error.code !== 'ENOENT') throw error
    return Buffer.alloc(0)
  })
  if (found.length === 32) return found
  const key = randomBytes(32)
  await mkdir(dirname(file), { recursive: true, mode: 0o700 })
  {
    await using handle = await open(`${file}.next`, 'w', 0o600)
    await handle.writeFile(key)
    await handle.sync()
  }
  await chmod(`${file}.next`, 0o600)
  await rename(`${file}.next`, file)
  return key
}

function mac(body: string, key: Buffer): Buffer {
  return createHmac('sha256', key).update(`crowbar token 1\n${body}`).digest()
}
