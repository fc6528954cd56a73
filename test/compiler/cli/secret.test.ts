import { spawn, spawnSync } from 'node:child_process'
import { cpSync, existsSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, statSync, symlinkSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { withLine } from '../../../compiler/cli/secret/index-text.ts'
import { nextVersion, randomValue } from '../../../compiler/cli/secret/random-value.ts'
import type { ListedSecret } from '../../../compiler/cli/secret/list.ts'
import { openSecret, readIdentities } from '../../../schemas/age.ts'
import type { Identities } from '../../../schemas/age.ts'
import { readLabel } from '../../../schemas/secret-file.ts'
import { crowbarHere } from './in-process.ts'
import type { Ran } from './in-process.ts'
import fc from '../../property.ts'

const ROOT = fileURLToPath(new URL('../../..', import.meta.url))
const LAUNCHER = join(ROOT, 'bin/crowbar')
const CANARY = 'canary-5f1d0c-value'

let folder: string
let site: string
let key: string
let recipient: string
beforeEach(async () => {
  folder = mkdtempSync(join(tmpdir(), 'crowbar-secret-'))
  site = join(folder, 'site')
  key = join(folder, 'identity.age')
  cpSync(join(ROOT, 'site-examples/first-light'), site, { recursive: true })
  recipient = (await crowbarHere(['secret', 'identity', key])).stdout.trim()
  edit('site.yaml', 'kind: site\n', `kind: site\nrecipients: [${recipient}]\n`)
  edit('barclamps/hello/barclamp.yaml', 'roles:\n  hello-server:\n', 'roles:\n  hello-server:\n    wants: { password: { secret: hello/root, generate: { length: 24, alphabet: hex }, previous: true } }\n')
})
afterEach(() => rmSync(folder, { recursive: true, force: true }))

const secret = (...args: string[]): Promise<Ran> => crowbarHere(['secret', ...args, '--site', site])
const read = (path: string): string => readFileSync(join(site, path), 'utf8')
const files = (): readonly string[] => readdirSync(join(site, 'secrets'), { recursive: true, encoding: 'utf8' }).filter((path) => statSync(join(site, 'secrets', path)).isFile()).toSorted()
const label = (path: string) => readLabel(readFileSync(join(site, path)))

function edit(path: string, old: string, text: string): void {
  const before = read(path)
  expect(before).toContain(old)
  writeFileSync(join(site, path), before.replace(old, text))
}

async function identities(file = key): Promise<Identities> {
  const found = await readIdentities(readFileSync(file, 'utf8'))
  if (typeof found === 'string') throw new Error(found)
  return found
}

async function value(path: string): Promise<string> {
  const opened = await openSecret(readFileSync(join(site, path)), await identities())
  if (opened.kind === 'closed') throw new Error(opened.message)
  return opened.value
}

/** Gives a value from a file, which is then gone. */
async function set(path: string, text: string, ...more: string[]): Promise<Ran> {
  const file = join(folder, 'value')
  writeFileSync(file, text)
  const ran = await secret('set', path, '--file', file, ...more)
  rmSync(file)
  return ran
}

describe('generate', () => {
  test('makes what roles in use want and is missing, as they want it, and nothing a second time', async () => {
    expect((await crowbarHere(['validate', '--site', site])).stdout).toContain('crowbar secret generate')
    const { status, stdout } = await secret('generate')
    expect([status, stdout]).toEqual([0, 'hello/root v1\n'])
    expect(await value('secrets/hello/root.age')).toMatch(/^[0-9a-f]{24}$/)
    expect((await crowbarHere(['validate', '--site', site])).status).toBe(0)
    const before = read('secrets/hello/root.age')
    expect(await secret('generate')).toMatchObject({ status: 0, stdout: '' })
    expect(read('secrets/hello/root.age')).toBe(before)
  })

  test('needs no key: the identity may be elsewhere', async () => {
    rmSync(key)
    expect((await secret('generate')).status).toBe(0)
    expect((await secret('rotate', 'hello/root')).status).toBe(0)
  })

  test('makes one that nobody wants yet, in the way that is asked for', async () => {
    expect((await secret('generate', 'other', '--length', '40', '--alphabet', 'base64')).stdout).toBe('other v1\n')
    expect(await value('secrets/other.age')).toMatch(/^[A-Za-z0-9+/]{40}$/)
    expect(await secret('generate', 'other')).toMatchObject({ status: 1, stderr: expect.stringContaining('crowbar secret rotate other') as string })
  })

  test.each([[['generate', '../x'], 'no path of a secret'], [['generate', 'x', '--length', '0'], '--length'], [['generate', 'x', '--alphabet', 'emoji'], '--alphabet'], [['generate', '--length', '9'], 'name it'], [['list', '--format', 'xml'], 'formats']])('%j is wrong usage', async (args, message) => {
    expect(await secret(...args)).toMatchObject({ status: 64, stderr: expect.stringContaining(message) as string })
  })
})

describe('set', () => {
  test('takes a file, keeps several lines byte for byte, and one newline at the end of one line is none', async () => {
    for (const [text, kept] of [['x\n', 'x'], ['x\r\n', 'x'], ['x', 'x'], ['a\nb\n', 'a\nb\n'], [' x \n', ' x '], ['ü', 'ü']] as const) {
      await set('a', text)
      expect(await value('secrets/a.age')).toBe(kept)
    }
    await set('a', 'x\n', '--exact')
    expect(await value('secrets/a.age')).toBe('x\n')
  })

  test('takes a pipe', async () => {
    const { status, stdout, stderr } = spawnSync(LAUNCHER, ['secret', 'set', 'a/b', '--site', site], { input: `${CANARY}\n`, encoding: 'utf8' })
    expect([status, stdout]).toEqual([0, 'a/b v1\n'])
    expect(stderr).not.toContain(CANARY)
    expect(await value('secrets/a/b.age')).toBe(CANARY)
  })

  test('refuses what is no value, and writes nothing', async () => {
    for (const [text, message] of [['', 'empty'], ['\n', 'empty'], ['a\0b', 'NUL'], [Buffer.from([0xff, 0xfe]), 'UTF-8'], ['x'.repeat(300_000), 'longer than']] as const) {
      writeFileSync(join(folder, 'value'), text)
      const { status, stderr } = await secret('set', 'a', '--file', join(folder, 'value'))
      expect([status, stderr]).toEqual([1, expect.stringContaining(message)])
      expect(existsSync(join(site, 'secrets/a.age'))).toBe(false)
    }
  })

  test('leaves no plain text anywhere in the site, and no working files', async () => {
    await set('a', CANARY)
    await set('a', `${CANARY}2`)
    expect(files()).toEqual(['a.age', `a@${label(`secrets/${files()[1]}`)?.version}.age`, 'index.yaml'])
    for (const path of files()) expect(read(`secrets/${path}`)).not.toContain(CANARY)
  })

  test('works although the site is at fault elsewhere; without recipients it says how to get one', async () => {
    writeFileSync(join(site, 'broken.yaml'), 'kind: nod\n')
    expect((await set('a', 'x')).status).toBe(0)
    edit('site.yaml', `recipients: [${recipient}]\n`, '')
    expect(await set('a', 'x')).toMatchObject({ status: 1, stderr: expect.stringContaining('crowbar secret identity') as string })
    edit('site.yaml', 'kind: site\n', 'kind: site\nrecipients: [age1damaged]\n')
    expect(await set('a', 'x')).toMatchObject({ status: 1, stderr: expect.stringContaining('site.yaml:3:14: the recipient age1damaged cannot be used') as string })
  })

  test('does not follow a link out of the site', async () => {
    mkdirSync(join(site, 'secrets'))
    mkdirSync(join(folder, 'outside'))
    symlinkSync(join(folder, 'outside'), join(site, 'secrets/out'))
    expect((await set('out/a', 'x')).status).toBe(1)
    expect(readdirSync(join(folder, 'outside'))).toEqual([])
  })
})

describe('rotate', () => {
  test('counts on, keeps exactly the value before, and needs to know how', async () => {
    await secret('generate')
    const [first] = [await value('secrets/hello/root.age')]
    const version = label('secrets/hello/root.age')?.version ?? ''
    expect((await secret('rotate', 'hello/root')).stdout).toBe('hello/root v2, v1 is kept as the previous one\n')
    expect(await value(`secrets/hello/root@${version}.age`)).toBe(first)
    expect(await value('secrets/hello/root.age')).toMatch(/^[0-9a-f]{24}$/)
    await secret('rotate', 'hello/root')
    expect(files().filter((path) => path.startsWith('hello/'))).toHaveLength(2)
    expect(label('secrets/hello/root.age')?.version).toMatch(/^3-[0-9a-f]{10}$/)
    expect((await crowbarHere(['validate', '--site', site])).status).toBe(0)
    await set('by-hand', 'x')
    expect(await secret('rotate', 'by-hand')).toMatchObject({ status: 1, stderr: expect.stringContaining('crowbar secret set by-hand') as string })
    expect(await secret('rotate', 'nothing')).toMatchObject({ status: 1 })
  })

  test('a rotation that was interrupted leaves the version of the index, and the next one goes on', async () => {
    await set('a', 'one')
    const before = read('secrets/index.yaml')
    await set('a', 'two')
    const index = read('secrets/index.yaml')
    // As if it had been killed before the index was written.
    writeFileSync(join(site, 'secrets/index.yaml'), before)
    edit('barclamps/hello/barclamp.yaml', 'hello/root, generate: { length: 24, alphabet: hex }, previous: true', 'a')
    expect((await crowbarHere(['validate', '--site', site])).status).toBe(0)
    await set('a', 'three')
    expect(read('secrets/index.yaml')).not.toBe(index)
    expect(read('secrets/index.yaml')).toMatch(/a: \{ version: 2-[0-9a-f]{10}, previous: 1-[0-9a-f]{10} \}/)
    expect((await crowbarHere(['validate', '--site', site])).status).toBe(0)
    const previous = /previous: (\S+)/.exec(read('secrets/index.yaml'))?.[1]
    expect([await value('secrets/a.age'), await value(`secrets/a@${previous}.age`)]).toEqual(['three', 'one'])
  })

  test('a former value can be forgotten when the rotation is over', async () => {
    await secret('generate')
    await secret('rotate', 'hello/root')
    const version = label('secrets/hello/root.age')?.version
    expect((await secret('forget', 'hello/root')).stdout).toBe('hello/root v1 is forgotten\n')
    expect(files()).toEqual(['hello/root.age', 'index.yaml'])
    expect(read('secrets/index.yaml')).toContain(`hello/root: { version: ${version} }\n`)
    expect((await crowbarHere(['validate', '--site', site])).status).toBe(0)
    expect(await secret('forget', 'hello/root')).toMatchObject({ status: 0, stdout: '' })
    expect((await secret('forget', 'nothing')).status).toBe(1)
  })

  test('several at once wait for each other, and a lock of who died is nobody’s', async () => {
    await secret('generate')
    writeFileSync(join(site, 'secrets/.lock'), '999999999\n')
    const ends = await Promise.all([1, 2, 3].map(() => new Promise((resolve) => spawn(LAUNCHER, ['secret', 'rotate', 'hello/root', '--site', site]).once('exit', resolve))))
    expect(ends).toEqual([0, 0, 0])
    expect(label('secrets/hello/root.age')?.version).toMatch(/^4-/)
    expect((await crowbarHere(['validate', '--site', site])).status).toBe(0)
    expect(files()).toHaveLength(3)
  })
})

describe('list and reencrypt', () => {
  const list = async (): Promise<{ readonly secrets: readonly ListedSecret[] }> => JSON.parse((await secret('list', '--format', 'json')).stdout) as { readonly secrets: readonly ListedSecret[] }

  test('list says version, users and what is missing, and decrypts nothing', async () => {
    expect((await secret('list')).stdout).toMatch(/^hello\/root {2}MISSING {2}hello\/hello-server \(and the previous one\)$/m)
    rmSync(key)
    await secret('generate')
    await set('spare', 'x')
    const { secrets } = await list()
    expect(secrets).toMatchObject([
      { path: 'hello/root', version: expect.stringMatching(/^1-/) as string, previous: null, recipients: [recipient], stale: false, users: [{ role: 'hello/hello-server', previous: true, generate: { length: 24, alphabet: 'hex' } }] },
      { path: 'spare', users: [], stale: false },
    ])
    expect((await secret('list')).stdout).toMatch(/^spare {7}v1 {7}nobody$/m)
  })

  test('another recipient makes them stale; encrypted anew they keep value, version and plan', async () => {
    await secret('generate')
    await secret('rotate', 'hello/root')
    const plan = async (): Promise<string> => (await crowbarHere(['plan', '--site', site, '--format', 'json'])).stdout
    const [index, text] = [read('secrets/index.yaml'), await value('secrets/hello/root.age')]
    const other = join(folder, 'other.age')
    const second = (await crowbarHere(['secret', 'identity', other])).stdout.trim()
    edit('site.yaml', `[${recipient}]`, `[${second}, ${recipient}]`)
    const before = await plan()
    expect((await list()).secrets[0]?.stale).toBe(true)
    expect((await secret('list')).stdout).toContain('crowbar secret reencrypt')
    expect((await secret('reencrypt', '--identity', other)).status).toBe(1)
    expect(await secret('reencrypt', '--identity', key)).toMatchObject({ status: 0, stdout: expect.stringMatching(/^(hello\/root \S+ {2}encrypted anew\n){2}$/) as string })
    expect((await list()).secrets[0]).toMatchObject({ stale: false, recipients: [second, recipient] })
    expect([read('secrets/index.yaml'), await plan()]).toEqual([index, before])
    const opened = await openSecret(readFileSync(join(site, 'secrets/hello/root.age')), await identities(other))
    expect(opened).toMatchObject({ kind: 'opened', value: text })
    expect((await secret('reencrypt', '--identity', other)).stdout).toBe('')
  })
})

test('an identity file is for its owner only, and is never overwritten', async () => {
  expect(statSync(key).mode & 0o777).toBe(0o600)
  const before = readFileSync(key, 'utf8')
  expect((await crowbarHere(['secret', 'identity', key])).status).toBe(1)
  expect(readFileSync(key, 'utf8')).toBe(before)
})

describe('the text of the index', () => {
  test('keeps comments and other lines, and puts a new one in its place', () => {
    const text = '# ours\n\n# the database\ndb/root: { version: 1-aa } # careful\nweb: { version: 1-bb, previous: 0-cc }\n# end\n'
    expect(withLine(text, 'db/root', { version: '2-dd', previous: '1-aa' })).toBe(text.replace('{ version: 1-aa }', '{ version: 2-dd, previous: 1-aa }'))
    expect(withLine(text, 'mail', { version: '1-ee', previous: null })).toBe(text.replace('web:', 'mail: { version: 1-ee }\nweb:'))
    expect(withLine(text, 'a', { version: '1-ee', previous: null })).toBe(text.replace('# the database', 'a: { version: 1-ee }\n# the database'))
    expect(withLine(text, 'z', { version: '1-ee', previous: null })).toBe(text.replace('# end', 'z: { version: 1-ee }\n# end'))
    for (const none of ['{}', '{}\n']) expect(withLine(none, 'a', { version: '1-aa', previous: null })).toMatch(/^# The version.*\na: \{ version: 1-aa \}\n$/)
    expect(() => withLine('{ a: { version: 1-aa } }\n', 'b', { version: '1-bb', previous: null })).toThrow('one a line')
    expect(withLine('', 'a', { version: '1-aa', previous: null })).toMatch(/^# The version of each secret.*\na: \{ version: 1-aa \}\n$/)
    expect(withLine('# nothing yet\n', 'a', { version: '1-aa', previous: null })).toBe('# nothing yet\na: { version: 1-aa }\n')
  })
})

test('generated values and versions are as asked, whatever was before', () => {
  fc.assert(fc.property(fc.integer({ min: 1, max: 200 }), (length) => new RegExp(`^[0-9A-Za-z]{${length}}$`).test(randomValue({ length }))), { numRuns: 20 })
  expect(new Set(Array.from({ length: 50 }, () => nextVersion('3-aa'))).size).toBe(50)
  expect([nextVersion(undefined), nextVersion('9-aa'), nextVersion('x')].map((version) => version.split('-')[0])).toEqual(['1', '10', '1'])
})
