import { expect, test } from 'vitest'
import { negotiate, wireBlock } from '../../../../agent/boot/tftp/negotiate.ts'
import { safePath } from '../../../../agent/boot/tftp/safe-path.ts'

const limits = { mostBlockBytes: 1468, mostWindowBlocks: 64 }
const terms = (asked: Readonly<Record<string, string>>): ReturnType<typeof negotiate> => negotiate(new Map(Object.entries(asked)), 5000, limits)

test('without options there is nothing to acknowledge', () => {
  expect(terms({})).toEqual({ blockBytes: 512, windowBlocks: 1, timeoutMs: undefined, rollover: 0, accepted: new Map() })
})

test('agrees on what it can, in the order asked, and tells the size', () => {
  const agreed = terms({ tsize: '0', blksize: '65464', windowsize: '1000', timeout: '3', rollover: '1', multicast: '' })
  expect(agreed).toMatchObject({ blockBytes: 1468, windowBlocks: 64, timeoutMs: 3000, rollover: 1 })
  expect([...agreed.accepted]).toEqual([['tsize', '5000'], ['blksize', '1468'], ['windowsize', '64'], ['timeout', '3'], ['rollover', '1']])
})

test.each([{ blksize: '7' }, { blksize: '65465' }, { blksize: '-1' }, { blksize: '1e3' }, { timeout: '0' }, { timeout: '256' }, { windowsize: '0' }, { rollover: '2' }, { tsize: 'x' }])(
  'passes over %j',
  (asked) => {
    expect(terms(asked as unknown as Record<string, string>).accepted.size).toBe(0)
  },
)

test('block numbers start again at 0, or at 1 where asked', () => {
  expect([1, 65_535, 65_536, 65_537, 131_072].map((block) => wireBlock(block, 0))).toEqual([1, 65_535, 0, 1, 0])
  expect([1, 65_535, 65_536, 65_537, 131_070, 131_071].map((block) => wireBlock(block, 1))).toEqual([1, 65_535, 1, 2, 65_535, 1])
})

test('names lose their extra slashes', () => {
  expect(['/a/b', 'a//b/', 'a'].map(safePath)).toEqual(['a/b', 'a/b', 'a'])
})

test.each(['', '/', '..', 'a/../b', './a', 'a\\b', 'a\0b', 'a\nb', 'ä', 'a'.repeat(256)])('the name %j is refused', (name) => {
  expect(safePath(name)).toBeUndefined()
})
