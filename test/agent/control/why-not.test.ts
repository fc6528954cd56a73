import { expect, test } from 'vitest'
import { printWhyNot } from '../../../agent/cli/why-not.ts'
import { whyNot } from '../../../agent/control/why-not.ts'
import type { WhyNotSources } from '../../../agent/control/why-not.ts'
import { emptyState } from '../../../agent/state/growing-state.ts'
import { EMPTY_LEDGER } from '../../../schemas/ledger.ts'
import { changesOf, planOf, step } from '../engine/build-work.ts'

const plan = planOf([step({ id: 'd/a@n1' }), step({ id: 'd/b@n2', needs: ['d/a@n1'] }), step({ id: 'd/c@n2', needs: ['d/b@n2'] }), step({ id: 'd/old@n1' })])

function sources(): WhyNotSources {
  const state = emptyState()
  state.run = { run: 3, ended: null, steps: new Map([['d/a@n1', { status: 'running', since: '2026-01-01T00:00:00.000Z', reason: null }]]) } as never
  const blocked = new Map([
    ['d/b@n2', [{ code: 'NEEDS', message: 'it needs d/a@n1', step: 'd/a@n1' }, { code: 'BATCH', message: 'it waits for batch 1 of rollout/d/b' }]],
    ['d/c@n2', [{ code: 'NEEDS', message: 'it needs d/b@n2', step: 'd/b@n2' }]],
  ])
  const entry = { time: '2026-01-01T00:00:00.000Z', commit: 'c'.repeat(40) }
  const ledger = { ...EMPTY_LEDGER, nodes: { n1: { steps: { 'd/old@n1': entry } } } }
  return { state, ledger, plan, schedule: { blocked }, work: { commit: 'c', plan, changes: changesOf(plan, { ids: ['d/a@n1', 'd/b@n2', 'd/c@n2'] }) } } as unknown as WhyNotSources
}

test('what a step waits for is followed back to what runs', () => {
  const { answer } = whyNot('d/c@n2', sources())
  expect(answer && printWhyNot(answer)).toBe(`d/c@n2  blocked
  it needs d/b@n2
d/b@n2  blocked
  it needs d/a@n1
  it waits for batch 1 of rollout/d/b
d/a@n1  running
  since 2026-01-01T00:00:00.000Z
`)
})

test('what is done says when, and what is not known may have been meant otherwise', () => {
  expect(whyNot('d/old@n1', sources()).answer?.chain).toEqual([{ step: 'd/old@n1', state: 'done', because: ['it succeeded at 2026-01-01T00:00:00.000Z, with commit cccccccccccc'] }])
  expect(whyNot('d/cc@n2', sources())).toEqual({ answer: null, near: 'd/c@n2' })
})
