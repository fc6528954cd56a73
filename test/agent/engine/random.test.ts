import { expect, test } from 'vitest'
import { runSequence } from './random-life.ts'

/** Many more were run once; set CROWBAR_SEEDS=FIRST-LAST to do so again. */
const [first = 1, last = 6] = (process.env['CROWBAR_SEEDS'] ?? '1-6').split('-').map(Number)

test.for(Array.from({ length: last - first + 1 }, (_, index) => first + index))('edits, kills, power cuts and approvals at random, seed %d: the ledger is what the nodes are, nothing is done twice', { timeout: 60_000 }, async (seed) => {
  const report = await runSequence(seed)
  expect(report.problems).toEqual([])
  expect(report.effects).toBeGreaterThan(10)
})
