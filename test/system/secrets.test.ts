import { execFileSync } from 'node:child_process'
import { cpSync, mkdtempSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { crowbar, openHeldRack } from './held-rack.ts'
import type { TestRack } from './held-rack.ts'

const EXAMPLE = fileURLToPath(new URL('../../site-examples/secrets', import.meta.url))
const CANARY = 'canary-5f1d0c'
const [FIRST, SECOND, THIRD, MAIL] = [`${CANARY}-first`, `${CANARY}-second`, `${CANARY}-third`, `${CANARY}-mail`]

/** One rack, whose tests go on where the one before left off. The site is the example, with secrets that we know. */
let rack: TestRack
let folder: string
let identity: string

beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), 'crowbar-secrets-'))
  identity = join(folder, 'identity.age')
  const site = join(folder, 'site')
  cpSync(EXAMPLE, site, { recursive: true })
  rmSync(join(site, 'secrets'), { recursive: true })
  const recipient = must('secret', 'identity', identity).trim()
  edit(join(site, 'site.yaml'), (text) => text.replace(/recipients: .*/, `recipients: [${recipient}]`))
  for (const value of [FIRST, SECOND]) set(site, 'database/app', value)
  set(site, 'app/mail-key', MAIL)
  // It tells everybody what it knows, and how it was told.
  edit(join(site, 'barclamps/app/run.sh'), (text) => `${text}
echo "url $(crowbar-get wants.database)"
crowbar-get wants.database | sed 's/.*app:\\(.*\\)@.*/alone \\1/'; echo
crowbar-get --json app
tr '\\0' '\\n' < /proc/$$/environ > /root/told; tr '\\0' '\\n' < /proc/$$/cmdline >> /root/told
{ stat -c %a "$CROWBAR_DOCUMENT"; stat -f -c %T "$CROWBAR_DOCUMENT"; } > /root/where
`)
  rack = await openHeldRack(site, { identity })
})
afterAll(async () => {
  await rack?.[Symbol.asyncDispose]()
  rmSync(folder, { recursive: true, force: true })
})

function must(...args: string[]): string {
  const { code, stdout, stderr } = crowbar(...args)
  if (code !== 0) throw new Error(stderr)
  return stdout
}

function set(site: string, path: string, value: string): void {
  const file = join(folder, 'value')
  writeFileSync(file, value)
  must('secret', 'set', path, '--file', file, '--site', site)
  rmSync(file)
}

function edit(file: string, change: (text: string) => string): void {
  writeFileSync(file, change(readFileSync(file, 'utf8')))
}

/** Commits and pushes what `change` does to a clone. @returns the clone. */
function push(change: (clone: string) => void): string {
  const clone = rack.clone()
  const git = (...args: string[]): void => void execFileSync('git', ['-c', 'user.name=author', '-c', 'user.email=author@example.com', ...args], { cwd: clone, stdio: 'ignore' })
  change(clone)
  git('add', '--all')
  git('commit', '--message', 'A change')
  git('push', 'origin', 'HEAD:main')
  return clone
}

/** Files below a folder that hold the canary. */
function holding(root: string): readonly string[] {
  return readdirSync(root, { recursive: true, encoding: 'utf8' }).filter((path) => {
    const found = statSync(join(root, path), { throwIfNoEntry: false })
    return found?.isFile() === true && readFileSync(join(root, path)).includes(CANARY)
  })
}

const output = async (): Promise<string> => {
  const lines: string[] = []
  for await (const { text } of rack.client.lines<{ readonly text: string }>('/output', AbortSignal.timeout(30_000))) lines.push(text)
  return lines.join('')
}

test('roles are given the values, the one before and what is computed from them', () => {
  expect([rack.report.problems, rack.report.outcome, rack.report.standIns]).toEqual([[], 'complete', []])
  expect(rack.read('db', 'var/lib/database/accepted')).toBe(`${SECOND}\n${FIRST}\n`)
  expect(rack.read('web', 'etc/app.env')).toBe(`DATABASE_URL=postgres://app:${SECOND}@192.168.126.81:5432/shop\nMAIL_KEY=${MAIL}\n`)
})

test('on the node the document is in memory, for root only, and in no argument or variable; afterwards it is gone', () => {
  expect(rack.read('web', 'root/where')).toBe('600\ntmpfs\n')
  expect(rack.read('web', 'root/told')).toContain('CROWBAR_DOCUMENT=')
  expect(rack.read('web', 'root/told')).not.toContain(CANARY)
  expect(holding(join(rack.rack.filesOf('web'), 'etc'))).toEqual(['app.env'])
  for (const state of ['var/lib/crowbar', 'var/cache/crowbar', 'var/log']) expect(holding(join(rack.rack.filesOf('web'), state))).toEqual([])
})

test('what a step prints of them is masked, also the part of what was computed', async () => {
  const text = await output()
  expect(text).toContain('url [redacted]')
  expect(text).toContain('alone [redacted]')
  expect(text).toContain('{"mailKey":"[redacted]"}')
  expect(text).not.toContain(CANARY)
})

test('no byte of log, ledger, plan, changes or anything else that is kept holds one', async () => {
  expect(JSON.stringify([await rack.eventsAfter(0), await rack.client.get('/plan'), await rack.client.get('/changes'), await rack.status()])).not.toContain(CANARY)
  expect(holding(dirname(rack.rack.socket))).toEqual([])
  expect(holding(rack.out)).toEqual([])
  const clone = rack.clone({ bare: true })
  const everything = execFileSync('git', ['cat-file', '--batch-all-objects', '--batch'], { cwd: clone, maxBuffer: 64 * 1024 * 1024 })
  expect(everything.length).toBeGreaterThan(1000)
  expect(everything.includes(CANARY)).toBe(false)
})

test('a rotation is a change that names two versions, runs what is given the secret, and keeps the one before', async () => {
  const clone = push((site) => set(site, 'database/app', THIRD))
  const { code, stdout } = crowbar('diff', '--site', clone)
  expect([code, stdout]).toEqual([2, expect.stringContaining('secret database/app, v2 -> v3')])
  expect(stdout).not.toContain(CANARY)
  expect(await rack.applyToTheEnd()).toEqual({ state: 'complete', sent: ['shop/app@web', 'shop/database@db'] })
  expect(rack.read('db', 'var/lib/database/accepted')).toBe(`${THIRD}\n${SECOND}\n`)
  expect(rack.read('web', 'etc/app.env')).toContain(`app:${THIRD}@`)
})

test('encrypting anew runs nothing', async () => {
  push((site) => must('secret', 'reencrypt', '--all', '--identity', identity, '--site', site))
  expect((await rack.apply()).outcome).toBe('nothing')
})

test('a secret that the agent cannot decrypt keeps the run from starting, and says why', async () => {
  const before = await rack.now()
  push((site) => {
    const stranger = must('secret', 'identity', join(folder, 'stranger.age')).trim()
    edit(join(site, 'site.yaml'), (text) => text.replace(/recipients: .*/, `recipients: [${stranger}]`))
    set(site, 'app/mail-key', 'for somebody else')
  })
  const answer = await rack.apply()
  expect(answer.outcome).toBe('refused')
  expect(answer.message).toMatch(/the secret app\/mail-key \(2-[0-9a-f]{10}\) cannot be decrypted: it is not encrypted for age1\w+; shop\/app@web wants it/)
  expect((await rack.eventsAfter(before)).map(({ type }) => type)).not.toContain('step.sent')
})
