import { mkdirSync, writeFileSync } from 'node:fs'
import { dirname } from 'node:path'
import { generateX25519Identity, identityToRecipient } from 'age-encryption'
import { EXIT } from '../session.ts'

/** `crowbar secret identity FILE`: a new age identity, as age-keygen makes it, in a file that only its owner can read. */
export async function makeIdentity(file: string): Promise<number> {
  const key = await generateX25519Identity()
  const recipient = await identityToRecipient(key)
  mkdirSync(dirname(file), { recursive: true, mode: 0o700 })
  try {
    writeFileSync(file, `# public key: ${recipient}\n${key}\n`, { flag: 'wx', mode: 0o600 })
  } catch (cause) {
    if ((cause as NodeJS.ErrnoException).code !== 'EEXIST') throw cause
    process.stderr.write(`crowbar: ${file} is there already, and an identity that is lost takes its secrets along\n`)
    return EXIT.fault
  }
  process.stdout.write(`${recipient}\n`)
  process.stderr.write(`Name it among the \`recipients\` of the site. Keep a copy of ${file} in a safe place, not in the repository.\n`)
  return EXIT.done
}
