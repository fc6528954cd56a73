import { expect, test } from 'vitest'
import { writeCpio } from '../../../../agent/image/discovery/cpio.ts'
import type { CpioEntry } from '../../../../agent/image/discovery/cpio.ts'

async function archive(entries: readonly CpioEntry[], epoch = 1_700_000_000): Promise<Buffer> {
  const chunks: Buffer[] = []
  for await (const chunk of writeCpio(entries, epoch)) chunks.push(chunk)
  return Buffer.concat(chunks)
}

function file(path: string, text: string, mode = 0o644): CpioEntry {
  return { kind: 'file', path, mode, content: async () => Buffer.from(text) }
}

interface Read {
  readonly path: string
  readonly mode: string
  readonly time: number
  readonly body: string
  readonly device: string
}

/** Reads the format by its description, not by our writer: 6 bytes of magic, 13 fields of 8 hex digits. */
function read(bytes: Buffer): Read[] {
  const found: Read[] = []
  for (let at = 0; ;) {
    const field = (index: number): number => Number.parseInt(bytes.toString('latin1', at + 6 + index * 8, at + 14 + index * 8), 16)
    expect(bytes.toString('latin1', at, at + 6)).toBe('070701')
    expect(at % 4).toBe(0)
    const path = bytes.toString('utf8', at + 110, at + 110 + field(11) - 1)
    if (path === 'TRAILER!!!') return found
    const body = Math.ceil((at + 110 + field(11)) / 4) * 4
    found.push({ path, mode: field(1).toString(8), time: field(5), body: bytes.toString('utf8', body, body + field(6)), device: `${field(9)}:${field(10)}` })
    at = Math.ceil((body + field(6)) / 4) * 4
  }
}

test('every kind of entry is written with its type, mode and body', async () => {
  const bytes = await archive([
    file('init', '#!/bin/sh\n', 0o755), { kind: 'folder', path: 'tmp', mode: 0o1777 }, { kind: 'link', path: 'bin', target: 'usr/bin' },
    { kind: 'character-device', path: 'console', mode: 0o600, major: 5, minor: 1 },
  ])
  expect(read(bytes)).toEqual([
    { path: 'bin', mode: '120777', time: 1_700_000_000, body: 'usr/bin', device: '0:0' },
    { path: 'console', mode: '20600', time: 1_700_000_000, body: '', device: '5:1' },
    { path: 'init', mode: '100755', time: 1_700_000_000, body: '#!/bin/sh\n', device: '0:0' },
    { path: 'tmp', mode: '41777', time: 1_700_000_000, body: '', device: '0:0' },
  ])
  expect(bytes.length % 512).toBe(0)
})

test('folders that are not listed come before what is in them', async () => {
  expect(read(await archive([file('usr/lib/a/b', ''), { kind: 'folder', path: 'usr/lib', mode: 0o700 }])).map(entry => [entry.path, entry.mode])).toEqual([
    ['usr', '40755'], ['usr/lib', '40700'], ['usr/lib/a', '40755'], ['usr/lib/a/b', '100644'],
  ])
})

test('bodies and names of any length keep the four-byte alignment', async () => {
  const entries = Array.from({ length: 9 }, (_, length) => file('n'.repeat(length + 1), 'x'.repeat(length)))
  expect(read(await archive(entries)).map(entry => entry.body.length)).toEqual([0, 1, 2, 3, 4, 5, 6, 7, 8])
})

test('the order in which entries are given does not matter', async () => {
  const entries = [file('b', '2'), file('a/c', '3'), file('a/b', '1')]
  expect(await archive(entries.toReversed())).toEqual(await archive(entries))
})

test('two entries of one name are refused', async () => {
  await expect(archive([file('a', '1'), file('a', '2')])).rejects.toThrow('two entries for a')
})
