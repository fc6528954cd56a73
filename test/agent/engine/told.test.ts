import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, expect, test } from 'vitest'
import type { CompiledWork } from '../../../agent/engine/engine.ts'
import { change } from '../../../compiler/change/change.ts'
import type { Plan } from '../../../schemas/plan.ts'
import { openLife } from './agent-life.ts'
import type { AgentLife } from './agent-life.ts'
import { planOf, step } from './build-work.ts'
import { FakeRack } from './fake-rack.ts'

let folder: string
let rack: FakeRack
/** What the teller tells. */
let word = 'one'
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'crowbar-told-'))
  rack = new FakeRack(['m-n1', 'm-n2'], { joined: true })
  rack.play = (task) => (task.step === 'd/teller@n1' ? { provides: { token: word } } : {})
  word = 'one'
})
afterEach(async () => rm(folder, { recursive: true, force: true }))

const told = (sensitive: boolean) => ({ deferred: { type: 'string', expression: '${wants.token}', scope: {}, inputs: { 'wants.token': { step: 'd/teller@n1', provide: 'token' } }, sensitive } })
const planWith = (version: number, sensitive: boolean): Plan => planOf([
  step({ id: 'd/teller@n1', document: { d: { version } }, provides: { token: { type: 'string', sensitive } } }),
  step({ id: 'd/hearer@n2', document: { wants: { token: told(sensitive) } }, needs: [{ step: 'd/teller@n1', kind: 'data', at: 'site.yaml:1:1' }] }),
])

async function work(life: AgentLife, plan: Plan): Promise<CompiledWork> {
  await life.ledger.upToDate()
  return { commit: 'c', plan, changes: change(life.ledger.current, plan) }
}

async function run(life: AgentLife, plan: Plan, only?: readonly string[]): Promise<readonly string[]> {
  const before = rack.effects.length
  await life.engine.start(await work(life, plan), { reason: 'apply', ...(only === undefined ? {} : { only }) })
  await life.engine.idle({ signal: AbortSignal.timeout(5000) })
  return rack.effects.slice(before)
}

test.for([false, true])('who was not reached when a value changed hears of it in the next run (sensitive: %s)', async (sensitive) => {
  await using life = await openLife(folder, rack)
  life.sessions.connectAll()
  expect(await run(life, planWith(1, sensitive))).toEqual(['role d/teller@n1', 'role d/hearer@n2'])
  word = 'two'
  expect(await run(life, planWith(2, sensitive), ['d/teller@n1'])).toEqual(['role d/teller@n1'])
  // The documents are equal and nothing runs that tells: only what was told is not what it was.
  const { changes } = (await work(life, planWith(2, sensitive))).changes
  expect(changes.map((one) => [one.step.id, one.certain, one.causes.map(({ kind }) => kind)])).toEqual([['d/hearer@n2', false, ['wants']]])
  expect(await run(life, planWith(2, sensitive))).toEqual(['role d/hearer@n2'])
  expect((await work(life, planWith(2, sensitive))).changes.changes).toEqual([])
})

test('who was not reached is left alone when in the end the value is what it was', async () => {
  await using life = await openLife(folder, rack)
  life.sessions.connectAll()
  await run(life, planWith(1, false))
  for (const [version, said] of [[2, 'two'], [3, 'one']] as const) {
    word = said
    await run(life, planWith(version, false), ['d/teller@n1'])
  }
  expect((await work(life, planWith(3, false))).changes.changes).toEqual([])
})
