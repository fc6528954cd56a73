import { createHash } from 'node:crypto'
import { createServer } from 'node:http'
import type { IncomingMessage, ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import { expect, test } from 'vitest'
import { download } from '../../../../agent/node/tasks/download.ts'
import { runProgram } from '../../../../agent/node/run-program.ts'
import { matchesType } from '../../../../agent/node/tasks/provide-type.ts'
import { redactor, sensitiveTexts } from '../../../../agent/node/tasks/redact.ts'

const DATA = Buffer.from(Array.from({ length: 300_000 }, (_, index) => index % 251))
const SHA256 = createHash('sha256').update(DATA).digest('hex')

async function serve(answer: (request: IncomingMessage, response: ServerResponse, n: number) => void) {
  let n = 0
  const server = createServer((request, response) => answer(request, response, ++n))
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}/file`,
    async [Symbol.asyncDispose]() {
      server.closeAllConnections()
      await new Promise((resolve) => server.close(resolve))
    },
  }
}

async function fetchAll(url: string, over: Partial<{ sha256: string; bytes: number }> = {}): Promise<Buffer> {
  const chunks: Buffer[] = []
  for await (const chunk of download({ url, sha256: SHA256, bytes: DATA.length, ...over }, { signal: AbortSignal.timeout(60_000), firstWaitMs: 10 })) chunks.push(chunk)
  return Buffer.concat(chunks)
}

test('a download that breaks goes on where it broke, with a server that knows ranges and with one that does not', async () => {
  const ranges: (string | undefined)[] = []
  await using ranged = await serve((request, response, n) => {
    ranges.push(request.headers.range)
    const start = Number(/bytes=([0-9]+)-/.exec(request.headers.range ?? '')?.[1] ?? '0')
    response.writeHead(start === 0 ? 200 : 206, { 'content-length': DATA.length - start })
    if (n < 3) response.write(DATA.subarray(start, start + 100_000), () => response.destroy())
    else response.end(DATA.subarray(start))
  })
  expect((await fetchAll(ranged.url)).equals(DATA)).toBe(true)
  expect(ranges[0]).toBeUndefined()
  expect(ranges.length).toBe(3)
  await using plain = await serve((_request, response, n) => {
    response.writeHead(200, { 'content-length': DATA.length })
    if (n === 1) response.write(DATA.subarray(0, 100_000), () => response.destroy())
    else response.end(DATA)
  })
  expect((await fetchAll(plain.url)).equals(DATA)).toBe(true)
})

test('a file with another hash, or longer than announced, never comes to its end', async () => {
  await using server = await serve((_request, response) => response.end(DATA))
  await expect(fetchAll(server.url, { sha256: 'ab'.repeat(32) })).rejects.toMatchObject({ code: 'CONTENT_MISMATCH' })
  await expect(fetchAll(server.url, { bytes: 1000 })).rejects.toMatchObject({ code: 'CONTENT_MISMATCH' })
})

test('a server that has no such file ends it at once, one that is overloaded is asked again', async () => {
  await using missing = await serve((_request, response) => response.writeHead(404).end())
  await expect(fetchAll(missing.url)).rejects.toMatchObject({ code: 'FETCH_FAILED' })
  await using busy = await serve((_request, response, n) => (n < 3 ? response.writeHead(503).end() : response.end(DATA)))
  expect((await fetchAll(busy.url)).equals(DATA)).toBe(true)
})

test('sensitive values are taken out of output: whole, by line, as JSON, and short ones only where they stand alone', () => {
  const document = { a: { key: '-----BEGIN\nSECRETLINE\n', list: ['alpha', { n: 4711 }] }, b: 'x7', 'c/d': 'slash"ed', flag: true, none: null }
  const redact = redactor(sensitiveTexts(document, ['/a', '/b', '/c~1d', '/flag', '/none', '/missing']))
  expect(redact('got SECRETLINE and alpha4711')).toBe('got [redacted] and [redacted][redacted]')
  expect(redact('{"x":"slash\\"ed"}')).toBe('{"x":"[redacted]"}')
  expect(redact('x7 max70 -x7- true null')).toBe('[redacted] max70 -[redacted]- true null')
})

test.each([
  ['string', '', true], ['string', 1, false], ['integer', 1, true], ['integer', 1.5, false], ['integer', '1', false], ['number', 1.5, true], ['boolean', 'true', false],
  ['list', [], true], ['map', [], false], ['map', {}, true], ['map', null, false], ['any', null, true], ['nonsense', 1, false],
] as const)('%s takes %j: %s', (type, value, right) => {
  expect(matchesType(value, type)).toBe(right)
})

test.each([0, 4, 8, 16_390, 32_760])('a sensitive value is taken out of a line without end wherever the line is cut (%i)', async (shift) => {
  const redact = redactor(['SECRETVALUE'])
  const lines: string[] = []
  const script = `head -c ${16_380 + shift} /dev/zero | tr '\\0' x; printf SECRETVALUE; head -c 50000 /dev/zero | tr '\\0' y; printf 'SECRET'; sleep 0.1; printf 'VALUE'; head -c 40000 /dev/zero | tr '\\0' z`
  await runProgram(['sh', '-c', script], { signal: AbortSignal.timeout(10_000), clean: redact, onLine: (_, line) => void lines.push(redact(line)) })
  const said = lines.join('')
  expect(said).not.toContain('SECRET')
  expect(said).not.toContain('VALUE')
  expect(said).toMatch(/^x+\[redacted\]y+\[redacted\]z+$/)
  expect(Math.max(...lines.map(({ length }) => length))).toBeLessThan(40_000)
})
