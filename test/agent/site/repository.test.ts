import { execFileSync } from 'node:child_process'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { follow } from '../../../agent/site/follow.ts'
import type { SiteNews } from '../../../agent/site/follow.ts'
import { openSite } from '../../../agent/site/repository.ts'
import type { SiteRepository } from '../../../agent/site/repository.ts'
import { LEDGER_REF } from '../../../schemas/ledger.ts'

let folder: string
let remote: string
const { signal } = new AbortController()
const AT = Date.UTC(2026, 0, 2, 3, 4, 5)

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'crowbar-site-'))
  remote = join(folder, 'remote.git')
  git(folder, 'init', '--quiet', '--bare', '--initial-branch=main', remote)
  git(folder, 'init', '--quiet', '--initial-branch=main', 'work')
  commitInWork('site.yaml', 'kind: site\n', 'first')
  git(work(), 'push', '--quiet', remote, 'main')
})

afterEach(() => rmSync(folder, { recursive: true, force: true }))

const work = (): string => join(folder, 'work')

function git(where: string, ...args: string[]): string {
  return execFileSync('git', ['-c', 'user.name=t', '-c', 'user.email=t@example.com', ...args], { cwd: where, encoding: 'utf8' }).trim()
}

function commitInWork(path: string, text: string, message: string): string {
  writeFileSync(join(work(), path), text)
  git(work(), 'add', '-A')
  git(work(), 'commit', '--quiet', '-m', message)
  return git(work(), 'rev-parse', 'HEAD')
}

function open(name = 'clone', repository = remote): Promise<SiteRepository> {
  return openSite({ repository, branch: 'main', folder: join(folder, name), now: () => AT, signal })
}

describe('fetch', () => {
  test('gets the head of the branch, and again after it moved', async () => {
    const site = await open()
    expect(await site.head(signal)).toBeNull()
    const first = git(work(), 'rev-parse', 'HEAD')
    expect(await site.fetch(signal)).toBe(first)
    const second = commitInWork('a.yaml', 'a: 1\n', 'second')
    git(work(), 'push', '--quiet', remote, 'main')
    expect(await site.fetch(signal)).toBe(second)
    expect(await site.isAncestor(first, second, signal)).toBe(true)
    expect(await site.isAncestor(second, first, signal)).toBe(false)
    expect(await site.readFiles(second, '', signal)).toEqual(new Map([['a.yaml', 'a: 1\n'], ['site.yaml', 'kind: site\n']]))
  })

  test('says with a code that the remote does not answer, or has no such branch', async () => {
    const gone = await open('gone', join(folder, 'nowhere.git'))
    await expect(gone.fetch(signal)).rejects.toMatchObject({ code: 'SITE_UNREACHABLE' })
    const other = await openSite({ repository: remote, branch: 'release', folder: join(folder, 'other'), now: () => AT, signal })
    await expect(other.fetch(signal)).rejects.toMatchObject({ code: 'SITE_BRANCH_MISSING' })
    await expect(openSite({ repository: remote, branch: '../x y', folder: join(folder, 'bad'), now: () => AT, signal })).rejects.toMatchObject({ code: 'SITE_BRANCH_MISSING' })
  })

  test('stops with the reason of the signal', async () => {
    const site = await open()
    await expect(site.fetch(AbortSignal.abort(new Error('enough')))).rejects.toThrow('enough')
  })
})

describe('commitFiles and push', () => {
  test('adds, replaces and removes files on top of a commit, as the crowbar agent at the time of the clock', async () => {
    const site = await open()
    const base = await site.fetch(signal)
    const files = new Map([['inventory/m-1.json', '{"id":"m-1"}\n'], ['site.lock.json', '{}\n'], ['odd "name" é.txt', 'x']])
    const commit = await site.commitFiles({ base, files, message: 'inventory: m-1' }, signal)
    expect(await site.commitFiles({ base, files, message: 'inventory: m-1' }, signal)).toBe(commit)
    expect(await site.push(commit, base, signal)).toEqual({ kind: 'pushed' })
    expect(git(remote, 'rev-parse', 'main')).toBe(commit)
    expect(await site.head(signal)).toBe(commit)
    expect(git(remote, 'log', '-1', '--format=%an <%ae> %at %s|%P', 'main')).toBe(`crowbar agent <agent@crowbar.invalid> ${AT / 1000} inventory: m-1|${base}`)
    expect(git(remote, '-c', 'core.quotePath=false', 'ls-tree', '-r', '--name-only', '-z', 'main').split('\0').filter((path) => path !== '')).toEqual(['inventory/m-1.json', 'odd "name" é.txt', 'site.lock.json', 'site.yaml'])
    const removal = await site.commitFiles({ base: commit, files: new Map([['site.lock.json', null]]), message: 'gone' }, signal)
    expect([...(await site.readFiles(removal, '', signal)).keys()]).not.toContain('site.lock.json')
    expect(git(join(folder, 'clone'), 'for-each-ref', 'refs/crowbar/new')).toBe('')
  })

  test('gives the base back when nothing would change', async () => {
    const site = await open()
    const base = await site.fetch(signal)
    expect(await site.commitFiles({ base, files: new Map([['site.yaml', 'kind: site\n']]), message: 'same' }, signal)).toBe(base)
  })

  test('of two writers that race exactly one wins, and the other one sees why and can go on', async () => {
    const [a, b] = await Promise.all([open('a'), open('b')])
    const base = await a.fetch(signal)
    await b.fetch(signal)
    const [fromA, fromB] = await Promise.all([
      a.commitFiles({ base, files: new Map([['inventory/a.json', 'a']]), message: 'a' }, signal),
      b.commitFiles({ base, files: new Map([['inventory/b.json', 'b']]), message: 'b' }, signal),
    ])
    const [pushedA, pushedB] = await Promise.all([a.push(fromA, base, signal), b.push(fromB, base, signal)])
    expect([pushedA.kind, pushedB.kind].toSorted()).toEqual(['pushed', 'rejected'])
    const [loser, path] = pushedA.kind === 'rejected' ? [a, 'inventory/a.json'] : [b, 'inventory/b.json']
    const newBase = await loser.fetch(signal)
    const again = await loser.commitFiles({ base: newBase, files: new Map([[path, 'again']]), message: 'again' }, signal)
    expect(await loser.push(again, newBase, signal)).toEqual({ kind: 'pushed' })
    expect(git(remote, 'ls-tree', '-r', '--name-only', 'main').split('\n')).toEqual(['inventory/a.json', 'inventory/b.json', 'site.yaml'])
  })

  test('knows its own commits, also in its next life and when the answer to a push was lost', async () => {
    const site = await open()
    const base = await site.fetch(signal)
    const own = async (on: string, path: string): Promise<string> => site.commitFiles({ base: on, files: new Map([[path, path]]), message: path }, signal)
    const one = await own(base, 'one')
    await site.push(one, base, signal)
    const two = await own(one, 'two')
    writeFileSync(join(remote, 'hooks', 'pre-receive'), '#!/bin/sh\nexit 1\n', { mode: 0o755 })
    expect(await site.push(two, one, signal)).toMatchObject({ kind: 'refused' })
    rmSync(join(remote, 'hooks', 'pre-receive'))
    git(join(folder, 'clone'), 'push', '--quiet', remote, `${two}:refs/heads/main`)
    const again = await open()
    expect(await again.fetch(signal)).toBe(two)
    expect(await Promise.all([base, one].map((older) => again.isOwnSince(older, two, signal)))).toEqual([true, true])
    git(work(), 'pull', '--quiet', remote, 'main')
    const others = commitInWork('a.yaml', 'a: 1\n', 'of a person')
    git(work(), 'push', '--quiet', remote, 'main')
    await again.fetch(signal)
    const three = await own(others, 'three')
    await again.push(three, others, signal)
    expect(await Promise.all([[two, others], [two, three], [base, three], [others, three]].map(([older = '', newer = '']) => again.isOwnSince(older, newer, signal)))).toEqual([false, false, false, true])
  })

  test('does not bring back commits that somebody took away from the branch', async () => {
    const site = await open()
    const first = git(work(), 'rev-parse', 'HEAD')
    commitInWork('a.yaml', 'a: 1\n', 'second')
    git(work(), 'push', '--quiet', remote, 'main')
    const base = await site.fetch(signal)
    git(remote, 'update-ref', 'refs/heads/main', first)
    const commit = await site.commitFiles({ base, files: new Map([['x', 'x']]), message: 'x' }, signal)
    expect(await site.push(commit, base, signal)).toMatchObject({ kind: 'rejected' })
    expect(git(remote, 'rev-parse', 'main')).toBe(first)
  })

  test('refuses to push what does not come after its base', async () => {
    const site = await open()
    const base = await site.fetch(signal)
    const orphan = git(join(folder, 'clone'), 'commit-tree', '-m', 'orphan', `${base}^{tree}`)
    await expect(site.push(orphan, base, signal)).rejects.toMatchObject({ code: 'SITE_GIT_FAILED' })
  })

  test('tells a remote that does not want the push from one that is away', async () => {
    writeFileSync(join(remote, 'hooks', 'pre-receive'), '#!/bin/sh\necho no such luck >&2\nexit 1\n', { mode: 0o755 })
    const site = await open()
    const base = await site.fetch(signal)
    const commit = await site.commitFiles({ base, files: new Map([['x', 'x']]), message: 'x' }, signal)
    expect(await site.push(commit, base, signal)).toMatchObject({ kind: 'refused', message: expect.stringContaining('no such luck') })
    rmSync(remote, { recursive: true })
    expect(await site.push(commit, base, signal)).toMatchObject({ kind: 'unreachable' })
  })

  test('proposes on a branch of its own, and replaces what it proposed', async () => {
    const site = await open()
    const base = await site.fetch(signal)
    const one = await site.commitFiles({ base, files: new Map([['x', '1']]), message: 'x' }, signal)
    const two = await site.commitFiles({ base, files: new Map([['x', '2']]), message: 'x' }, signal)
    expect(await site.propose(one, signal)).toEqual({ kind: 'pushed' })
    expect(await site.propose(two, signal)).toEqual({ kind: 'pushed' })
    expect(git(remote, 'rev-parse', 'crowbar/inventory')).toBe(two)
    expect(git(remote, 'rev-parse', 'main')).toBe(base)
  })
})

describe('publishLedger', () => {
  test('makes one commit after the other, each of exactly the files given', async () => {
    const site = await open()
    await site.fetch(signal)
    const first = await site.publishLedger(new Map([['nodes/web.json', '1'], ['run.json', '1']]), 'run 1', signal)
    expect(first.outcome).toEqual({ kind: 'pushed' })
    const second = await site.publishLedger(new Map([['nodes/web.json', '2']]), 'run 2', signal)
    expect(second.outcome).toEqual({ kind: 'pushed' })
    expect(git(remote, 'rev-parse', LEDGER_REF)).toBe(second.commit)
    expect(git(remote, 'rev-parse', `${LEDGER_REF}^`)).toBe(first.commit)
    expect(git(remote, 'ls-tree', '-r', '--name-only', LEDGER_REF)).toBe('nodes/web.json')
    expect(await site.publishLedger(new Map([['nodes/web.json', '2']]), 'run 2', signal)).toEqual({ commit: second.commit, outcome: { kind: 'unchanged' } })
    expect(await site.readRef(LEDGER_REF, signal)).toBe(second.commit)
  })

  test('keeps what could not be pushed and pushes it with the next', async () => {
    const site = await open()
    await site.fetch(signal)
    execFileSync('mv', [remote, `${remote}.away`])
    const first = await site.publishLedger(new Map([['run.json', '1']]), 'run 1', signal)
    expect(first.outcome).toMatchObject({ kind: 'unreachable' })
    expect(await site.readRef(LEDGER_REF, signal)).toBe(first.commit)
    execFileSync('mv', [`${remote}.away`, remote])
    const second = await site.publishLedger(new Map([['run.json', '2']]), 'run 2', signal)
    expect(second.outcome).toEqual({ kind: 'pushed' })
    expect(git(remote, 'rev-list', LEDGER_REF).split('\n')).toEqual([second.commit, first.commit])
  })

  test('never overwrites a ledger that another agent wrote', async () => {
    const [a, b] = await Promise.all([open('a'), open('b')])
    await a.fetch(signal)
    await b.fetch(signal)
    const byA = await a.publishLedger(new Map([['run.json', 'a']]), 'a', signal)
    expect((await b.publishLedger(new Map([['run.json', 'b']]), 'b', signal)).outcome).toMatchObject({ kind: 'rejected' })
    await b.fetch(signal)
    expect((await b.publishLedger(new Map([['run.json', 'b2']]), 'b2', signal)).outcome).toMatchObject({ kind: 'rejected' })
    expect(git(remote, 'rev-parse', LEDGER_REF)).toBe(byA.commit)
  })

  test('a new clone goes on from the ledger that is there', async () => {
    const a = await open('a')
    await a.fetch(signal)
    const first = await a.publishLedger(new Map([['run.json', '1']]), '1', signal)
    const b = await open('b')
    await b.fetch(signal)
    expect(await b.readRef(LEDGER_REF, signal)).toBe(first.commit)
    expect((await b.publishLedger(new Map([['run.json', '2']]), '2', signal)).outcome).toEqual({ kind: 'pushed' })
  })
})

describe('follow', () => {
  test('tells commits, a rewritten branch and outages as they come, and ends when it is told to', async () => {
    const site = await open()
    const stop = new AbortController()
    const news = follow(site, { signal: stop.signal, everyMs: 10, since: null })
    const next = async (): Promise<SiteNews> => (await news.next()).value as SiteNews
    const first = git(work(), 'rev-parse', 'HEAD')
    expect(await next()).toEqual({ kind: 'commit', commit: first, previous: null })
    const second = commitInWork('a.yaml', 'a: 1\n', 'second')
    git(work(), 'push', '--quiet', remote, 'main')
    expect(await next()).toEqual({ kind: 'commit', commit: second, previous: first })
    git(work(), 'commit', '--quiet', '--amend', '-m', 'rewritten')
    const third = git(work(), 'rev-parse', 'HEAD')
    git(work(), 'push', '--quiet', '--force', remote, 'main')
    expect(await next()).toEqual({ kind: 'rewritten', commit: third, previous: second })
    execFileSync('mv', [remote, `${remote}.away`])
    expect(await next()).toMatchObject({ kind: 'unreachable', code: 'SITE_UNREACHABLE' })
    execFileSync('mv', [`${remote}.away`, remote])
    expect(await next()).toEqual({ kind: 'reachable', commit: third })
    git(remote, 'update-ref', '-d', 'refs/heads/main')
    expect(await next()).toMatchObject({ kind: 'unreachable', code: 'SITE_BRANCH_MISSING' })
    const waiting = news.next()
    stop.abort()
    expect(await waiting).toEqual({ done: true, value: undefined })
  })
})

test('a ledger that is published while the branch is followed stays what was published last', async () => {
  const site = await open()
  await site.fetch(signal)
  const stop = new AbortController()
  const fetching = (async () => {
    while (!stop.signal.aborted) await site.fetch(signal)
  })()
  const outcomes: string[] = []
  for (let i = 0; i < 12; i++) outcomes.push((await site.publishLedger(new Map([['run.json', `${i}\n`]]), `run ${i}`, signal)).outcome.kind)
  stop.abort()
  await fetching
  expect(outcomes).toEqual(Array.from({ length: 12 }, () => 'pushed'))
  expect(git(remote, 'show', `${LEDGER_REF}:run.json`)).toBe('11')
  expect(git(remote, 'rev-list', '--count', LEDGER_REF)).toBe('12')
})
