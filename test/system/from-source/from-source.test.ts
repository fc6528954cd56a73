import { execFileSync } from 'node:child_process'
import { cpSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { homedir, tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { buildPackages, readBuild } from '../../../agent/build/build.ts'
import { checkOut } from '../../../agent/build/checkout.ts'
import type { ObjectHash } from '../../../agent/stage/object-hash.ts'
import { openStore } from '../../../agent/stage/store.ts'
import { carryOutHere, neededBy } from '../../../agent/stager/carry-out.ts'
import { buildRoot, stageOrder } from '../../../agent/stager/order.ts'
import { readFolder } from '../../../compiler/tree/folder.ts'
import type { Artifacts } from '../../../schemas/artifacts.ts'
import { SITE_EXAMPLES } from '../../builders/example-sites.ts'
import { compileTree, success } from '../../compiler/compiling.ts'
import { crowbar, openHeldRack } from '../held-rack.ts'
import type { TestRack } from '../held-rack.ts'
import { makeUpstreams } from './upstreams.ts'
import type { Upstreams } from './upstreams.ts'

/** The example site, with repositories that are there; each test goes on where the one before left off. */
let folder = ''
let upstreams: Upstreams
let rack: TestRack
const site = (): string => join(folder, 'site')

beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), 'crowbar-from-source-'))
  upstreams = makeUpstreams(join(folder, 'upstreams'))
  cpSync(fileURLToPath(new URL('from-source', SITE_EXAMPLES)), site(), { recursive: true, filter: source => !source.endsWith('/golden') })
  const sources = join(site(), 'sources.yaml')
  writeFileSync(sources, readFileSync(sources, 'utf8').replaceAll(/https:\/\/git\.example\.com\/house\/(greetd?)\.git/g, (_, name: 'greet' | 'greetd') => upstreams.url(name)))
  const locked = crowbar('lock', '--update', '--site', site())
  expect(locked).toMatchObject({ code: 0 })
  rack = await openHeldRack(site())
}, 900_000)
afterAll(async () => {
  await rack?.[Symbol.asyncDispose]()
  rmSync(folder, { recursive: true, force: true })
})

function lockedPackages(of: string): Artifacts {
  const [file = ''] = readdirSync(join(of, 'artifacts'))
  return JSON.parse(readFileSync(join(of, 'artifacts', file), 'utf8')) as Artifacts
}

const statusOf = (node: string, name: string): string | undefined => rack.read(node, 'var/lib/dpkg/status')?.split('\n\n').find(stanza => stanza.startsWith(`Package: ${name}\n`))

test('what the repositories have is built with our patches, and runs', () => {
  expect([rack.report.outcome, rack.report.problems]).toEqual(['complete', []])
  expect(rack.read('app', 'etc/greetd.yaml')).toBe('says: "good day, zlib 1"\n')
  expect(statusOf('app', 'greet')).toContain(`Version: ${lockedPackages(site()).packages['greet']?.version ?? ''}\n`)
})

test('apt knows what the packages need, which nobody wrote down', () => {
  const status = join(folder, 'status')
  writeFileSync(status, rack.read('app', 'var/lib/dpkg/status') ?? '')
  const dependsOf = (name: string): string[] => execFileSync('apt-cache', ['-o', `Dir::State::status=${status}`, '-o', 'Dir::State::lists=/nonexistent', '-o', 'Dir::Cache::pkgcache=', '-o', 'Dir::Cache::srcpkgcache=', 'depends', name], { encoding: 'utf8', stdio: ['ignore', 'pipe', 'ignore'] }).split('\n').flatMap(line => /^\s+Depends: (\S+)$/.exec(line)?.[1] ?? [])
  expect(dependsOf('greet').toSorted()).toEqual(['libc6', 'zlib1g'])
  expect(dependsOf('greetd').toSorted()).toEqual(['adduser', 'python3', 'python3-yaml'])
  expect(statusOf('app', 'python3-yaml')).toContain('Status: install ok installed')
})

test('the same source gives the same bytes', async () => {
  const { plan } = success(compileTree(readFolder(site(), () => undefined)))
  const order = stageOrder('packages-debian-12-joined', plan)
  if (order.kind !== 'packages') throw new Error('no packages')
  const store = await openStore(join(process.env['XDG_CACHE_HOME'] ?? join(homedir(), '.cache'), 'crowbar', 'store'))
  const options = { store, signal: AbortSignal.timeout(300_000), onProgress: () => undefined }
  for (const build of order.builds ?? []) {
    const work = mkdtempSync(join(folder, 'again-'))
    const checkedOut = await checkOut(build.source, build.locked, { ...options, upstreamProxy: null, folder: work })
    const root = await carryOutHere(store, { upstreamProxy: null })(buildRoot(build, await neededBy(build, checkedOut.tree)), options)
    if (root.kind !== 'rootfs') throw new Error('no root filesystem')
    const again = await readBuild(store, await buildPackages(build.source, checkedOut, { ...options, root: root.archive as ObjectHash, release: '12' }))
    expect(again.packages.map(({ name, hash }) => [name, hash])).toEqual(again.packages.map(({ name }) => [name, `sha256:${order.locked?.packages[name]?.sha256 ?? ''}`]))
  }
})

test('the next commit is an upgrade: a line of the diff, and an operation on the nodes that run already', async () => {
  const before = lockedPackages(site()).packages['greet']?.version ?? ''
  upstreams.commit('greet', { 'greet.c': '#include <stdio.h>\n#include <zlib.h>\n\nint main(void)\n{\n\tprintf("hello, zlib %d\\n", zlibVersion()[0] - \'0\');\n\treturn 0;\n}\n\n/* the next commit */\n' })
  const clone = rack.clone()
  expect(crowbar('lock', '--update', 'greet', '--site', clone)).toMatchObject({ code: 0, stdout: expect.stringContaining(`greet     ${before}\n`) as string })
  const after = lockedPackages(clone).packages['greet']?.version ?? ''
  writeFileSync(join(clone, 'upgrade.yaml'), 'kind: operation\nname: greet-upgrade\ndo: [packages]\nnodes: [app]\n')
  const git = (...args: string[]): string => execFileSync('git', ['-C', clone, '-c', 'user.name=author', '-c', 'user.email=author@example.com', ...args], { encoding: 'utf8' })
  git('add', '--all')
  git('commit', '--quiet', '--message', 'the next commit')
  expect(crowbar('diff', '--site', clone).stdout).toContain(`greet     ${before}\n         -> ${after}`)
  git('push', '--quiet', 'origin', 'HEAD:main')
  expect((await rack.applyToTheEnd()).sent).toContain('operation/greet-upgrade/packages@app')
  expect(statusOf('app', 'greet')).toContain(`Version: ${after}\n`)
  expect(() => execFileSync('dpkg', ['--compare-versions', before, 'lt', after])).not.toThrow()
})

test('a role that is taken out takes its package along', async () => {
  rack.commit({ 'site.yaml': text => text.replace('  greetd: { nodes: [app] }\n', '') })
  expect(await rack.applyToTheEnd()).toMatchObject({ state: 'complete', sent: ['house/greetd@app#remove', 'stage/packages-debian-12-joined'] })
  expect(statusOf('app', 'greetd')).toBeUndefined()
  expect(statusOf('app', 'greet')).toContain('Status: install ok installed')
})

test('a build that fails says where, what it wrote last, and where all of it is', () => {
  const clone = rack.clone()
  upstreams.commit('greet', { Makefile: 'all:\n\tcurl --fail http://192.0.2.1/\n' })
  const refused = crowbar('lock', '--update', 'greet', '--site', clone)
  expect(refused.code).toBe(1)
  expect(refused.stderr).toMatch(/greet \(sources\.yaml:7:1\): the build of [0-9a-f]{40} with `make` failed/)
  const log = /The whole log is (\S+)\./.exec(refused.stderr)?.[1] ?? ''
  expect(readFileSync(log, 'utf8')).toMatch(/curl/)
})
