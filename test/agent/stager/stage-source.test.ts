import { execFileSync } from 'node:child_process'
import { randomBytes } from 'node:crypto'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { hashOf } from '../../../agent/stage/object-hash.ts'
import { openStore } from '../../../agent/stage/store.ts'
import { hasSource, stageSource } from '../../../agent/stager/stage-source.ts'
import type { WholeSource } from '../../../agent/stager/stage-source.ts'
import { outerProxy } from '../../builders/outer-proxy.ts'
import { testUpstream } from '../../builders/upstream.ts'

const CONTENT = randomBytes(10_000)
const signal = AbortSignal.timeout(20_000)
let folder = ''
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'crowbar-source-'))
})
afterEach(() => rmSync(folder, { recursive: true, force: true }))

/** Files of a repository with one commit, as a plain server of files has them. */
async function gitFiles(): Promise<Map<string, Buffer>> {
  const { readdirSync, readFileSync } = await import('node:fs')
  const at = join(folder, 'app.git')
  const git = (...args: string[]): string => execFileSync('git', ['-c', 'user.name=a', '-c', 'user.email=a@example.com', ...args], { encoding: 'utf8', stdio: ['ignore', 'pipe', 'ignore'] })
  git('init', '--quiet', '--bare', '--initial-branch=main', at)
  const commit = git('-C', at, 'commit-tree', '-m', 'first', git('-C', at, 'hash-object', '-w', '-t', 'tree', '/dev/null').trim()).trim()
  git('-C', at, 'update-ref', 'refs/heads/main', commit)
  git('-C', at, 'update-server-info')
  return new Map(readdirSync(at, { recursive: true, withFileTypes: true }).filter(one => one.isFile()).map(one => {
    const path = join(one.parentPath, one.name)
    return [path.slice(folder.length + 1), readFileSync(path)]
  }))
}

test('files and repositories are staged through the proxy that upstreams are asked through', async () => {
  await using upstream = await testUpstream(new Map([['file.tar', CONTENT], ...await gitFiles()]))
  await using outer = await outerProxy()
  const store = await openStore(join(folder, 'store'))
  const sources = { file: { type: 'file', upstream: `${upstream.url}file.tar`, sha256: hashOf(CONTENT).slice(7) }, app: { type: 'git', upstream: `${upstream.url}app.git` } } as unknown as Readonly<Record<string, WholeSource>>
  for (const [name, source] of Object.entries(sources)) {
    await stageSource(name, source, { store, signal, upstreamProxy: outer.url })
    expect(await hasSource(source, store)).toEqual({ staged: true, problem: null })
    expect(outer.asked.some(line => line.startsWith(`GET ${upstream.url}${name === 'app' ? 'app.git/' : 'file.tar'}`))).toBe(true)
  }
})
