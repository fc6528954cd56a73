import { expect, test } from 'vitest'
import { matching } from '../../../agent/control/approvals.ts'

const STEPS = ['install@web', 'install@web2', 'hello/db@web', 'install@db.x']

test.each([
  [['install@web'], ['install@web']],
  [['install@*'], ['install@web', 'install@web2', 'install@db.x']],
  [['install@web?'], ['install@web2']],
  [['*'], STEPS],
  // A dot is a dot, and no part of a name is a pattern of another kind.
  [['install@db.x', 'install@dbyx'], ['install@db.x']],
  [['(install@web'], []],
])('%j names %j', (patterns, steps) => {
  expect(matching(patterns, STEPS)).toEqual(steps)
})
