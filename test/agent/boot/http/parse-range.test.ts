import { expect, test } from 'vitest'
import { parseRange } from '../../../../agent/boot/http/parse-range.ts'

test.each([
  [undefined, 'whole'],
  ['bytes=0-9', { first: 0, last: 9 }],
  ['bytes=90-', { first: 90, last: 99 }],
  ['bytes=90-1000', { first: 90, last: 99 }],
  ['bytes=-10', { first: 90, last: 99 }],
  ['bytes=-1000', { first: 0, last: 99 }],
  ['bytes=100-', 'unsatisfiable'],
  ['bytes=-0', 'unsatisfiable'],
  ['bytes=9-0', 'whole'],
  ['bytes=0-1,3-4', 'whole'],
  ['bytes=-', 'whole'],
  ['lines=1-2', 'whole'],
  ['bytes=99999999999999999999-', 'whole'],
] as const)('%s of 100 bytes is %j', (header, range) => {
  expect(parseRange(header, 100)).toEqual(range)
})

test('nothing can be asked of an empty file but the whole', () => {
  expect(['bytes=0-0', 'bytes=-1', 'bytes=0-'].map((header) => parseRange(header, 0))).toEqual(['unsatisfiable', 'unsatisfiable', 'unsatisfiable'])
})
