import { execFileSync } from 'node:child_process'
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { readTar, TarError } from '../../../agent/bundle/read-tar.ts'
import { tarBytes, tarEnd, tarHeader, tarPadding } from '../../../agent/bundle/write-tar.ts'

let folder = ''
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'crowbar-tar-'))
})
afterEach(() => rmSync(folder, { recursive: true, force: true }))

const LONG = `${'folder/'.repeat(20)}file`
const FILES = [['a', Buffer.from('one')], ['empty', Buffer.alloc(0)], [LONG, Buffer.alloc(1024, 7)]] as const
const archive = (): Buffer => Buffer.concat([
  ...FILES.flatMap(([name, content]) => [tarHeader({ name, kind: 'file', bytes: content.length, executable: name === 'a' }), content, tarPadding(content.length)]),
  tarHeader({ name: 'link', kind: 'link', bytes: 0, target: 'a' }), tarEnd(),
])

/** All entries, out of chunks of some size. */
async function entriesOf(bytes: Buffer, chunk = 100): Promise<{ name: string; kind: string; executable: boolean; target: string; text: Buffer }[]> {
  const chunks = (async function* () {
    for (let at = 0; at < bytes.length; at += chunk) yield bytes.subarray(at, at + chunk)
  })()
  const entries = []
  for await (const { name, kind, executable, target, content } of readTar(chunks)) {
    const parts: Buffer[] = []
    for await (const part of content) parts.push(part)
    entries.push({ name, kind, executable, target, text: Buffer.concat(parts) })
  }
  return entries
}

test('what is written is read, in chunks of any size', async () => {
  for (const chunk of [1, 511, 512, 100_000]) {
    const entries = await entriesOf(archive(), chunk)
    expect(entries.map(({ name }) => name)).toEqual(['a', 'empty', LONG, 'link'])
    expect(entries.slice(0, 3).map(({ text }) => text)).toEqual(FILES.map(([, content]) => content))
    expect(entries[0]).toMatchObject({ kind: 'file', executable: true })
    expect(entries[3]).toMatchObject({ kind: 'link', target: 'a' })
  }
  expect(archive().length).toBe(FILES.reduce((sum, [, content]) => sum + tarBytes(content.length), 0) + 512 + tarEnd().length)
})

test('GNU tar reads what is written, and what it writes is read', async () => {
  writeFileSync(join(folder, 'ours.tar'), archive())
  execFileSync('tar', ['-xf', 'ours.tar'], { cwd: folder })
  expect(readFileSync(join(folder, LONG))).toEqual(FILES[2][1])
  expect(readFileSync(join(folder, 'link'), 'utf8')).toBe('one')
  execFileSync('tar', ['-cf', 'theirs.tar', '--format=ustar', 'a', 'empty', LONG, 'link'], { cwd: folder })
  expect((await entriesOf(readFileSync(join(folder, 'theirs.tar')))).map(({ name }) => name)).toEqual(['a', 'empty', LONG, 'link'])
})

test('a size of 8 GiB and more is written and read', async () => {
  const big = tarHeader({ name: 'big', kind: 'file', bytes: 9 * 1024 ** 3 })
  const entries = readTar((async function* () {
    yield big
  })())
  expect((await entries.next()).value).toMatchObject({ name: 'big', bytes: 9 * 1024 ** 3 })
})

test('content that nobody reads is passed over', async () => {
  const names: string[] = []
  for await (const { name } of readTar((async function* () {
    yield archive()
  })())) names.push(name)
  expect(names).toEqual(['a', 'empty', LONG, 'link'])
})

test('an archive that ends early is an error wherever it ends', async () => {
  const whole = archive()
  for (let length = 0; length < whole.length; length += 128) await expect(entriesOf(whole.subarray(0, length)), String(length)).rejects.toThrow(TarError)
  await expect(entriesOf(Buffer.concat([whole, Buffer.alloc(512)]))).resolves.toHaveLength(4)
  await expect(entriesOf(Buffer.concat([whole, Buffer.from('more')]))).rejects.toThrow('has something behind its end')
})

test('entries that are neither files nor links, and headers that are none, are errors', async () => {
  const device = tarHeader({ name: 'dev', kind: 'file', bytes: 0 })
  device.write('3', 156)
  device.write('        ', 148)
  device.write(`${device.reduce((sum, byte) => sum + byte, 0).toString(8).padStart(6, '0')}\0 `, 148)
  await expect(entriesOf(Buffer.concat([device, tarEnd()]))).rejects.toThrow('neither a file nor a link')
  const flipped = archive()
  flipped[3] = 0x41
  await expect(entriesOf(flipped)).rejects.toThrow('its checksum is wrong')
  await expect(entriesOf(Buffer.from('something else'.repeat(100)))).rejects.toThrow('no entry of a tar archive')
})
