import { expect, test } from 'vitest'
import type { LogEvent, NewEvent } from '../../../agent/log/event-types.ts'
import { fold } from '../../../agent/state/fold.ts'
import type { State } from '../../../agent/state/state.ts'

const state = (...events: readonly NewEvent[]): State => fold(events.map((event, index) => ({ ...event, seq: index + 1, time: '2026-05-01T12:00:00.000Z', stream: '', epoch: 1, v: 1 }) as LogEvent))
const installed = (node: string, machine: string): NewEvent => ({ type: 'node.imaged', data: { run: 1, step: `install@${node}`, node, machine, incarnation: `i-${machine}`, attempt: `1/install@${node}/1` } })
const connected = (node: string, machine: string): NewEvent => ({ type: 'node.connected', data: { node, machine, environment: 'installed', incarnation: `i-${machine}`, boot: 'b', address: null } })
const sent = (step: string, node: string, n: number): NewEvent => ({
  type: 'step.sent',
  data: { run: 1, step, node, digest: 'd', once: null, commit: 'c', plan: 'p', changes: 'x', machine: `m-${node}`, n, inputs: null, attempt: `1/${step}/${n}`, destructive: false, disks: null, stamp: null, approved: false, boot: null },
})
const approved = (step: string, machine: string): NewEvent => ({ type: 'approval.given', data: { node: null, approval: { step, once: 'k', machine, disks: [] }, by: 'root' } })
const renamed = (...nodes: readonly (readonly [string, string, string | null])[]): NewEvent => ({ type: 'node.renamed', data: { commit: 'c', nodes: nodes.map(([from, to, machine]) => ({ from, to, machine })) } })

test('what is installed, and how often its steps were tried, goes with the node; names may be swapped', () => {
  const after = state(installed('a', 'm1'), installed('b', 'm2'), connected('a', 'm1'), sent('d/r@a', 'a', 3), sent('d/r@b', 'b', 5), sent('d/r@c', 'c', 1), renamed(['a', 'b', 'm1'], ['b', 'a', 'm2']))
  expect([after.nodes.get('a')?.installed?.machine, after.nodes.get('b')?.installed?.machine]).toEqual(['m2', 'm1'])
  expect(Object.fromEntries(after.tries)).toEqual({ 'd/r@b': 3, 'd/r@a': 5, 'd/r@c': 1 })
  expect(after.machines.get('m1')).toMatchObject({ renamed: [{ from: 'a', to: 'b' }], session: { node: 'b' } })
})

test('a chain moves each name once, and a name that was somebody else’s is nobody’s where nothing is known of its new node', () => {
  const after = state(installed('a', 'm1'), installed('b', 'm2'), renamed(['a', 'b', 'm1'], ['b', 'c', 'm2']))
  expect([...after.nodes].map(([name, { installed: has }]) => [name, has?.machine])).toEqual([['b', 'm1'], ['c', 'm2']])
  // Node z was released long ago; x was installed before this log began.
  const stale = state(installed('z', 'm9'), renamed(['x', 'z', 'm3']))
  expect(stale.nodes.has('z')).toBe(false)
})

test('an approval that was given for a step of the old name counts no more, for either of two that are swapped', () => {
  const after = state(approved('install@a', 'm1'), approved('install@b', 'm2'), approved('install@c', 'm3'), renamed(['a', 'b', 'm1'], ['b', 'a', 'm2']))
  expect([...after.approvals.keys()]).toEqual(['install@c'])
})
