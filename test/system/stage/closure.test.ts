import { execFile, execFileSync } from 'node:child_process'
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join, resolve } from 'node:path'
import { promisify } from 'node:util'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { provideHostNeeds } from '../../../agent/image/needs.ts'
import { buildRootfs } from '../../../agent/image/rootfs/rootfs.ts'
import { openProxy } from '../../../agent/proxy/proxy.ts'
import type { Proxy } from '../../../agent/proxy/proxy.ts'
import { planSources } from '../../../agent/proxy/plan-sources.ts'
import { serveProxy } from '../../../agent/proxy/serve-proxy.ts'
import { describePackages } from '../../../agent/stage/debian-packages.ts'
import { objectOf } from '../../../agent/stage/fetch-locked.ts'
import { readHostApt } from '../../../agent/stage/site-sources.ts'
import type { Store } from '../../../agent/stage/store.ts'
import { lockSets } from '../../../agent/stager/lock-set.ts'
import type { Plan } from '../../../schemas/plan.ts'
import { openImageStore } from '../image/image-store.ts'
import { serveStaged } from './serve-staged.ts'
import type { ServedPackages } from './serve-staged.ts'

/**
 * Alternatives (`default-mta | mail-transport-agent`, which another package of the same node decides), a virtual package
 * with several providers, Pre-Depends (python3), libraries that are Multi-Arch: same, and packages that recommend others.
 */
const PACKAGES = ['bsd-mailx', 'lighttpd', 'postfix', 'python3']

/** What a locked set has that apt does not install on a node, and why. Nothing. */
const SUPERFLUOUS: readonly string[] = []

const RELEASES = [['debian-11', 'bullseye', '11'], ['debian-12', 'bookworm', '12'], ['debian-13', 'trixie', '13']] as const
const ENVIRONMENT = { PATH: '/usr/sbin:/usr/bin:/sbin:/bin', LC_ALL: 'C', DEBIAN_FRONTEND: 'noninteractive' }
const work = { signal: AbortSignal.timeout(880_000), onProgress: () => {} }
const run = promisify(execFile)
const parts = new AsyncDisposableStack()
let store: Store
let plan: Plan
let proxy: Proxy
let port = 0
let repositories: ServedPackages
let folder = ''

beforeAll(async () => {
  await provideHostNeeds(work)
  folder = mkdtempSync(join(tmpdir(), 'crowbar-closure-'))
  store = await openImageStore()
  plan = planOf(join(folder, 'site'))
  proxy = parts.use(openProxy({ store, sources: planSources(plan, await readHostApt()).sources, now: () => Date.now(), log: () => undefined }))
  port = parts.use(await serveProxy(proxy, { address: '127.0.0.1', port: 0 })).port
  repositories = parts.use(await serveStaged(store))
})
afterAll(async () => {
  await parts.disposeAsync()
  rmSync(folder, { recursive: true, force: true })
})

/** A site with a node for each release, all with one role that brings the packages. */
function planOf(site: string): Plan {
  mkdirSync(join(site, 'barclamps/office'), { recursive: true })
  writeFileSync(join(site, 'barclamps/office/barclamp.yaml'), `kind: barclamp\nname: office\nversion: 1.0.0\nroles: { office: { jig: noop, packages: { debian: [${PACKAGES.join(', ')}] } } }\n`)
  const nodes = RELEASES.map(([os, suite, version]) => `---\nkind: os\nname: ${os}\nfamily: debian\nversion: "${version}"\narchitecture: amd64\ninstall: joined\nsource: debian-${suite}\n---\nkind: node\nname: ${suite}\nos: ${os}\nmachine: { serial: ${suite} }\n`).join('')
  writeFileSync(join(site, 'site.yaml'), `kind: site\nname: closure\ndomain: example.com\nadmin: { network: admin, address: 10.1.0.1 }\nbarclamps: [builtin, { path: barclamps }]\n---\nkind: network\nname: admin\nsubnets: [{ cidr: 10.1.0.0/24, ranges: { host: 10.1.0.10-10.1.0.99 } }]\n---\nkind: deployment\nname: d\nroles: { office: { nodes: [${RELEASES.map(([, suite]) => suite).join(', ')}] } }\n${nodes}`)
  return JSON.parse(execFileSync(resolve('bin/crowbar'), ['plan', '--format', 'json', '--site', site], { maxBuffer: 64 * 1024 * 1024, encoding: 'utf8', stdio: ['ignore', 'pipe', 'inherit'] })) as Plan
}

test.each(RELEASES)('on %s apt installs exactly the packages that the plan has locked, from the archive and from what is staged', async (os, suite, version) => {
  const [locked] = await lockSets([`packages-${os}`], plan, { store, held: {}, upstreamProxy: null, ...work })
  const rootfs = await buildRootfs({ os: { family: 'debian', version, suite, architecture: 'amd64' }, flavour: 'container', store, ...work })
  const root = join(folder, suite)
  mkdirSync(root)
  await run('tar', ['-x', '-p', '--numeric-owner', '--zstd', '-f', store.path(rootfs.hash), '-C', root])
  // No service is started, and nothing is forced to disk.
  writeFileSync(join(root, 'usr/sbin/policy-rc.d'), '#!/bin/sh\nexit 101\n', { mode: 0o755 })
  writeFileSync(join(root, 'etc/hosts'), '127.0.0.1 localhost\n127.0.1.1 node.example.com node\n')
  const inNode = async (...argv: string[]): Promise<string> => (await run('unshare', ['--uts', 'sh', '-c', 'hostname node.example.com && exec chroot "$@"', 'sh', root, ...argv], { env: ENVIRONMENT, maxBuffer: 64 * 1024 * 1024 })).stdout
  const installed = async (): Promise<string[]> => (await inNode('dpkg-query', '-W', '-f', '${db:Status-Status} ${Package} ${Version} ${Architecture}\n')).split('\n').filter(line => line.startsWith('installed ')).map(line => line.slice('installed '.length))
  const sources = join(root, 'etc/apt/sources.list.d/test.list')
  const apt = (...argv: string[]): Promise<string> => inNode('apt-get', '-q', '-y', '--no-install-recommends', '-o', 'Acquire::Languages=none', '-o', 'APT::Sandbox::User=root', '-o', 'Dpkg::Options::=--force-unsafe-io', ...argv)

  const before = await installed()
  writeFileSync(sources, [suite, `${suite}-updates`, `${suite}-security`].map(one => `deb http://127.0.0.1:${String(port)}/apt/debian-${suite} ${one} main\n`).join(''))
  await apt('update')
  await apt('install', ...PACKAGES)
  const added = (await installed()).filter(line => !before.includes(line)).toSorted()
  await proxy.settled()

  const wanted = Object.entries(locked?.packages ?? {}).map(([name, one]) => `${name} ${one.version} ${one.architecture}`).toSorted()
  console.log(`${os}: ${String(added.length)} packages upon ${String(before.length)}; superfluous: ${SUPERFLUOUS.join(', ') || 'none'}`)
  expect(added.length).toBeGreaterThan(15)
  expect(wanted.filter(line => !SUPERFLUOUS.includes(line.split(' ')[0] ?? ''))).toEqual(added)

  // The node itself has no other source than what is staged: there apt comes to the same.
  const packages = Object.entries(locked?.packages ?? {}).map(([name, one]) => ({ ...one, name, hash: objectOf(one) }))
  for (const { name, hash } of packages) expect([name, await store.has(hash)]).toEqual([name, true])
  const staged = await describePackages({ os: { family: 'debian', version, suite, architecture: 'amd64' }, requested: PACKAGES, packages, store, signal: work.signal })
  repositories.useIn(root, staged.manifest)
  writeFileSync(join(root, 'var/lib/dpkg/status'), await store.read(rootfs.status))
  await apt('update')
  const simulated = (await apt('install', '--simulate', ...PACKAGES)).split('\n').flatMap(line => /^Inst (\S+)/.exec(line)?.[1] ?? []).toSorted()
  expect(simulated).toEqual(Object.keys(locked?.packages ?? {}).toSorted())
})
