import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { readSources } from '../../../agent/proxy/read-sources.ts'

let folder = ''
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'crowbar-sources-'))
})
afterAll(() => rm(folder, { recursive: true, force: true }))

const NPM = 'kind: source\nname: registry\ntype: npm\nupstream: https://npm.example.com/\n'

test('source documents are read, and those of other kinds passed over', async () => {
  const file = join(folder, 'sources.yaml')
  await writeFile(join(folder, 'keys'), 'key')
  await writeFile(file, `${NPM}---\nkind: node\nname: n\n---\nkind: source\nname: debian\ntype: apt\nupstream: system\nsuites: [bookworm]\nkeyring: keys\n`)
  expect((await readSources(file)).map(({ name, type, upstream, keys }) => [name, type, upstream, keys])).toEqual([['registry', 'npm', 'https://npm.example.com/', null], ['debian', 'apt', 'system', Buffer.from('key').toString('base64')]])
})

test.each([
  ['a mapping that is not closed', 'kind: {', /Flow map/],
  ['a field that nobody knows', `${NPM}upstreem: x\n`, /additional properties/],
  ['a keyring that is not there', `${NPM}keyring: absent\n`, /the keyring of registry cannot be read/],
  ['an upstream that only apt has', NPM.replace('https://npm.example.com/', 'system'), /registry is of type npm, and only of apt is there an upstream that this system uses: write its URL/],
])('%s is refused, with the file', async (_, text, message) => {
  const file = join(folder, 'sources.yaml')
  await writeFile(file, text)
  const error: unknown = await readSources(file).catch((one: unknown) => one)
  expect(error).toMatchObject({ code: 'SOURCES_INVALID', message: expect.stringMatching(message) as string })
  expect((error as Error).message).toContain(file)
})
