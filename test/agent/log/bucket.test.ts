import { expect, test } from 'vitest'
import { openBucket } from '../../../agent/log/bucket.ts'

test('a bucket gives a burst, then so many a second, and tells what it dropped', () => {
  let now = 5_000
  const take = openBucket({ burst: 3, perSecond: 2, now: () => now })
  expect([take(), take(), take(), take(), take()]).toEqual([0, 0, 0, undefined, undefined])
  now += 1000
  expect([take(), take(), take()]).toEqual([2, 0, undefined])
  // A clock that is set back gives nothing, and takes nothing away for long.
  now -= 100_000
  expect(take()).toBeUndefined()
  now += 500
  expect(take()).toBe(2)
})
