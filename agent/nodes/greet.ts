import { createPublicKey, verify } from 'node:crypto'
import { helloText } from '../../schemas/protocol.ts'
import type { NodeFrame } from '../../schemas/protocol.ts'
import type { Enrolment } from './enrolment.ts'
import type { Admission, Admit, Candidate } from './node-event.ts'
import { Refusal } from './refusal.ts'

type Hello = Extract<NodeFrame, { type: 'hello' }>

/** More than any machine has: all of it is compared with every machine that is known, and committed. */
const MOST = { disks: 1024, nics: 256, characters: 1024 * 1024 } as const

/** A hello that was believed. */
export interface Greeted {
  readonly candidate: Candidate
  readonly admission: Admission
  /** The key was bound just now. */
  readonly first: boolean
}

/**
 * Judges a hello: is the key proven, may the key redeem the token, which machine is it and may it be given work?
 *
 * @throws {Refusal} whatever it is turned away for.
 */
export async function greet(
  hello: Hello, { nonce, epoch, enrolment, admit }: { readonly nonce: string; readonly epoch: number; readonly enrolment: Enrolment; readonly admit: Admit },
): Promise<Greeted> {
  if (!isProven(hello, nonce, epoch)) throw new Refusal('PROOF_INVALID', 'the hello is not signed by its key')
  if (hello.highestEpoch > epoch) {
    throw new Refusal('EPOCH_BEHIND', `the node has obeyed epoch ${hello.highestEpoch}, and this agent is in epoch ${epoch}`)
  }
  const tooMuch = excess(hello)
  if (tooMuch !== undefined) throw new Refusal('NOT_ADMITTED', tooMuch)
  const macs = hello.facts.nics.map(({ mac }) => mac)
  const { environment, node, incarnation, facts, disks, boot } = hello
  const { subject, first } = await enrolment.redeem({ token: hello.token, key: hello.key, environment, node, incarnation, macs })
  const candidate: Candidate = { environment, facts, disks, node, incarnation, key: hello.key, boot, mac: subject.kind === 'boot' ? subject.mac : null }
  const admission = await admit(candidate).catch((error: unknown) => {
    throw new Refusal('NOT_ADMITTED', error instanceof Error ? error.message : String(error))
  })
  return { candidate, admission, first }
}

function excess({ facts, disks }: Hello): string | undefined {
  if (facts.disks.length > MOST.disks || disks.length > MOST.disks) return `it says it has more than ${MOST.disks} disks`
  if (facts.nics.length > MOST.nics) return `it says it has more than ${MOST.nics} ports`
  return JSON.stringify(facts).length > MOST.characters ? `it says more than ${MOST.characters} characters of itself` : undefined
}

function isProven(hello: Hello, nonce: string, epoch: number): boolean {
  try {
    const key = createPublicKey({ key: { kty: 'OKP', crv: 'Ed25519', x: hello.key }, format: 'jwk' })
    return verify(null, Buffer.from(helloText(nonce, epoch, hello)), key, Buffer.from(hello.proof, 'base64url'))
  } catch {
    return false
  }
}
