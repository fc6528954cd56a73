import { execFile } from 'node:child_process'
import { mkdtemp, readdir, readFile, rename, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { openTestProxy } from './open-test-proxy.ts'

const run = promisify(execFile)
let folder: string
let upstream: string

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'crowbar-git-proxy-'))
  upstream = join(folder, 'upstream')
  await git('init', '--quiet', '--initial-branch=trunk', upstream)
  await commit('one')
})
afterEach(() => rm(folder, { recursive: true, force: true }))

async function git(...args: string[]): Promise<string> {
  const env = { PATH: process.env['PATH'], HOME: folder, GIT_CONFIG_NOSYSTEM: '1', GIT_TERMINAL_PROMPT: '0', LC_ALL: 'C' }
  return (await run('git', ['-c', 'user.name=t', '-c', 'user.email=t@example.com', ...args], { env })).stdout
}

async function commit(text: string): Promise<void> {
  await writeFile(join(upstream, 'file'), text)
  await git('-C', upstream, 'add', 'file')
  await git('-C', upstream, 'commit', '--quiet', '-m', text)
}

test.each(['0', '2'])('clone and fetch come from the copy by protocol version %s, and follow the upstream', async version => {
  await using proxy = await openTestProxy([{ type: 'git', name: 'app', upstreams: [`file://${upstream}`] }])
  const clone = join(folder, 'clone')
  await git('-c', `protocol.version=${version}`, 'clone', '--quiet', `${proxy.url}/git/app.git`, clone)
  expect(await readFile(join(clone, 'file'), 'utf8')).toBe('one')
  expect((await git('-C', clone, 'branch', '--show-current')).trim()).toBe('trunk')
  await commit('two')
  proxy.later(60_000)
  await git('-C', clone, '-c', `protocol.version=${version}`, 'pull', '--quiet')
  expect(await readFile(join(clone, 'file'), 'utf8')).toBe('two')
})

test('when the upstream is gone the copy is served as it was, and to a forward proxy as well', async () => {
  await using proxy = await openTestProxy([{ type: 'git', name: 'app', upstreams: [`file://${upstream}`] }])
  await git('clone', '--quiet', `${proxy.url}/git/app`, join(folder, 'first'))
  await rename(upstream, `${upstream}.gone`)
  proxy.later(60_000)
  await git('clone', '--quiet', `${proxy.url}/git/app.git`, join(folder, 'second'))
  expect(await readFile(join(folder, 'second/file'), 'utf8')).toBe('one')
  expect(proxy.proxy.state.stale).toMatchObject([{ source: 'app' }])
  proxy.proxy.follow([{ type: 'git', name: 'app', upstreams: ['https://git.example.com/ops/app.git'] }])
  await expect(git('-c', `http.proxy=${proxy.url}`, 'clone', '--quiet', 'http://git.example.com/other.git', join(folder, 'third'))).rejects.toThrow(/403/)
})

test('a clone is refused with words when there is neither an upstream nor a copy', async () => {
  await using proxy = await openTestProxy([{ type: 'git', name: 'app', upstreams: [`file://${folder}/nowhere`] }], { limits: { rounds: 1 } })
  await expect(git('clone', '--quiet', `${proxy.url}/git/app.git`, join(folder, 'clone'))).rejects.toThrow(/remote: crowbar: the git repository app: file:\/\/\S+\/nowhere/)
  expect(await readdir(join(proxy.store.folder, 'tmp'))).toEqual([])
})

test('a copy is not pushed to', async () => {
  await using proxy = await openTestProxy([{ type: 'git', name: 'app', upstreams: [`file://${upstream}`] }])
  await git('clone', '--quiet', `${proxy.url}/git/app.git`, join(folder, 'clone'))
  await expect(git('-C', join(folder, 'clone'), 'push', '--quiet', 'origin', 'HEAD:refs/heads/other')).rejects.toThrow(/app is a copy: push to its upstream/)
})

test('a commit that its branch has left is still given to who heard of it', async () => {
  await using proxy = await openTestProxy([{ type: 'git', name: 'app', upstreams: [`file://${upstream}`] }])
  await commit('lost')
  const lost = (await git('-C', upstream, 'rev-parse', 'HEAD')).trim()
  await git('clone', '--quiet', `${proxy.url}/git/app.git`, join(folder, 'clone'))
  await git('-C', upstream, 'reset', '--quiet', '--hard', 'HEAD~1')
  proxy.later(60_000)
  await git('init', '--quiet', join(folder, 'late'))
  await git('-C', join(folder, 'late'), 'fetch', '--quiet', `${proxy.url}/git/app.git`, lost)
  expect((await git('-C', join(folder, 'late'), 'rev-parse', 'FETCH_HEAD')).trim()).toBe(lost)
})
