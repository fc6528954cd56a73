import type { Ledger, LedgerNode } from '../../schemas/ledger.ts'

type Mutable<T> = { -readonly [K in keyof T]: T[K] }

/**
 * A ledger that one owner folds events into, in place. It is a Ledger at any moment; every node in it is a value that
 * is replaced, never changed, so that what was read from it stays as it was. Fold a long log into one draft: each event
 * costs as much as its node has steps, however many nodes there are.
 */
export interface LedgerDraft {
  readonly nodes: { [name: string]: LedgerNode }
  readonly machines: Mutable<Ledger['machines']>
  readonly values: Mutable<Ledger['values']>
  run: Ledger['run']
  readonly roles: { [role: string]: { readonly bootstrapped: boolean } }
  /**
   * By node: what sending an install took away, for as long as nothing may have been written. The agent's own: what it
   * publishes says the worst.
   */
  voided?: { readonly [name: string]: Voided }
}

export interface Voided {
  readonly node: LedgerNode
  readonly roles: LedgerDraft['roles']
}

/** A draft that starts from a ledger and leaves it as it is. */
export function draftOf(ledger: Ledger | LedgerDraft): LedgerDraft {
  return { ...('voided' in ledger ? { voided: ledger.voided } : {}), nodes: { ...ledger.nodes }, machines: { ...ledger.machines }, values: { ...ledger.values }, run: ledger.run, roles: { ...ledger.roles } }
}
