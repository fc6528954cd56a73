import { execFileSync } from 'node:child_process'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, expect, test } from 'vitest'
import type { CompiledSite } from '../../../agent/compile/compile.ts'
import { reconcile } from '../../../agent/reconcile/reconcile.ts'
import { openSite } from '../../../agent/site/repository.ts'
import type { SiteRepository } from '../../../agent/site/repository.ts'
import type { MachineRecord } from '../../../agent/state/state.ts'

const LOCK = '{"kind":"lock"}\n'
const ANY = { since: null, rewritten: false }
const signal = AbortSignal.timeout(60_000)
let folder = ''
let bare = ''
let site: SiteRepository

beforeEach(async () => {
  folder = mkdtempSync(join(tmpdir(), 'crowbar-reconcile-'))
  bare = join(folder, 'site.git')
  git(folder, 'init', '--quiet', '--bare', '--initial-branch=main', bare)
  person('site.yaml', 'kind: site\n')
  site = await openSite({ repository: bare, branch: 'main', folder: join(folder, 'clone'), now: () => 1_800_000_000_000, signal })
})
afterEach(() => rmSync(folder, { recursive: true, force: true }))

test('facts and the lock that follows from them become one commit on the branch', async () => {
  const before = show('main')
  const result = await reconcile({ ...ANY, site, machines: [machine('m-1')], discovery: 'commit', compile: lockedBy(LOCK), signal })
  expect(result).toMatchObject({ kind: 'compiled', head: before, machines: ['m-1'] })
  expect(git(bare, 'log', '--format=%s', 'main').trim().split('\n')).toEqual(['inventory: m-1, and the lock that follows', 'by a person'])
  expect(JSON.parse(git(bare, 'show', 'main:inventory/m-1.json'))).toMatchObject({ kind: 'machine', id: 'm-1' })
  expect(git(bare, 'show', 'main:site.lock.json')).toBe(LOCK)
})

test('a second look with the same facts commits nothing', async () => {
  const options = { ...ANY, site, machines: [machine('m-1')], discovery: 'commit', compile: lockedBy(LOCK), signal }
  await reconcile(options)
  const head = show('main')
  expect(await reconcile(options)).toMatchObject({ kind: 'compiled', own: [] })
  expect(show('main')).toBe(head)
})

test('a person who pushes in between is not overwritten: both commits are on the branch', async () => {
  let raced = false
  const compile = lockedBy(LOCK)
  const result = await reconcile({
    ...ANY, site, machines: [machine('m-1')], discovery: 'commit', signal,
    compile: async (commit, stop) => {
      const compiled = await compile(commit, stop)
      if (!raced) person('nodes.yaml', 'kind: node\nname: web\n')
      raced = true
      return compiled
    },
  })
  expect(result.kind).toBe('compiled')
  expect(git(bare, 'log', '--format=%s', 'main').trim().split('\n')).toEqual(['inventory: m-1, and the lock that follows', 'by a person', 'by a person'])
  expect(git(bare, 'show', 'main:nodes.yaml')).toBe('kind: node\nname: web\n')
})

test('discovery: off leaves the repository alone', async () => {
  const before = show('main')
  await reconcile({ ...ANY, site, machines: [machine('m-1')], discovery: 'off', compile: fixed, signal })
  expect(show('main')).toBe(before)
})

test('discovery: propose offers a branch and leaves the followed one alone', async () => {
  const before = show('main')
  await reconcile({ ...ANY, site, machines: [machine('m-1')], discovery: 'propose', compile: fixed, signal })
  expect(show('main')).toBe(before)
  expect(git(bare, 'log', '--format=%s', '-1', 'crowbar/inventory').trim()).toBe('inventory: m-1')
})

test('a machine in quarantine is not written down', async () => {
  const quarantined = { ...machine('m-1'), quarantined: { code: 'TIE', reason: 'two machines' } }
  expect(await reconcile({ ...ANY, site, machines: [quarantined], discovery: 'commit', compile: fixed, signal })).toMatchObject({ own: [], machines: [] })
})

test('a site that does not compile is refused with its first place, and nothing is pushed', async () => {
  const before = show('main')
  const range = { path: 'site.yaml', start: { line: 2, column: 3 }, end: { line: 2, column: 9 } }
  const result = await reconcile({
    ...ANY, site, machines: [machine('m-1')], discovery: 'commit', signal,
    compile: commit => Promise.resolve({ kind: 'refused', commit, diagnostics: [{ code: 'KIND_UNKNOWN', severity: 'error', summary: 'no such kind', range, related: [] }] }),
  })
  expect(result).toMatchObject({ kind: 'refused', code: 'KIND_UNKNOWN', message: 'site.yaml:2:3: no such kind' })
  expect(show('main')).toBe(before)
})

test('a branch that was rewritten is not followed until a person asks for it as it is', async () => {
  const first = show('main')
  person('nodes.yaml', 'kind: node\nname: web\n')
  const since = await site.fetch(signal)
  const options = { since, rewritten: false, site, machines: [machine('m-1')], discovery: 'commit', compile: lockedBy(LOCK), signal }
  git(bare, 'update-ref', 'refs/heads/main', first)
  await site.fetch(signal)
  expect(await reconcile(options)).toMatchObject({ kind: 'refused', code: 'SITE_REWRITTEN', commit: first })
  expect(show('main')).toBe(first)
  const taken = await reconcile({ ...options, rewritten: true })
  expect(taken).toMatchObject({ kind: 'compiled', head: first })
})

/** A compiler that is content with any commit. */
const fixed = (commit: string): Promise<CompiledSite> => Promise.resolve(compiled(commit, { lockText: '', lockChanged: false }))

/** A compiler that wants exactly this lock. */
function lockedBy(lockText: string): (commit: string, signal: AbortSignal) => Promise<CompiledSite> {
  return async (commit, stop) => compiled(commit, { lockText, lockChanged: (await site.readFiles(commit, '', stop)).get('site.lock.json') !== lockText })
}

function compiled(commit: string, lock: { lockText: string; lockChanged: boolean }): CompiledSite {
  return { kind: 'compiled', commit, ...lock, baseFound: false, diagnostics: [], blobs: '' } as unknown as CompiledSite
}

function machine(id: string): MachineRecord {
  return { id, macs: [], firmware: 'bios', keys: {}, seen: '', facts: { architecture: 'amd64' }, disks: [], disksSeen: null, quarantined: null, session: null } as unknown as MachineRecord
}

function person(path: string, text: string): void {
  const work = mkdtempSync(join(folder, 'work-'))
  git(folder, 'clone', '--quiet', bare, work)
  writeFileSync(join(work, path), text)
  git(work, 'add', '--all')
  git(work, '-c', 'user.name=p', '-c', 'user.email=p@example.com', 'commit', '--quiet', '--message', 'by a person')
  git(work, 'push', '--quiet', 'origin', 'HEAD:main')
}

const show = (ref: string): string => git(bare, 'rev-parse', ref).trim()

function git(cwd: string, ...args: string[]): string {
  return execFileSync('git', args, { cwd, encoding: 'utf8', stdio: ['ignore', 'pipe', 'ignore'] })
}
