import { armor, Encrypter, Stanza } from 'age-encryption'
import { labelArguments } from '../../../schemas/secret-file.ts'
import type { SecretLabel } from '../../../schemas/secret-file.ts'

/** Encrypts a value for the recipients of its label, as armored text that `age -d` reads too. */
export async function encrypt(value: string, label: SecretLabel): Promise<string> {
  const encrypter = new Encrypter()
  for (const recipient of label.recipients) encrypter.addRecipient(recipient)
  encrypter.addRecipient({ wrapFileKey: () => [new Stanza([...labelArguments(label)], new Uint8Array(0))] })
  return `${armor.encode(await encrypter.encrypt(value)).trimEnd()}\n`
}

/** Why something is no recipient that can be encrypted for; undefined when it is one. */
export function recipientProblem(recipient: string): string | undefined {
  try {
    new Encrypter().addRecipient(recipient)
    return undefined
  } catch {
    return 'it is damaged, or of a kind that is not supported'
  }
}
