import { expect, test } from 'vitest'
import { setClock } from '../../../agent/node/clock.ts'
import { parseCommandLine } from '../../../agent/node/config.ts'
import { Outbox } from '../../../agent/node/outbox.ts'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'

const CA = 'ab'.repeat(32)

test('the discovery image reads its configuration from the kernel command line', () => {
  expect(parseCommandLine(`quiet crowbar.url=wss://192.0.2.10:8443/node crowbar.ca=sha256:${CA} crowbar.token=a.b== crowbar.time=http://192.0.2.10/time console=ttyS0\n`)).toEqual({
    environment: 'discovery', url: 'wss://192.0.2.10:8443/node', ca: CA, token: 'a.b==', node: null, incarnation: null, time: 'http://192.0.2.10/time',
  })
  expect(parseCommandLine('root=UUID=1 ro')).toBeUndefined()
})

test.each([`crowbar.url=http://192.0.2.10/ crowbar.ca=${CA}`, 'crowbar.url=wss://192.0.2.10/', 'crowbar.url=wss://192.0.2.10/ crowbar.ca=abcd'])('it refuses %j', (line) => {
  expect(() => parseCommandLine(line)).toThrow(expect.objectContaining({ code: 'CONFIG_INVALID' }) as Error)
})

test('the clock is set only when it is off by more than a minute', async () => {
  const server = createServer((_request, response) => response.end('2026-05-01T12:00:00.000Z\n'))
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}/time`
  const { signal } = new AbortController()
  const set: number[] = []
  const clock = (now: number) => setClock(url, { now: () => now, signal, set: async (seconds) => void set.push(seconds) })
  const right = Date.parse('2026-05-01T12:00:00Z')
  expect(await clock(right - 59_000)).toBe(0)
  expect(await clock(0)).toBe(right)
  expect(set).toEqual([right / 1000])
  await new Promise((resolve) => server.close(resolve))
})

test('output that nobody reads is bounded, the oldest goes first and it says so; results stay', () => {
  const outbox = new Outbox()
  outbox.add({ type: 'accepted', attempt: 'a' })
  for (let n = 0; n < 3000; n++) outbox.add({ type: 'output', attempt: 'a', stream: 'stdout', text: `${String(n).padStart(999)}\n` })
  const items = []
  for (let item = outbox.take(); item !== undefined; item = outbox.take()) items.push(item)
  const texts = items.filter((item) => item.type === 'output').map(({ text }) => text)
  expect(items[0]).toEqual({ type: 'accepted', attempt: 'a' })
  expect(texts[0]).toMatch(/^\[[0-9]+ characters of output were dropped while nobody listened\]\n/)
  expect(texts.at(-1)?.endsWith('2999\n')).toBe(true)
  expect(texts.join('').length).toBeLessThan(1024 * 1024 + 200)
})
