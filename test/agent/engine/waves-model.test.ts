import { expect, test } from 'vitest'
import { schedule } from '../../../agent/engine/schedule.ts'
import { prepareWork } from '../../../agent/engine/work.ts'
import type { Work } from '../../../agent/engine/work.ts'
import type { StepState, StepStatus } from '../../../agent/state/state.ts'
import { changesOf, planOf, rolloutOf, step } from './build-work.ts'
import fc from '../../property.ts'

const NODES = ['n0', 'n1', 'n2', 'n3', 'n4', 'n5']

/** Two roles on up to six nodes, of which the first is rolled out over any batches; the second may come before it or after it. */
const site = fc
  .record({
    batches: fc.array(fc.integer({ min: 0, max: 3 }), { minLength: 6, maxLength: 6 }),
    maxFailures: fc.integer({ min: 0, max: 2 }),
    gate: fc.boolean(),
    pause: fc.constantFrom('never' as const, 'after-first' as const, 'after-each' as const),
    before: fc.boolean(),
    both: fc.boolean(),
  })
  .map(({ batches, maxFailures, gate, pause, before, both }) => {
    const rolled = NODES.map((node) => step({ id: `d/r@${node}`, entries: { check: 'check.sh' }, needs: before ? [`d/s@${node}`] : [] }))
    const others = NODES.map((node) => step({ id: `d/s@${node}`, needs: before ? [] : [`d/r@${node}`] }))
    const plan = planOf([...rolled, ...others])
    const groups = [0, 1, 2, 3].map((group) => NODES.filter((_, index) => batches[index] === group)).filter((group) => group.length > 0)
    const rollout = rolloutOf(both ? [...rolled, ...others] : rolled, groups, { maxFailures, pause, gate: gate ? { role: 'd/r', timeout: 60 } : null })
    return { work: prepareWork({ commit: 'c', plan, changes: changesOf(plan, { rollouts: [rollout] }) }, null), groups, maxFailures, both, gate, pause }
  })

const moves = fc.array(
  fc.record({ which: fc.nat(), how: fc.constantFrom<StepStatus>('succeeded', 'succeeded', 'succeeded', 'succeeded', 'unchanged', 'failed', 'retrying', 'waiting'), person: fc.boolean() }),
  { minLength: 300, maxLength: 300 },
)

interface World {
  readonly steps: Map<string, StepState>
  readonly askAt: Map<string, number>
  readonly resumed: Record<string, number[]>
  now: number
}

function put({ steps, now }: World, work: Work, id: string, status: StepStatus): void {
  const { node, digest } = work.items.get(id)?.step ?? { node: null, digest: '' }
  const time = new Date(now).toISOString()
  steps.set(id, { status, node, digest, since: time, began: time, n: 1, failures: 0, lost: 0, sent: null, accepted: false, reason: null, code: null, on: 'machine', approval: null, retryAt: new Date(now + 50).toISOString(), provides: {}, sealed: {}, seconds: 0 })
}

test('no two batches at once, never beyond the budget, a gate or a pause, and every run ends', () => {
  fc.assert(
    fc.property(site, moves, ({ work, groups, maxFailures, both, gate, pause }, list) => {
      const world: World = { steps: new Map(), askAt: new Map(), resumed: {}, now: Date.parse('2026-01-01T00:00:00.000Z') }
      const batchOf = (id: string): number => groups.findIndex((group) => group.includes(work.items.get(id)?.step.node ?? ''))
      const governed = (id: string): boolean => id.startsWith('d/r@') || (both && id.startsWith('d/s@'))
      const status = (id: string): StepStatus | undefined => world.steps.get(id)?.status
      const isOver = (id: string): boolean => ['succeeded', 'unchanged', 'failed', 'skipped'].includes(status(id) ?? '')
      let done: string | null = null
      for (const move of list) {
        const decided = schedule({ work, steps: world.steps, active: new Set(), bootstrapped: new Set(), approved: new Set(), resumed: world.resumed, frozen: false, cancelled: false, limits: { running: 100, install: 10 }, now: world.now, askAt: world.askAt, patienceMs: 1000 })
        for (const id of decided.skip.keys()) put(world, work, id, 'skipped')
        for (const id of decided.start) {
          if (governed(id)) {
            const batch = batchOf(id)
            const earlier = [...work.items.keys()].filter((other) => governed(other) && batchOf(other) < batch)
            expect(earlier.filter((other) => !isOver(other))).toEqual([])
            const lost = new Set(earlier.filter((other) => status(other) === 'failed').map((other) => work.items.get(other)?.step.node))
            expect(lost.size).toBeLessThanOrEqual(maxFailures)
            for (const running of [...work.items.keys()].filter((other) => governed(other) && status(other) === 'running')) expect(batchOf(running)).toBe(batch)
            // Every gate of the batch before was passed, or its node had failed before.
            for (const { batch: of, step: { id: check } } of work.gates.values()) if (gate && of < batch) expect(['succeeded', 'unchanged', 'skipped']).toContain(status(check))
            if (batch > 0 && (pause === 'after-each' || (pause === 'after-first' && batch === 1))) expect(world.resumed['rollout/d/r'] ?? []).toContain(batch - 1)
          } else if (id.startsWith('gate/')) {
            const batch = work.gates.get(id)?.batch ?? -1
            expect([...work.items.keys()].filter((other) => governed(other) && batchOf(other) <= batch && !isOver(other))).toEqual([])
            expect([...work.items.keys()].filter((other) => governed(other) && batchOf(other) > batch && status(other) !== undefined && status(other) !== 'skipped')).toEqual([])
          }
          put(world, work, id, 'running')
        }
        done = decided.done
        const [position] = decided.rollouts
        if (done === 'partial' || done === 'failed') {
          // A person lets it go on, as long as there is something to go on with.
          if (position?.state !== 'paused' || position.pauseAfter === null) break
          world.resumed['rollout/d/r'] = [...(world.resumed['rollout/d/r'] ?? []), position.pauseAfter]
          continue
        }
        if (done !== null) break
        // Also before it comes to the pause.
        if (move.person && move.which % 7 === 0 && typeof position?.pauseAfter === 'number') world.resumed['rollout/d/r'] = [...(world.resumed['rollout/d/r'] ?? []), position.pauseAfter]
        const running = [...world.steps].filter(([, state]) => state.status === 'running').map(([id]) => id)
        const ends = running[move.which % Math.max(1, running.length)]
        world.now += 100
        if (ends === undefined) continue
        put(world, work, ends, move.how)
        world.askAt.set(ends, world.now + 50)
      }
      expect(done).not.toBeNull()
      const failed = [...world.steps.values()].some((state) => state.status === 'failed')
      expect(done).toBe(failed ? 'failed' : 'complete')
      if (done === 'complete') expect([...work.items.keys()].every(isOver)).toBe(true)
    }),
    { numRuns: 300 },
  )
})
