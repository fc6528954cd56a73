import { cpSync, mkdirSync, readFileSync, readdirSync, renameSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { describe, expect, test } from 'vitest'
import { compileSite } from '../../../agent/compile/compile.ts'
import type { Diagnostic } from '../../../schemas/diagnostic.ts'
import type { Plan } from '../../../schemas/plan.ts'
import { gitWorld, makeRepository } from '../../builders/git-repository.ts'
import { compileTree, exampleTree, SITE, success } from '../compiling.ts'
import { crowbarHere } from './in-process.ts'

const EXAMPLE = fileURLToPath(new URL('../../../site-examples/private-barclamp/', import.meta.url))
const LAUNCHER = fileURLToPath(new URL('../../../bin/crowbar', import.meta.url))
const URL_OF_EXAMPLE = 'https://git.example.com/ops/banner.git'
const barclamp = (name: string, roles = '{}'): string => `kind: barclamp\nname: ${name}\nversion: 1.0.0\nroles: ${roles}\n`

/** A site of `SITE` in a folder, with these sources. */
function siteWith(folder: string, sources: string): string {
  const site = join(folder, 'site')
  mkdirSync(site, { recursive: true })
  writeFileSync(join(site, 'site.yaml'), SITE.replace('[builtin, { path: barclamps }]', sources))
  return site
}

async function problems(site: string): Promise<readonly string[]> {
  const found = JSON.parse((await crowbarHere(['validate', '--site', site, '--format', 'json'])).stdout) as Diagnostic[]
  return found.map(({ code, range }) => `${code} ${range?.path}:${range?.start.line}:${range?.start.column}`)
}

async function planOf(site: string): Promise<Plan> {
  const { status, stdout, stderr } = await crowbarHere(['plan', '--site', site, '--format', 'json'])
  if (status !== 0) throw new Error(stderr)
  return JSON.parse(stdout) as Plan
}

const pins = (site: string): unknown => (JSON.parse(readFileSync(join(site, 'site.lock.json'), 'utf8')) as { barclamps: unknown }).barclamps

describe('private-barclamp', () => {
  test('its repository is the commit that its lock has, and its plan needs no network once that was fetched', async () => {
    using world = gitWorld({ [URL_OF_EXAMPLE]: 'banner' })
    const repository = makeRepository(join(world.folder, 'banner'), join(EXAMPLE, 'golden/repository'))
    const commit = repository.commit({})
    repository.git('tag', 'v1.0.0')
    expect(pins(EXAMPLE)).toEqual({ [`${URL_OF_EXAMPLE} v1.0.0`]: commit })
    const site = join(world.folder, 'site')
    cpSync(EXAMPLE, site, { recursive: true, filter: (path) => !path.includes('/golden') })
    const first = await planOf(site)
    expect({ ...first, crowbar: '', id: '' }).toEqual({ ...success(compileTree(exampleTree('private-barclamp'))).plan, crowbar: '', id: '' })
    expect((await crowbarHere(['lock', '--check', '--site', site])).status).toBe(0)
    rmSync(repository.folder, { recursive: true })
    expect(await planOf(site)).toEqual(first)
  })
})

describe('barclamps from git', () => {
  test('a pin moves when it is asked to, and not when the branch does', async () => {
    using world = gitWorld({ 'ssh://git@git.example.com/b.git': 'b' })
    const repository = makeRepository(join(world.folder, 'b'))
    const first = repository.commit({ 'b/barclamp.yaml': barclamp('b') })
    const site = siteWith(world.folder, '[builtin, { git: "ssh://git@git.example.com/b.git", ref: main }]')
    expect(await problems(site)).toEqual(['BARCLAMP_UNPINNED site.yaml:5:69'])
    expect((await crowbarHere(['lock', '--site', site])).status).toBe(0)
    expect(pins(site)).toEqual({ 'ssh://git@git.example.com/b.git main': first })
    const second = repository.commit({ 'b/barclamp.yaml': barclamp('b', '{ r: {} }') })
    expect((await crowbarHere(['lock', '--check', '--site', site])).status).toBe(0)
    const updated = await crowbarHere(['lock', '--update-barclamps', '--site', site])
    expect([updated.status, updated.stdout.includes(first.slice(0, 12)), updated.stdout.includes(second.slice(0, 12))]).toEqual([0, true, true])
    expect(pins(site)).toEqual({ 'ssh://git@git.example.com/b.git main': second })
  })

  test('one repository at two refs has two pins, and a ref that is a commit pins itself', async () => {
    using world = gitWorld()
    const repository = makeRepository(join(world.folder, 'b'))
    const old = repository.commit({ 'a/barclamp.yaml': barclamp('a'), 'b/barclamp.yaml': barclamp('b') })
    repository.git('tag', '--annotate', '--message', 'one', 'v1')
    const head = repository.commit({ 'b/barclamp.yaml': barclamp('b', '{ r: {} }') })
    const site = siteWith(world.folder, `[builtin, { git: "${repository.folder}", ref: v1, path: a }, { git: "${repository.folder}", ref: main, path: ./b/ }]`)
    await crowbarHere(['lock', '--site', site])
    expect(pins(site)).toEqual({ [`${repository.folder} v1`]: old, [`${repository.folder} main`]: head })
    const itself = siteWith(world.folder, `[builtin, { git: "${repository.folder}", ref: ${old} }]`)
    rmSync(join(itself, 'site.lock.json'))
    expect(await problems(itself)).toEqual([])
  })

  test('the plan of a commit is the same from any cache and any place that has the commit', async () => {
    using world = gitWorld({ 'https://git.example.com/b.git': 'b' })
    const repository = makeRepository(join(world.folder, 'b'))
    repository.commit({ 'b/barclamp.yaml': barclamp('b', '{ r: { jig: script, run: run.sh } }'), 'b/run.sh': '#!/bin/sh\n', 'b/README.md': 'b' })
    const site = siteWith(world.folder, '[builtin, { git: "https://git.example.com/b.git", ref: main }]')
    await crowbarHere(['lock', '--site', site])
    const first = await planOf(site)
    rmSync(join(world.folder, 'cache'), { recursive: true })
    renameSync(repository.folder, join(world.folder, 'moved'))
    world.reach('https://git.example.com/b.git', join(world.folder, 'moved'))
    expect(await planOf(site)).toEqual(first)
    expect(readdirSync(join(world.folder, 'cache/crowbar/barclamps'))).toEqual([`${Object.values(pins(site) as object)[0]}.git`])
  })

  test('a pinned commit that is neither kept nor to be had is one error at the source', async () => {
    using world = gitWorld()
    const repository = makeRepository(join(world.folder, 'b'))
    repository.commit({ 'b/barclamp.yaml': barclamp('b') })
    const site = siteWith(world.folder, `[builtin, { git: "${repository.folder}", ref: main }]\nattributes: { b: {} }`)
    await crowbarHere(['lock', '--site', site])
    rmSync(join(world.folder, 'cache'), { recursive: true })
    rmSync(repository.folder, { recursive: true })
    expect(await problems(site)).toEqual(['BARCLAMP_UNREACHABLE site.yaml:5:29'])
    expect(readdirSync(join(world.folder, 'cache/crowbar/barclamps'))).toEqual([])
  })

  test.each([
    ['-u./run', 'main', 'VALUE_INVALID site.yaml:5:29'],
    ['ext::sh -c true', 'main', 'VALUE_INVALID site.yaml:5:29'],
    ['ext::sh', 'main', 'VALUE_INVALID site.yaml:5:29'],
    ['ssh://-oProxyCommand=x/b', 'main', 'VALUE_INVALID site.yaml:5:29'],
    ['https://me:word@git.example.com/b.git', 'main', 'VALUE_INVALID site.yaml:5:29'],
    ['https://token@git.example.com/b.git', 'main', 'VALUE_INVALID site.yaml:5:29'],
    ['../b.git', 'main', 'VALUE_INVALID site.yaml:5:29'],
    ['/b', '--upload-pack=x', 'VALUE_INVALID site.yaml:5:40'],
    ['/b', 'a..b', 'VALUE_INVALID site.yaml:5:40'],
    ['/b', 'a:b', 'VALUE_INVALID site.yaml:5:40'],
  ])('%s at %s is refused before git sees it', async (url, ref, expected) => {
    using world = gitWorld()
    expect(await problems(siteWith(world.folder, `[builtin, { git: "${url}", ref: "${ref}" }]`))).toEqual([expected])
  })

  test('links that lead out and repositories inside count where the barclamps are, and nowhere else', async () => {
    using world = gitWorld()
    const inner = makeRepository(join(world.folder, 'inner'))
    inner.commit({ 'x': 'x' })
    const repository = makeRepository(join(world.folder, 'b'))
    repository.git('submodule', '--quiet', 'add', inner.folder, 'b/inner')
    repository.commit({ 'b/barclamp.yaml': barclamp('b'), 'elsewhere/out': '→ /etc/passwd' })
    const site = siteWith(world.folder, `[builtin, { git: "${repository.folder}", ref: main }]`)
    expect((await crowbarHere(['lock', '--site', site])).status).toBe(0)
    expect(await problems(site)).toEqual([`TREE_SUBMODULE ${repository.folder}@main:b/inner:1:1`])
    repository.commit({ 'b/out': '→ ../../../etc/passwd' })
    expect((await crowbarHere(['lock', '--update-barclamps', '--site', site])).stderr).toContain('error[TREE_LINK_OUTSIDE]')
  })

  test('one that is wrong is shown with its line', async () => {
    using world = gitWorld()
    const repository = makeRepository(join(world.folder, 'b'))
    repository.commit({ 'barclamp.yaml': 'kind: barclamp\nname: b\nversion: 1\n' })
    const { status, stderr } = await crowbarHere(['lock', '--site', siteWith(world.folder, `[builtin, { git: "${repository.folder}", ref: main }]`)])
    expect(status).toBe(1)
    expect(stderr).toContain(`${repository.folder}@main:barclamp.yaml:3:10: error[VALUE_INVALID]`)
    expect(stderr).toContain('3 | version: 1')
    repository.commit({ 'barclamp.yaml': '' })
    expect((await crowbarHere(['lock', '--site', join(world.folder, 'site')])).stderr).toContain('barclamp.yaml:1:1: error[KIND_MISSING]')
  })

  test('the admin agent keeps them in its own folder', async () => {
    using world = gitWorld({ [URL_OF_EXAMPLE]: 'banner' })
    const banner = makeRepository(join(world.folder, 'banner'), join(EXAMPLE, 'golden/repository'))
    banner.commit({})
    const site = join(world.folder, 'site')
    cpSync(EXAMPLE, site, { recursive: true, filter: (path) => !path.includes('/golden') })
    makeRepository(site).commit({})
    Reflect.deleteProperty(process.env, 'XDG_CACHE_HOME')
    const signal = AbortSignal.timeout(60_000)
    const cache = join(world.folder, 'data/cache')
    const compiled = await compileSite({ compiler: [LAUNCHER], repository: site, commit: 'main', cache, out: join(world.folder, 'out'), megabytes: 1024, deadlineMs: 60_000, signal })
    expect(compiled.kind).toBe('compiled')
    expect(readdirSync(join(cache, 'crowbar/barclamps')).length).toBe(1)
  })
})
