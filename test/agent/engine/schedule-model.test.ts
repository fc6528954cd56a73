import { expect, test } from 'vitest'
import { schedule } from '../../../agent/engine/schedule.ts'
import { ancestors, prepareWork } from '../../../agent/engine/work.ts'
import type { StepState, StepStatus } from '../../../agent/state/state.ts'
import { changesOf, planOf, step } from './build-work.ts'
import fc from '../../property.ts'

/** A small site: steps on a few nodes or on none, needs that point backwards, some removals, some that a person must approve. */
const site = fc
  .array(fc.record({ node: fc.integer({ min: -1, max: 3 }), needs: fc.array(fc.nat(), { maxLength: 3 }), removal: fc.boolean(), approval: fc.integer({ min: 0, max: 9 }) }), { minLength: 1, maxLength: 12 })
  .map((inputs) => {
    const id = (index: number): string => `d/r${index}${inputs[index]?.node === -1 ? '' : `@n${inputs[index]?.node}`}${isRemoval(index) ? '#remove' : ''}`
    const isRemoval = (index: number): boolean => inputs[index]?.removal === true && inputs[index]?.node !== -1
    const steps = inputs.map((input, index) =>
      step({
        id: id(index),
        kind: 'role',
        node: input.node === -1 ? null : `n${input.node}`,
        action: isRemoval(index) ? 'remove' : 'run',
        // A removal comes after removals only: what the compiler makes of a ledger.
        needs: index === 0 ? [] : [...new Set(input.needs.map((need) => need % index))].filter((need) => !isRemoval(index) || isRemoval(need)).map(id),
      }),
    )
    const plan = planOf(steps.filter((one) => one.action === 'run'))
    const approve = steps.filter((_, index) => inputs[index]?.approval === 0).map((one) => one.id)
    return { steps, work: prepareWork({ commit: 'c', plan, changes: changesOf(plan, { removals: steps.filter((one) => one.action === 'remove'), approve }) }, null), approve }
  })

/** What the world does next: which running step ends, and how. */
const moves = fc.array(fc.record({ which: fc.nat(), how: fc.constantFrom<StepStatus>('succeeded', 'succeeded', 'succeeded', 'unchanged', 'failed', 'retrying', 'waiting') }), { minLength: 200, maxLength: 200 })

test('every run ends, never runs two steps on a node, and never one before what it needs', () => {
  fc.assert(
    fc.property(site, moves, ({ work, approve, steps: all }, world) => {
      const steps = new Map<string, StepState>()
      const askAt = new Map<string, number>()
      const started: string[] = []
      const approved = new Set<string>()
      const put = (id: string, status: StepStatus, more: Partial<StepState> = {}): void => {
        const { node, digest } = work.items.get(id)?.step ?? { node: null, digest: '' }
        steps.set(id, { status, node, digest, since: new Date(now).toISOString(), began: new Date(now).toISOString(), n: 1, failures: 0, lost: 0, sent: null, accepted: false, reason: null, code: null, on: null, approval: null, retryAt: null, provides: {}, sealed: {}, seconds: 0, ...more })
      }
      const isDone = (id: string): boolean => ['succeeded', 'unchanged'].includes(steps.get(id)?.status ?? '')
      const isOver = (id: string): boolean => isDone(id) || ['failed', 'skipped'].includes(steps.get(id)?.status ?? '')
      let now = Date.parse('2026-01-01T00:00:00.000Z')
      let done: string | null = null

      for (const move of world) {
        const decided = schedule({ work, steps, active: new Set(), bootstrapped: new Set(), approved, resumed: {}, frozen: false, cancelled: false, limits: { running: 4, install: 1 }, now, askAt, patienceMs: 1000 })
        for (const [id, cause] of decided.skip) {
          expect(steps.get(cause)?.status === 'failed' || decided.skip.has(cause) || steps.get(cause)?.status === 'skipped').toBe(true)
          put(id, 'skipped')
        }
        for (const id of decided.start) {
          const item = work.items.get(id)
          expect(item?.needs.every(isDone)).toBe(true)
          const mates = [...steps].filter(([other, state]) => other !== id && state.status === 'running' && state.node === item?.step.node && state.node !== null)
          expect(mates).toEqual([])
          const undecided = approve.filter((one) => one !== id && !isOver(one) && !approved.has(one) && work.items.get(one)?.step.node === item?.step.node && item?.step.node !== null)
          // The first that waits for a person holds the node; only what it needs, or it itself, may start.
          if (undecided.length > 0) expect(approve.includes(id) || undecided.some((one) => ancestors(one, work.items).has(id))).toBe(true)
          started.push(id)
          // A person answers some time after being asked.
          if (approve.includes(id) && !approved.has(id)) {
            put(id, 'waiting', { on: 'person' })
            approved.add(id)
          } else {
            put(id, 'running')
          }
        }
        expect([...steps.values()].filter((state) => state.status === 'running').length).toBeLessThanOrEqual(4)
        done = decided.done
        if (done !== null) break
        const running = [...steps].filter(([, state]) => state.status === 'running').map(([id]) => id)
        const ends = running[move.which % Math.max(1, running.length)]
        now += 100
        if (ends === undefined) continue
        put(ends, move.how, { on: 'machine', retryAt: new Date(now + 50).toISOString() })
        askAt.set(ends, now + 50)
      }

      expect(done).not.toBeNull()
      if (done === 'complete') expect(all.every((one) => isDone(one.id))).toBe(true)
      if (done === 'partial') expect([...steps.values()].some((state) => state.status === 'failed')).toBe(false)
      // Whatever started is a linear extension: all that a step needs started before it.
      for (const [index, id] of started.entries()) for (const need of work.items.get(id)?.needs ?? []) expect(started.slice(0, index)).toContain(need)
    }),
    { numRuns: 400 },
  )
})
