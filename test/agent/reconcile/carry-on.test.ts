import { expect, test } from 'vitest'
import type { Changes } from '../../../schemas/changes.ts'
import { CONSEQUENCES } from '../../../schemas/documents/words.ts'
import type { Plan } from '../../../schemas/plan.ts'
import { printStatus } from '../../../agent/cli/status.ts'
import { describeStatus } from '../../../agent/control/status.ts'
import type { Engine } from '../../../agent/engine/engine.ts'
import { carryOn, heldBack, holdOf } from '../../../agent/reconcile/carry-on.ts'
import type { Compiled } from '../../../agent/reconcile/reconcile.ts'
import { emptyState } from '../../../agent/state/growing-state.ts'

type Level = 'manual' | 'safe' | 'automatic'
const changesOf = (consequences: readonly string[], violations: readonly object[] = []): Changes => ({ changes: consequences.map((consequence, i) => ({ step: { id: `d/r@n${i + 1}`, node: `n${i + 1}` }, consequence, needsApproval: consequence === 'wipe' })), renamed: [], violations }) as unknown as Changes
const compiled = (apply: Level, consequences: readonly string[], { commit = 'c2', violations = [] as readonly object[] } = {}): Compiled => ({ kind: 'compiled', commit, asOf: 7, plan: { site: { automation: { apply }, admin: {} }, nodes: {}, steps: [] } as unknown as Plan, changes: changesOf(consequences, violations) }) as unknown as Compiled

/** What the engine is asked for. */
async function asked(next: Compiled, { run = null as object | null, had = [] as readonly string[], isOwn = false } = {}): Promise<string[]> {
  const log: string[] = []
  const engine = {
    state: { run },
    work: run === null ? undefined : { changes: changesOf(had) },
    extend: (_work: unknown, { reason }: { reason: string }) => Promise.resolve(void log.push(`extend: ${reason}`)),
    start: (work: Compiled, { reason, asOf }: { reason: string; asOf?: number }) => Promise.resolve(void log.push(`start ${work.commit} as of ${asOf}: ${reason}`)),
    hurry: () => void log.push('hurry'),
  } as unknown as Engine
  await carryOn(engine, { compiled: next, isOwnSince: (commit) => Promise.resolve(isOwn && commit === 'c1') })
  return log
}
const over = (commit: string, state = 'complete'): object => ({ work: { commit }, ended: { state }, cancelled: null })
const going = (commit: string): object => ({ work: { commit }, ended: null, cancelled: null })

test.each(CONSEQUENCES.map((one) => [one, CONSEQUENCES.indexOf(one) > CONSEQUENCES.indexOf('reboot')] as const))('safe begins %s by itself: %s', async (consequence, isSafe) => {
  expect(await asked(compiled('safe', ['run', consequence]))).toEqual(isSafe ? ['start c2 as of 7: automation.apply: safe'] : [])
  expect(holdOf(compiled('safe', ['run', consequence]))?.consequence).toBe(isSafe ? undefined : consequence)
  // Wiping waits for its approval within the run; the rest of the commit does not.
  expect(await asked(compiled('automatic', ['run', consequence]))).toEqual(['start c2 as of 7: automation.apply: automatic'])
  expect(await asked(compiled('manual', ['run', consequence]))).toEqual([])
})

test('nothing is begun that a policy denies, that is begun already, or that changes nothing', async () => {
  const denied = { violations: [{ policy: 'by-hand', level: 'deny', message: 'not this one', at: null }] }
  expect(await asked(compiled('automatic', ['run'], denied))).toEqual([])
  expect(holdOf(compiled('automatic', ['run'], denied))).toMatchObject({ consequence: null, because: 'by-hand: not this one' })
  expect(await asked(compiled('safe', ['run']), { run: over('c2', 'failed') })).toEqual([])
  expect(await asked(compiled('safe', []))).toEqual([])
})

test('a commit that asks for nothing takes the place of a run that may go on', async () => {
  expect(await asked(compiled('safe', []), { run: over('c1', 'partial') })).toEqual(['start c2 as of 7: automation.apply: safe'])
  expect(await asked(compiled('safe', []), { run: going('c1') })).toEqual(['hurry'])
  expect(await asked(compiled('safe', []), { run: over('c1') })).toEqual([])
  expect(await asked(compiled('manual', []), { run: over('c1', 'partial') })).toEqual([])
})

test('a commit that comes while a run goes on hurries that run to its end, and is begun after it', async () => {
  expect(await asked(compiled('safe', ['run']), { run: going('c1') })).toEqual(['hurry'])
  expect(await asked(compiled('safe', ['run']), { run: over('c1') })).toEqual(['start c2 as of 7: automation.apply: safe'])
  expect(await asked(compiled('safe', ['reboot']), { run: going('c1') })).toEqual([])
})

test('what was seen extends the run, and under safe brings nothing into it that it would not have begun', async () => {
  expect(await asked(compiled('manual', ['wipe']), { run: going('c1'), isOwn: true })).toEqual(['extend: machines were seen'])
  expect(await asked(compiled('safe', ['run']), { run: going('c1'), had: ['run'], isOwn: true })).toEqual(['extend: machines were seen'])
  expect(await asked(compiled('safe', ['run', 'wipe']), { run: going('c1'), had: ['run'], isOwn: true })).toEqual([])
  // It was extended by that commit already.
  expect(await asked(compiled('manual', ['wipe']), { run: going('c2'), isOwn: true })).toEqual([])
  // A person has begun that one.
  expect(await asked(compiled('safe', ['wipe']), { run: going('c1'), had: ['reinstall'], isOwn: true })).toEqual(['extend: machines were seen'])
})

test('status says what is held, at its worst, until a run of that commit', () => {
  const newest = compiled('safe', ['run', 'reboot', 'remove', 'remove'])
  const hold = heldBack(newest, null)
  expect(hold).toEqual({ consequence: 'remove', steps: 2, because: 'the worst that it may do is remove: d/r@n3 and 1 more; automation.apply: safe begins nothing that restarts a machine or does worse' })
  expect(heldBack(newest, { work: { commit: 'c2' } } as never)).toBeNull()
  expect(heldBack(null, null)).toBeNull()
  const status = describeStatus({ agent: { node: 'adm', version: '1', ready: true, readyReason: null }, site: { repository: '/s', branch: 'main' }, state: emptyState(), plan: newest.plan, held: hold === null ? null : { commit: newest.commit, ...hold }, changes: null, schedule: null, ledger: { nodes: {}, machines: {}, values: {}, run: null }, now: 0 })
  expect(printStatus(status).split('\n')[3]).toBe('held  c2 is not applied by itself: the worst that it may do is remove: d/r@n3 and 1 more; automation.apply: safe begins nothing that restarts a machine or does worse; look at it (crowbar apply --dry-run), then crowbar apply')
})
