import { afterEach, beforeEach, expect, test, vi } from 'vitest'
import { openWriteBehind } from '../../../agent/proxy/write-behind.ts'

beforeEach(() => void vi.useFakeTimers())
afterEach(() => void vi.useRealTimers())

test('an object waits until nothing arrives any more, or for two seconds', async () => {
  const writing = openWriteBehind()
  const written: string[] = []
  const write = (name: string): void => {
    void writing.write(() => Promise.resolve(void written.push(name)))
  }
  writing.expect()
  write('late')
  await vi.advanceTimersByTimeAsync(1_900)
  expect(written).toEqual([])
  await vi.advanceTimersByTimeAsync(100)
  expect(written).toEqual(['late'])
  write('calm')
  writing.arrived()
  await vi.advanceTimersByTimeAsync(100)
  expect(written).toEqual(['late', 'calm'])
})

test('at most 256 objects wait, and two are written at once', async () => {
  const writing = openWriteBehind()
  writing.expect()
  let running = 0
  let most = 0
  const { promise, resolve } = Promise.withResolvers<void>()
  const all = Array.from({ length: 260 }, () => writing.write(async () => {
    running += 1
    most = Math.max(most, running)
    await promise
    running -= 1
  }))
  await vi.advanceTimersByTimeAsync(10)
  expect(running).toBe(2)
  writing.hurry()
  resolve()
  await vi.advanceTimersByTimeAsync(10)
  await Promise.all(all)
  expect(most).toBe(2)
})
