import { expect, test } from 'vitest'
import { digest } from '../../schemas/canonical.ts'
import type { Ledger, LedgerEntry, LedgerNode } from '../../schemas/ledger.ts'
import { renamedId, renameLedger } from '../../schemas/rename-ledger.ts'
import { stepDigest } from '../../schemas/step-digest.ts'
import type { Json } from '../../schemas/shape.ts'
import { toldOf, toldToPart } from '../../schemas/told.ts'
import { buildPlan } from '../builders/plan.ts'
import { stepOf } from '../builders/ledger.ts'

const bare = stepOf(buildPlan({ nodes: { a: {} }, roles: [{ role: 'x', on: ['a'] }] }), 'base/x@a')
const reads = (step: string, scope: { readonly [key: string]: Json } = {}): Json => ({ deferred: { type: 'string', expression: '${wants.token}', scope, inputs: { 'wants.token': { step, provide: 'token' } }, sensitive: false } })
const documentOf = (part: Json): { readonly values: { readonly [digest: string]: Json }; readonly attributes: string } => {
  const document = { parts: { x: digest(part) } }
  return { values: { [digest(part)]: part, [digest(document)]: document }, attributes: digest(document) }
}
const entry = (id: string, attributes: string | null, more: Partial<LedgerEntry> = {}): LedgerEntry => {
  const step = { ...bare, id, node: id.slice(id.lastIndexOf('@') + 1), attributes, needs: [{ step: 'install@a', kind: 'lifecycle' as const, at: '' }] }
  return { digest: stepDigest(step), inputs: 'i', once: null, commit: '', time: '', provides: {}, sealed: {}, ...more, step: { ...step, digest: stepDigest(step) } }
}
const node = (name: string, entries: readonly LedgerEntry[]): LedgerNode => ({ version: 1, node: name, machine: `m-${name}`, incarnation: `i-${name}`, attempted: {}, steps: Object.fromEntries(entries.map((one) => [one.step.id, one])) })

test('ids of steps have the new name, whatever else they say', () => {
  const names = new Map([['a', 'b'], ['b', 'a']])
  expect(['d/r@a', 'd/r@b#remove', 'install@c', 'stage/a', 'operation/a/reboot-2@a', 'barrier/a/a'].map((id) => renamedId(id, names))).toEqual(['d/r@b', 'd/r@a#remove', 'install@c', 'stage/a', 'operation/a/reboot-2@b', 'barrier/a/a'])
})

test('whoever takes a value from a renamed node takes it from the same step as before, through other values too, and was told the same', () => {
  const part = { url: reads('base/x@c', { inner: reads('base/x@a') }) }
  const { values, attributes } = documentOf(part)
  const from: Record<string, LedgerEntry> = { 'base/x@a': entry('base/x@a', null, { provides: { token: 'of a' } }), 'base/x@c': entry('base/x@c', null, { provides: { token: 'of c' } }) }
  const told = toldOf({ x: toldToPart(part, (id) => from[id]) }) ?? ''
  const reader = entry('base/y@b', attributes, { told })
  const ledger: Pick<Ledger, 'nodes' | 'values'> = { nodes: { a: node('a', [from['base/x@a'] as LedgerEntry]), b: node('b', [reader]), c: node('c', [from['base/x@c'] as LedgerEntry]) }, values }
  const after = renameLedger(ledger, new Map([['a', 'z']]))

  const expected = documentOf({ url: reads('base/x@c', { inner: reads('base/x@z') }) })
  expect(after.nodes['b']?.steps['base/y@b']?.step).toEqual({ ...entry('base/y@b', expected.attributes).step, needs: [{ step: 'install@z', kind: 'lifecycle', at: '' }] })
  expect(after.values).toMatchObject(expected.values)
  const now: Record<string, LedgerEntry | undefined> = { 'base/x@z': after.nodes['z']?.steps['base/x@z'], 'base/x@c': after.nodes['c']?.steps['base/x@c'] }
  expect(after.nodes['b']?.steps['base/y@b']?.told).toBe(toldOf({ x: toldToPart({ url: reads('base/x@c', { inner: reads('base/x@z') }) }, (id) => now[id]) }))
  // What has been reported since was not told, and is not taken for told.
  const later = renameLedger({ ...ledger, nodes: { ...ledger.nodes, a: node('a', [entry('base/x@a', null, { provides: { token: 'another' } })]) } }, new Map([['a', 'z']]))
  expect(later.nodes['b']?.steps['base/y@b']?.told).toBe(told)
})

test('names that a document says of itself stay, nodes that nothing changes on stay the same values, and a swap is its own way back', () => {
  const { values, attributes } = documentOf({ peers: ['a', 'b'], say: 'base/x@a' })
  const ledger: Pick<Ledger, 'nodes' | 'values'> = { nodes: { a: node('a', [entry('base/x@a', attributes)]), b: node('b', [entry('base/x@b', attributes)]), c: { ...node('c', []), steps: {} } }, values }
  const swap = new Map([['a', 'b'], ['b', 'a']])
  const after = renameLedger(ledger, swap)
  expect(after.values).toEqual(values)
  expect(after.nodes['c']).toBe(ledger.nodes['c'])
  expect(after.nodes['a']).toMatchObject({ node: 'a', machine: 'm-b', steps: { 'base/x@a': { step: { node: 'a', attributes } } } })
  expect(renameLedger(after, swap)).toEqual(ledger)
})
