/** Why a node, or a machine that wants to be one, is not let in. Told to it, and written down. */
export type RefusalCode =
  /** A frame that is not understood, or comes out of turn. */
  | 'PROTOCOL'
  /** The hello is not signed by the key that it names. */
  | 'PROOF_INVALID'
  | 'TOKEN_MISSING'
  /** Not one of ours, or made under another key. */
  | 'TOKEN_INVALID'
  | 'TOKEN_EXPIRED'
  /** Another key has redeemed this token: somebody holds a token that is not theirs. Alarmed. */
  | 'TOKEN_SPENT'
  /** A newer boot or installation of the same subject has enrolled. */
  | 'TOKEN_SUPERSEDED'
  /** The token is for another port, node or installation than the hello names. Alarmed. */
  | 'SUBJECT_MISMATCH'
  /** The node has obeyed an agent of a higher epoch: this agent's memory is old. */
  | 'EPOCH_BEHIND'
  /** Another one, with another key, is connected as this machine and answers: a copy, or somebody who pretends. Alarmed. */
  | 'MACHINE_TWICE'
  | 'NOT_ADMITTED'

/** A refusal as it goes to the node. */
export class Refusal extends Error {
  readonly code: RefusalCode

  constructor(code: RefusalCode, message: string) {
    super(message)
    this.name = 'Refusal'
    this.code = code
  }
}

/** Refusals that are no mistake of the node's own: somebody should look. */
export const ALARMING: ReadonlySet<RefusalCode> = new Set(['TOKEN_SPENT', 'SUBJECT_MISMATCH', 'PROOF_INVALID', 'EPOCH_BEHIND', 'MACHINE_TWICE'])
