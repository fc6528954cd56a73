import { join } from 'node:path'
import { openRedemptions } from './redemptions.ts'
import { Refusal } from './refusal.ts'
import { openToken, openTokenKey, sealToken, subjectName } from './token.ts'
import type { Subject } from './token.ts'

/** Who wants in, as its hello says; its key is proven already. */
export interface Arrival {
  readonly token: string | null
  readonly key: string
  readonly environment: 'discovery' | 'installed'
  readonly node: string | null
  readonly incarnation: string | null
  /** MACs of the machine's ports. */
  readonly macs: readonly string[]
}

/** Makes tokens and redeems them. */
export interface Enrolment extends AsyncDisposable {
  /**
   * A token for one subject, to be redeemed within `seconds` by one key. Nothing is written; the key that it was made under
   * lives in the data folder, so tokens outlive the agent. Quick enough for a boot service.
   */
  issue(subject: Subject, seconds: number): string
  /**
   * Lets the key in. The same key may come again with its token for as long as no later token of that subject was redeemed,
   * also after the token's time; any other key is refused.
   *
   * @returns the subject, and whether this was the first time; durable when it resolves.
   * @throws {Refusal} TOKEN_*, SUBJECT_MISMATCH.
   */
  redeem(arrival: Arrival): Promise<{ readonly subject: Subject; readonly first: boolean }>
}

/** How long the discovery image has between the boot script and its first hello, and an installed system until its own. */
export const TOKEN_SECONDS = { boot: 30 * 60, installed: 24 * 60 * 60 } as const

/** Opens the enrolment of this admin agent. Files in `folder`: `token.key` and `redeemed.jsonl`, mode 0600. */
export async function openEnrolment(folder: string, { now, random }: { readonly now: () => number; readonly random: () => string }): Promise<Enrolment> {
  const key = await openTokenKey(join(folder, 'token.key'))
  const redemptions = await openRedemptions(join(folder, 'redeemed.jsonl'))
  return {
    issue(subject, seconds) {
      const issued = now()
      return sealToken({ subject, issued, expires: issued + seconds * 1000, id: random() }, key)
    },
    async redeem(arrival) {
      if (arrival.token === null) throw new Refusal('TOKEN_MISSING', 'a node shows the token of its boot or installation')
      const { subject, issued, expires, id } = openToken(arrival.token, key)
      checkSubject(subject, arrival)
      const name = subjectName(subject)
      const before = redemptions.get(name)
      if (before?.token === id) {
        if (before.key !== arrival.key) throw new Refusal('TOKEN_SPENT', `another key has redeemed this token of ${name}`)
        return { subject, first: false }
      }
      if (before !== undefined && before.issued >= issued) throw new Refusal('TOKEN_SUPERSEDED', `${name} has enrolled with a later token`)
      if (now() > expires) throw new Refusal('TOKEN_EXPIRED', `the token of ${name} was not redeemed in time`)
      await redemptions.put({ subject: name, token: id, issued, key: arrival.key, at: now() })
      return { subject, first: true }
    },
    [Symbol.asyncDispose]: () => redemptions[Symbol.asyncDispose](),
  }
}

function checkSubject(subject: Subject, { environment, macs, node, incarnation }: Arrival): void {
  if (subject.kind === 'boot') {
    if (environment !== 'discovery') throw new Refusal('SUBJECT_MISMATCH', 'the token of a boot does not let an installed system in')
    if (!macs.includes(subject.mac)) throw new Refusal('SUBJECT_MISMATCH', `the token is for the machine with the port ${subject.mac}`)
    return
  }
  if (environment !== 'installed' || subject.node !== node || subject.incarnation !== incarnation) {
    throw new Refusal('SUBJECT_MISMATCH', `the token is for ${subjectName(subject)}`)
  }
}
