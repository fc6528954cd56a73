import { randomBytes } from 'node:crypto'
import { expect, test } from 'vitest'
import { hashOf } from '../../../agent/stage/object-hash.ts'
import { testUpstream } from '../../builders/upstream.ts'
import { openTestProxy } from './open-test-proxy.ts'

const CONTENT = randomBytes(2_000_000)
const SHA256 = hashOf(CONTENT).slice(7)

test('a file is served under its name, and by its URL, from whichever upstream has it right', async () => {
  const wrong = Buffer.from(CONTENT)
  wrong[0] = (wrong[0] ?? 0) ^ 1
  await using first = await testUpstream(new Map([['file.tar', wrong.subarray(0, 100)]]))
  await using second = await testUpstream(new Map([['mirror/file.tar', CONTENT]]))
  await using proxy = await openTestProxy([{ type: 'file', name: 'source', upstreams: [`${second.url}mirror/file.tar`, `${first.url}file.tar`], sha256: SHA256 }])
  expect((await proxy.get('/files/source')).body.equals(CONTENT)).toBe(true)
  expect((await proxy.get(`${first.url}file.tar`)).body.equals(CONTENT)).toBe(true)
  expect((await proxy.get('/files/source/file.tar', { headers: { range: 'bytes=-5' } })).body.equals(CONTENT.subarray(-5))).toBe(true)
  expect(second.asked).toEqual(['mirror/file.tar', 'mirror/file.tar'])
})

test('a file that is not what the site says is not served whole', async () => {
  const wrong = Buffer.from(CONTENT)
  wrong[0] = (wrong[0] ?? 0) ^ 1
  await using upstream = await testUpstream(new Map([['file.tar', wrong]]))
  await using proxy = await openTestProxy([{ type: 'file', name: 'source', upstreams: [`${upstream.url}file.tar`], sha256: SHA256 }], { limits: { rounds: 1 } })
  const got = await proxy.get('/files/source')
  expect([got.whole, got.body.length < CONTENT.length]).toEqual([false, true])
})

test('a file for which nothing vouches is refused', async () => {
  await using proxy = await openTestProxy([{ type: 'file', name: 'source', upstreams: ['http://127.0.0.1:9/file.tar'], sha256: null }])
  const got = await proxy.get('/files/source')
  expect([got.status, got.body.toString()]).toEqual([403, 'crowbar: the file source: its source has no sha256, so nothing vouches for it\n'])
})
