import { readFile, stat } from 'node:fs/promises'
import { readIdentities } from '../../schemas/age.ts'
import type { Identities } from '../../schemas/age.ts'

/** An identity file that cannot be used; `message` names file and remedy, and nothing of a key. */
export class IdentityError extends Error {
  readonly code = 'IDENTITY_INVALID'
}

/**
 * Reads the agent's age identity. The file has to be root's, or the agent's user's, and nobody else's.
 *
 * @throws {IdentityError}
 */
export async function readIdentity(file: string): Promise<Identities> {
  const found = await stat(file).catch((cause: unknown) => {
    throw new IdentityError(`cannot read the identity ${file}: ${(cause as Error).message}; make one with \`crowbar secret identity ${file}\``, { cause })
  })
  if ((found.mode & 0o077) !== 0) throw new IdentityError(`others can read the identity ${file} (mode ${(found.mode & 0o777).toString(8).padStart(4, '0')}); \`chmod 600 ${file}\``)
  if (found.uid !== 0 && found.uid !== process.getuid?.()) throw new IdentityError(`the identity ${file} belongs to another user (${found.uid}); \`chown root ${file}\``)
  const identities = await readIdentities(await readFile(file, 'utf8'))
  if (typeof identities === 'string') throw new IdentityError(`${file} is no age identity: ${identities}`)
  return identities
}
