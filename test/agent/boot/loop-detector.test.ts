import { expect, test } from 'vitest'
import { LoopDetector } from '../../../agent/boot/loop-detector.ts'

const mac = '52:54:00:00:00:01'

test('the fourth loader within two minutes is one too many, until the window has passed', () => {
  const loops = new LoopDetector()
  expect([0, 1, 2].map((at) => loops.loaderSent(mac, at))).toEqual([undefined, undefined, undefined])
  expect(loops.isLooping(mac, 3)).toBe(false)
  expect(loops.loaderSent(mac, 4)).toBe(4)
  expect(loops.isLooping(mac, 5)).toBe(true)
  expect(loops.isLooping('52:54:00:00:00:02', 5)).toBe(false)
  expect(loops.isLooping(mac, 120_001)).toBe(false)
})

test('a machine that asks for its script is getting on', () => {
  const loops = new LoopDetector()
  for (let at = 0; at < 20; at += 1) {
    expect(loops.loaderSent(mac, at)).toBeUndefined()
    loops.scriptSent(mac)
  }
})
