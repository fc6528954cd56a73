import { mkdtempSync, rmSync, statSync } from 'node:fs'
import { request } from 'node:http'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { controlClient, ControlError } from '../../../agent/control/control-client.ts'
import { serveControl } from '../../../agent/control/serve-control.ts'
import type { ControlOperations } from '../../../agent/control/serve-control.ts'

let folder = ''
let socket = ''
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'crowbar-control-'))
  socket = join(folder, 'control.sock')
})
afterEach(() => rmSync(folder, { recursive: true, force: true }))

const asked: unknown[] = []
const fixed = {
  apply: request => {
    asked.push(request)
    return Promise.resolve({ outcome: 'nothing', denied: false, run: null, commit: 'c', steps: 0, message: 'nothing to do', diagnostics: [] })
  },
  cancel: () => Promise.reject(Object.assign(new Error('no run goes on'), { code: 'NO_RUN' })),
  sequence: () => Promise.resolve(7),
  document: () => Promise.resolve(null),
  async *events({ after, signal }) {
    for (let seq = after + 1; !signal.aborted; seq++) {
      yield { seq }
      await new Promise(resolve => setImmediate(resolve))
    }
  },
} as Partial<ControlOperations> as ControlOperations

test('only its owner may open the socket, and it is gone when the server is closed', async () => {
  {
    await using _server = await serveControl(socket, fixed)
    expect(statSync(socket).mode & 0o777).toBe(0o600)
  }
  expect(() => statSync(socket)).toThrow(/ENOENT/)
})

test('a call goes through with its body, a failing one tells its code', async () => {
  await using _server = await serveControl(socket, fixed)
  const client = controlClient(socket)
  expect(await client.post('/apply', { ref: 'main', approve: ['install@*'] })).toMatchObject({ outcome: 'nothing' })
  expect(asked.at(-1)).toEqual({ ref: 'main', approve: ['install@*'] })
  await expect(client.post('/cancel')).rejects.toThrow('no run goes on (NO_RUN)')
  await expect(client.get('/plan')).rejects.toThrow('nothing was compiled yet')
  await expect(client.get('/nothing')).rejects.toThrow('NO_SUCH_CALL')
})

test('what an event holds comes through whole, whatever is an end of line elsewhere', async () => {
  const odd = { seq: 1, text: 'a\u2028b\u2029c\rd\u0085e\r\nf\u0000 漢 \u{1F600}', long: '漢'.repeat(100_000) }
  // oxlint-disable-next-line require-await
  await using _server = await serveControl(socket, { ...fixed, async *events() {
    yield odd
    yield { seq: 2 }
  } } as Partial<ControlOperations> as ControlOperations)
  const told: unknown[] = []
  for await (const event of controlClient(socket).lines('/events?after=0', AbortSignal.timeout(10_000))) told.push(event)
  expect(told).toEqual([odd, { seq: 2 }])
})

test('a body that is not understood is refused before anything happens', async () => {
  await using _server = await serveControl(socket, fixed)
  const before = asked.length
  await expect(controlClient(socket).post('/apply', { ref: 'main', approve: 'all' })).rejects.toThrow(/not understood: \/approve/)
  await expect(controlClient(socket).post('/apply', { ref: null, approve: [], force: true })).rejects.toThrow(/not understood/)
  const status = await new Promise(resolve => {
    request({ socketPath: socket, path: '/apply', method: 'POST' }, response => resolve(response.statusCode)).end('{"ref":')
  })
  expect(status).toBe(400)
  expect(asked.length).toBe(before)
})

test('a stream goes on until the listener leaves, and ends when the server closes', async () => {
  const server = await serveControl(socket, fixed)
  const seen: number[] = []
  for await (const event of controlClient(socket).lines<{ seq: number }>('/events?after=41&follow', AbortSignal.timeout(10_000))) {
    seen.push(event.seq)
    if (seen.length === 3) break
  }
  expect(seen).toEqual([42, 43, 44])
  const rest = (async () => {
    for await (const _ of controlClient(socket).lines('/events?follow', AbortSignal.timeout(10_000)));
  })().catch((error: unknown) => error)
  await server[Symbol.asyncDispose]()
  await rest
})

test('nobody there is an error that says what to do', async () => {
  await expect(controlClient(socket).get('/status')).rejects.toBeInstanceOf(ControlError)
  await expect(controlClient(socket).get('/status')).rejects.toThrow(/crowbar agent --config/)
})
