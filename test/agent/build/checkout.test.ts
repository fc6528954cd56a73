import { execFileSync } from 'node:child_process'
import { chmodSync, lstatSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, readlinkSync, rmSync, statSync, symlinkSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import type { BuildSource } from '../../../agent/build/build-source.ts'
import { versionOf } from '../../../agent/build/build.ts'
import { buildDependsOf, checkOut } from '../../../agent/build/checkout.ts'
import type { Pinned } from '../../../agent/build/checkout.ts'
import { openStore } from '../../../agent/stage/store.ts'

let folder = ''
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'crowbar-checkout-'))
})
afterEach(() => {
  rmSync(folder, { recursive: true, force: true })
})

/** Makes a repository, or commits to it. @returns the commit. */
function commit(name: string, files: Readonly<Record<string, string>>, more: readonly (readonly string[])[] = []): string {
  const place = join(folder, name)
  mkdirSync(place, { recursive: true })
  const who = { GIT_AUTHOR_NAME: 'a', GIT_AUTHOR_EMAIL: 'a@example.com', GIT_COMMITTER_NAME: 'a', GIT_COMMITTER_EMAIL: 'a@example.com', GIT_AUTHOR_DATE: '2026-03-01T12:00:00Z', GIT_COMMITTER_DATE: '2026-03-01T12:00:00Z' }
  const git = (...args: readonly string[]): string => execFileSync('git', ['-C', place, ...args], { encoding: 'utf8', stdio: ['ignore', 'pipe', 'ignore'], env: { PATH: process.env['PATH'], HOME: folder, ...who } }).trim()
  git('init', '--quiet', '--initial-branch=main')
  for (const [path, text] of Object.entries(files)) {
    mkdirSync(join(place, path, '..'), { recursive: true })
    writeFileSync(join(place, path), text)
  }
  git('add', '--all')
  for (const args of more) git(...args)
  git('commit', '--quiet', '--allow-empty', '--message', 'x')
  return git('rev-parse', 'HEAD')
}

const source = (more: Partial<BuildSource> = {}): BuildSource => ({ name: 'app', upstreams: [`file://${join(folder, 'app')}`], ref: 'main', patches: [], submodules: {}, build: { with: 'make', packages: ['app'] }, at: 'sources.yaml:1:1', ...more })
const patch = (text: string): BuildSource['patches'] => [{ path: 'patches/a.patch', text: Buffer.from(text).toString('base64') }]

async function laidOut(one: BuildSource, locked?: Pinned): ReturnType<typeof checkOut> {
  const work = mkdtempSync(join(folder, 'work-'))
  return checkOut(one, locked, { folder: work, store: await openStore(join(folder, 'store')), upstreamProxy: null, signal: AbortSignal.timeout(60_000), onProgress: () => undefined })
}

describe('a source', () => {
  test('is laid out as its commit has it, with patches, all of it as old as the commit', async () => {
    const made = commit('app', { 'main.c': 'one\ntwo\n', '.gitattributes': 'main.c export-ignore eol=crlf\n' })
    execFileSync('git', ['-C', join(folder, 'app'), 'tag', 'release-1.2-rc1'])
    const found = await laidOut(source({ patches: patch('--- a/main.c\n+++ b/main.c\n@@ -1,2 +1,2 @@\n one\r\n-two\r\n+three\r\n') }))
    expect(found).toMatchObject({ commit: made, time: Date.UTC(2026, 2, 1, 12) / 1000, tag: '1.2-rc1', count: 1 })
    expect(readFileSync(join(found.tree, 'main.c'), 'utf8')).toBe('one\r\nthree\r\n')
    expect(readdirSync(found.tree)).toEqual(['.gitattributes', 'main.c'])
    expect(statSync(join(found.tree, 'main.c')).mtimeMs).toBe(Date.UTC(2026, 2, 1, 12))
  })

  test('that is locked stays at its commit, whatever its branch names by now', async () => {
    const first = commit('app', { a: '1' })
    commit('app', { a: '2' })
    expect(readFileSync(join((await laidOut(source(), { commit: first, tag: null, count: 1 })).tree, 'a'), 'utf8')).toBe('1')
    expect(readFileSync(join((await laidOut(source())).tree, 'a'), 'utf8')).toBe('2')
    execFileSync('git', ['-C', join(folder, 'app'), 'tag', 'v9', first])
    expect(await laidOut(source(), { commit: first, tag: null, count: 7 })).toMatchObject({ commit: first, tag: null, count: 7 })
    await expect(laidOut(source(), { commit: 'f'.repeat(40), tag: null, count: 1 })).rejects.toMatchObject({ code: 'BUILD_REF_UNKNOWN', message: expect.stringContaining('crowbar lock --update app') as string })
  })

  test('whose ref nobody knows is named with its place', async () => {
    commit('app', { a: '1' })
    await expect(laidOut(source({ ref: 'v9' }))).rejects.toMatchObject({ code: 'BUILD_REF_UNKNOWN', message: 'app (sources.yaml:1:1): the repository has no branch, tag or commit v9' })
    await expect(laidOut(source({ ref: '--upload-pack=touch' }))).rejects.toMatchObject({ code: 'BUILD_REF_UNKNOWN' })
  })

  test('whose patch does not apply says which, where, and why; none leaves the tree', async () => {
    commit('app', { 'main.c': 'one\ntwo\n' })
    await expect(laidOut(source({ patches: patch('--- a/main.c\n+++ b/main.c\n@@ -1,2 +1,2 @@\n one\n-zwei\n+three\n') }))).rejects.toMatchObject({ code: 'BUILD_PATCH', message: 'app (sources.yaml:1:1): patches/a.patch does not apply: patch failed: main.c:1; main.c: patch does not apply' })
    await expect(laidOut(source({ patches: patch('--- /dev/null\n+++ b/../../evil\n@@ -0,0 +1 @@\n+x\n') }))).rejects.toMatchObject({ code: 'BUILD_PATCH', message: expect.stringContaining("invalid path '../../evil'") as string })
  })

  test('has submodules at the commits that it pins, from where the site says', async () => {
    const pinned = commit('lib', { 'lib.c': 'old' })
    commit('lib', { 'lib.c': 'new' })
    commit('app', { a: '1' }, [['update-index', '--add', '--cacheinfo', `160000,${pinned},vendor/lib`]])
    const lib = { name: 'lib', upstreams: [`file://${join(folder, 'lib')}`] }
    expect(readFileSync(join((await laidOut(source({ submodules: { 'vendor/lib': lib } }))).tree, 'vendor/lib/lib.c'), 'utf8')).toBe('old')
    await expect(laidOut(source())).rejects.toMatchObject({ code: 'BUILD_SUBMODULE', message: expect.stringContaining('which source the submodule vendor/lib comes from') as string })
    await expect(laidOut(source({ submodules: { 'vendor/lib': lib, other: lib } }))).rejects.toMatchObject({ code: 'BUILD_SUBMODULE', message: expect.stringContaining('no submodule other') as string })
  })
})

test('an upstream with a part of its history only is a source like others', async () => {
  commit('whole', { a: '1' })
  const last = commit('whole', { a: '2' })
  execFileSync('git', ['clone', '--quiet', '--depth=1', `file://${join(folder, 'whole')}`, join(folder, 'app')], { stdio: 'ignore' })
  expect(await laidOut(source())).toMatchObject({ commit: last, tag: null, count: 1 })
})

test('a tree is the same whoever lays it out, and no link in it is followed', async () => {
  const outside = join(folder, 'outside')
  writeFileSync(outside, 'mine', { mode: 0o600 })
  commit('app', { 'a b/ä': 'x', 'run': 'y' })
  chmodSync(join(folder, 'app/run'), 0o755)
  for (const [name, to] of [['out', outside], ['up', '../../../../../../etc'], ['nowhere', '/nonexistent']] as const) symlinkSync(to, join(folder, 'app', name))
  commit('app', {})
  const before = process.umask(0o077)
  try {
    const { tree } = await laidOut(source())
    const modeOf = (name: string): number => lstatSync(join(tree, name)).mode & 0o777
    expect([modeOf('.'), modeOf('a b'), modeOf('a b/ä'), modeOf('run')]).toEqual([0o755, 0o755, 0o644, 0o755])
    expect([readlinkSync(join(tree, 'out')), readlinkSync(join(tree, 'up'))]).toEqual([outside, '../../../../../../etc'])
  } finally {
    process.umask(before)
  }
  expect([statSync(outside).mode & 0o777, statSync(outside).mtimeMs > Date.UTC(2026, 5)]).toEqual([0o600, true])
})

test('what a debian/ directory needs is not read from outside of it', async () => {
  mkdirSync(join(folder, 'tree/debian'), { recursive: true })
  writeFileSync(join(folder, 'elsewhere'), 'Source: x\nBuild-Depends: secret\n')
  symlinkSync('../../elsewhere', join(folder, 'tree/debian/control'))
  expect(await buildDependsOf(join(folder, 'tree'), 'amd64')).toEqual([])
})

test('what a debian/ directory needs is read from its control file, of alternatives the first', async () => {
  mkdirSync(join(folder, 'debian'))
  writeFileSync(join(folder, 'debian/control'), 'Source: x\nBuild-Depends: debhelper-compat (= 13), libpng-dev | libpng12-dev,\n# no\n zlib1g-dev [amd64] , python3:any, foo <cross>, a32 [i386], none [!amd64], other [!i386], any-dev [linux-any]\nBuild-Depends-Indep: doxygen\n\nPackage: x\nBuild-Depends: never\n')
  expect(await buildDependsOf(folder, 'amd64')).toEqual(['any-dev', 'debhelper-compat', 'doxygen', 'libpng-dev', 'other', 'python3', 'zlib1g-dev'])
})

describe('a version', () => {
  const at = (day: number, tag: string | null, count = 4, commit = 'abcdef0123'): Parameters<typeof versionOf>[1] => ({ tag, time: Date.UTC(2026, 2, day, 12) / 1000, count, commit })
  test('says upstream, time, commit, revision and release', () => {
    expect(versionOf(source(), at(1, '1.2-rc1'), '12').version).toBe('1.2~rc1+git20260301120000.4.abcdef0-1~crowbar12')
    expect(versionOf(source({ build: { with: 'make', packages: ['app'], version: '3', revision: 2 } }), at(1, '1.2'), '13').version).toBe('3+git20260301120000.4.abcdef0-2~crowbar13')
    expect(versionOf(source(), at(1, '1_2'), '12').upstream).toBe('1.2')
    expect(versionOf(source(), at(1, null), '11').version).toBe('0+git20260301120000.4.abcdef0-1~crowbar11')
  })

  test('is newer for a later commit, also of the same second, and a higher revision, as dpkg compares', () => {
    const revised = source({ build: { with: 'make', packages: ['app'], revision: 10 } })
    const ordered = [versionOf(source(), at(1, '1.2'), '12'), versionOf(revised, at(1, '1.2'), '12'), versionOf(source(), at(1, '1.2', 5, '0000000'), '12'), versionOf(source(), at(1, '1.2', 10, '0000000'), '12'), versionOf(source(), at(2, '1.2'), '12'), versionOf(source(), at(1, '1.10'), '12')].map(({ version }) => version)
    for (const [i, version] of ordered.slice(1).entries()) expect(() => execFileSync('dpkg', ['--compare-versions', ordered[i] ?? '', 'lt', version])).not.toThrow()
  })
})
