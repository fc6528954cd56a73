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
}

/** A draft that starts from a ledger and leaves it as it is. */
export function draftOf(ledger: Ledger): LedgerDraft {
  return { nodes: { ...ledger.nodes }, machines: { ...ledger.machines }, values: { ...ledger.values }, run: ledger.run, roles: { ...ledger.roles } }
}
