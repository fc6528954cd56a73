import { execFileSync } from 'node:child_process'
import { chmodSync, copyFileSync, cpSync, existsSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { homedir, tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { afterAll, beforeAll, expect, test } from 'vitest'
import type { BuildSource } from '../../../agent/build/build-source.ts'
import { buildPackages, readBuild } from '../../../agent/build/build.ts'
import { packagesOfBuilder } from '../../../agent/build/builders.ts'
import { checkOut } from '../../../agent/build/checkout.ts'
import type { ObjectHash } from '../../../agent/stage/object-hash.ts'
import { openStore } from '../../../agent/stage/store.ts'
import type { Store } from '../../../agent/stage/store.ts'
import { carryOutHere } from '../../../agent/stager/carry-out.ts'
import { BUILDERS } from '../../../schemas/documents/rule.ts'
import { STRANGERS } from './strangers.ts'
import type { Stranger } from './strangers.ts'

let folder = ''
let store: Store
let root: ObjectHash
let node = ''
const signal = AbortSignal.timeout(1_700_000)
const onProgress = (): void => undefined
const OS = { family: 'debian', version: '12', suite: 'bookworm', architecture: 'amd64' } as const
const DEBIAN = { name: 'debian-bookworm', upstream: 'system', suites: ['bookworm'], components: ['main'], architectures: [], keys: null, at: null } as const
const options = { signal, onProgress }

async function rootfs(packages: readonly string[]): Promise<ObjectHash> {
  const result = await carryOutHere(store, { upstreamProxy: null })({ kind: 'rootfs', os: OS, flavour: 'container', packages: [...new Set(packages)].toSorted(), sources: [DEBIAN] }, options)
  if (result.kind !== 'rootfs') throw new Error('no root filesystem')
  return result.archive as ObjectHash
}

beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), 'crowbar-strangers-'))
  store = await openStore(join(process.env['XDG_CACHE_HOME'] ?? join(homedir(), '.cache'), 'crowbar', 'store'))
  root = await rootfs([...BUILDERS.flatMap(packagesOfBuilder), 'debhelper', ...Object.values(STRANGERS).flatMap(({ build }) => build.needs ?? [])])
  node = join(folder, 'node')
  mkdirSync(node)
  execFileSync('tar', ['--zstd', '-xpf', store.path(await rootfs([])), '-C', node])
  writeFileSync(join(node, 'usr/sbin/policy-rc.d'), '#!/bin/sh\nexit 101\n', { mode: 0o755 })
  for (const name of ['sources.list', 'sources.list.d', 'apt.conf.d', 'auth.conf.d'].filter(one => existsSync(join('/etc/apt', one)))) cpSync(join('/etc/apt', name), join(node, 'etc/apt', name), { recursive: true, force: true, errorOnExist: false })
  copyFileSync('/etc/resolv.conf', join(node, 'etc/resolv.conf'))
  inNode('apt-get -q update')
}, 900_000)
afterAll(() => {
  rmSync(folder, { recursive: true, force: true })
})

function inNode(script: string): string {
  return execFileSync('unshare', ['--mount', '--pid', '--fork', 'chroot', node, 'sh', '-ec', script], { encoding: 'utf8', stdio: ['ignore', 'pipe', 'pipe'], env: { PATH: '/usr/sbin:/usr/bin:/sbin:/bin', LC_ALL: 'C.UTF-8', DEBIAN_FRONTEND: 'noninteractive', ...proxies() } })
}

function proxies(): Readonly<Record<string, string>> {
  return Object.fromEntries(Object.entries(process.env).flatMap(([name, value]) => (/^https?_proxy$/i.test(name) && value !== undefined ? [[name, value]] : [])))
}

/** A commit of the tree in a repository of its own. @returns its URL. */
function repositoryOf({ files, script, tag }: Pick<Stranger, 'files' | 'script' | 'tag'>): string {
  const place = mkdtempSync(join(folder, 'upstream-'))
  for (const [name, text] of Object.entries(files)) {
    const file = join(place, name.replace(/^x:/, ''))
    mkdirSync(dirname(file), { recursive: true })
    writeFileSync(file, text)
    if (name.startsWith('x:')) chmodSync(file, 0o755)
  }
  const who = { GIT_AUTHOR_NAME: 'a', GIT_AUTHOR_EMAIL: 'a@example.com', GIT_COMMITTER_NAME: 'a', GIT_COMMITTER_EMAIL: 'a@example.com', GIT_AUTHOR_DATE: '2026-03-01T12:00:00Z', GIT_COMMITTER_DATE: '2026-03-01T12:00:00Z' }
  execFileSync('sh', ['-ec', `cd "$1"; git init -q -b main; ${script ?? ''}\ngit add -A; git commit -q -m one; ${tag === undefined ? '' : `git tag ${tag}`}`, 'sh', place], { env: { PATH: process.env['PATH'], HOME: folder, GIT_CONFIG_NOSYSTEM: '1', ...who }, stdio: ['ignore', 'ignore', 'pipe'] })
  return `file://${place}`
}

const sourceOf = (stranger: Pick<Stranger, 'files' | 'script' | 'tag' | 'build'>): BuildSource => ({ name: 'app', upstreams: [repositoryOf(stranger)], ref: 'main', patches: [], submodules: {}, build: { packages: ['app'], ...stranger.build }, at: 'sources.yaml:1:1' })

async function build(source: BuildSource): Promise<{ readonly hash: ObjectHash; readonly version: string }> {
  const checkedOut = await checkOut(source, undefined, { folder: mkdtempSync(join(folder, 'work-')), store, upstreamProxy: null, ...options })
  const { packages: [one] } = await readBuild(store, await buildPackages(source, checkedOut, { root, release: '12', store, ...options }))
  if (one === undefined) throw new Error('no package')
  return one
}

const everything = (): string => inNode('find / -xdev \\( -path /proc -o -path /var/log -o -path /var/cache -o -path /var/lib/apt -o -path /var/lib/dpkg -o -path /tmp -o -path "*/__pycache__" \\) -prune -o -printf "%p %M %l\\n" | LC_ALL=C sort')

test.each(Object.entries(STRANGERS))('%s', async (_, stranger) => {
  const source = sourceOf(stranger)
  const one = await build(source)
  expect((await build(source)).hash).toBe(one.hash)
  expect(one.version).toMatch(new RegExp(`^${stranger.version.replaceAll('.', '\\.')}\\+git20260301120000\\.`))

  const deb = store.path(one.hash)
  const files = execFileSync('sh', ['-c', 'dpkg-deb --fsys-tarfile "$1" | tar --quoting-style=literal -t', 'sh', deb], { encoding: 'utf8', env: { PATH: process.env['PATH'], LC_ALL: 'C.UTF-8' } }).split('\n').map(line => line.replace(/^\./, ''))
  expect(files).toEqual(expect.arrayContaining([...stranger.has]))
  expect(files.filter(path => /\/\.git|\.pyc$|\.la$|^\/build/.test(path))).toEqual([])
  const depends = execFileSync('dpkg-deb', ['--field', deb, 'Depends'], { encoding: 'utf8' }).trim()
  expect(depends.replaceAll(/\b(libc6|libgcc-s1|libstdc\+\+6|zlib1g) \([^)]*\)/g, '$1').replaceAll(/app-common \([^)]*\)/g, 'app-common')).toBe(stranger.depends)

  copyFileSync(deb, join(node, 'tmp/app.deb'))
  const needed = depends === '' ? [] : depends.split(',').map(part => part.replace(/\|.*/, '').replace(/\(.*/, '').trim()).filter(name => name !== 'app-common')
  inNode(`apt-get -q -y --no-install-recommends install ${[...new Set([...needed, 'adduser'])].join(' ')}`)
  const before = everything()
  inNode('apt-get -q -y --no-install-recommends install /tmp/app.deb')
  expect(inNode(stranger.run[0])).toBe(stranger.run[1])
  expect(inNode('dpkg --verify app')).toBe('')
  inNode('dpkg --purge app')
  expect(everything()).toBe(before)
})
