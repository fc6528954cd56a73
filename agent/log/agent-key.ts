import { createCipheriv, createDecipheriv, createHmac, hkdfSync } from 'node:crypto'
import { chmod, open, readFile, rename } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import { canonical } from '../../schemas/canonical.ts'
import type { Json } from '../../schemas/shape.ts'
import { LogError } from './log-error.ts'

/** A value encrypted under the agent's key: AES-256-GCM, the authentication tag at the end of `bytes`. */
export interface SealedValue {
  readonly nonce: Uint8Array
  readonly bytes: Uint8Array
}

/** What only this agent can make. It lives in a file of the data folder and nowhere else. */
export interface AgentKey {
  /** `hmac-sha256:<64 hex digits>`: equal for equal values, and of no use to whoever guesses values. */
  reference(value: Json): string
  /** Proves that this agent wrote it: base64url, 43 characters. */
  stamp(value: Json): string
  seal(reference: string, value: Json, nonce: Uint8Array): SealedValue
  /** @throws {LogError} SEALED_BROKEN */
  unseal(reference: string, sealed: SealedValue): Json
}

const NAME = 'agent.key'

/**
 * Reads the key file of a data folder; makes it (mode 0600) when there is none.
 *
 * @param options.random gives so many random bytes. @throws {LogError} STORE_BROKEN for a file of another length.
 */
export async function openAgentKey(folder: string, options: { readonly random: (bytes: number) => Uint8Array }): Promise<AgentKey> {
  const file = join(folder, NAME)
  const secret = (await readIfThere(file)) ?? (await create(file, options.random))
  if (secret.length !== 32) throw new LogError('STORE_BROKEN', `${file} is not a key: ${secret.length} bytes instead of 32`)
  return agentKey(secret)
}

/** The key itself, from 32 secret bytes. Each use has its own derived key (HKDF-SHA256, RFC 5869). */
export function agentKey(secret: Uint8Array): AgentKey {
  const derive = (use: string): Buffer => Buffer.from(hkdfSync('sha256', secret, new Uint8Array(0), `crowbar/${use}`, 32))
  const references = derive('reference')
  const stamps = derive('stamp')
  const seals = derive('seal')
  return {
    reference: (value) => `hmac-sha256:${createHmac('sha256', references).update(canonical(value)).digest('hex')}`,
    stamp: (value) => createHmac('sha256', stamps).update(canonical(value)).digest('base64url'),
    seal(reference, value, nonce) {
      const cipher = createCipheriv('aes-256-gcm', seals, nonce)
      cipher.setAAD(Buffer.from(reference))
      return { nonce, bytes: Buffer.concat([cipher.update(canonical(value), 'utf8'), cipher.final(), cipher.getAuthTag()]) }
    },
    unseal(reference, sealed) {
      try {
        const decipher = createDecipheriv('aes-256-gcm', seals, sealed.nonce, { authTagLength: 16 })
        decipher.setAAD(Buffer.from(reference))
        decipher.setAuthTag(sealed.bytes.subarray(-16))
        return JSON.parse(Buffer.concat([decipher.update(sealed.bytes.subarray(0, -16)), decipher.final()]).toString('utf8')) as Json
      } catch (cause) {
        throw new LogError('SEALED_BROKEN', `the sealed value ${reference} does not open under this agent's key`, { cause })
      }
    },
  }
}

async function readIfThere(file: string): Promise<Uint8Array | undefined> {
  try {
    return await readFile(file)
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return undefined
    throw new LogError('STORE_BROKEN', `cannot read ${file}`, { cause: error })
  }
}

async function create(file: string, random: (bytes: number) => Uint8Array): Promise<Uint8Array> {
  const secret = random(32)
  // Whole or not there at all: a crash between write and rename leaves no half key under the final name.
  const temporary = `${file}.new`
  await using handle = await open(temporary, 'w', 0o600)
  await handle.writeFile(secret)
  await handle.sync()
  await chmod(temporary, 0o600)
  await rename(temporary, file)
  await using folder = await open(dirname(file), 'r')
  await folder.sync()
  return secret
}
