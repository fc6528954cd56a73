import { execFile } from 'node:child_process'
import { mkdtemp, readdir, readFile, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { beforeAll, expect, test } from 'vitest'
import { provideHostNeeds } from '../../../agent/image/needs.ts'
import { buildRootfs } from '../../../agent/image/rootfs/rootfs.ts'
import type { Rootfs } from '../../../agent/image/rootfs/rootfs.ts'
import { stageDebianPackages } from '../../../agent/stage/debian-packages.ts'
import type { StagedDebianPackages } from '../../../agent/stage/debian-packages.ts'
import type { Store } from '../../../agent/stage/store.ts'
import { serveStaged } from '../stage/serve-staged.ts'
import { BOOKWORM, openImageStore } from './image-store.ts'

const run = promisify(execFile)

let store: Store
let rootfs: Rootfs

const stage = (packages: readonly string[]): Promise<StagedDebianPackages> => stageDebianPackages({
  os: BOOKWORM, packages, status: rootfs.status, store, signal: AbortSignal.timeout(300_000), onProgress: () => undefined,
})

beforeAll(async () => {
  await provideHostNeeds({ signal: AbortSignal.timeout(600_000), onProgress: () => undefined })
  store = await openImageStore()
  rootfs = await buildRootfs({ os: BOOKWORM, flavour: 'container', store, signal: AbortSignal.timeout(600_000), onProgress: () => undefined })
})

test('a root filesystem is nobody yet, and carries no trace of the machine that built it', async () => {
  await using root = await unpack()
  expect(await readFile(join(root.path, 'etc/machine-id'), 'utf8')).toBe('')
  expect(await readdir(join(root.path, 'etc/apt/sources.list.d'))).toEqual([])
  expect(await readdir(join(root.path, 'var/lib/apt/lists'))).toEqual([])
  expect(await readdir(join(root.path, 'etc/systemd/network'))).toEqual([])
  expect(await readdir(join(root.path, 'etc'))).not.toEqual(expect.arrayContaining(['hostname']))
  expect(await readFile(join(root.path, 'etc/shadow'), 'utf8')).toMatch(/^root:\*:/m)
  await run('chroot', [root.path, 'ldconfig', '-p']).then(({ stdout }) => expect(stdout).toContain('libstdc++.so.6'))
})

test('packages are staged with what they need and the root filesystem lacks, and apt on it installs them from there alone', async () => {
  const staged = await stage(['jq', 'jq', 'tree'])
  expect(staged.packages.map(one => one.name)).toEqual(['jq', 'libjq1', 'libonig5', 'tree'])
  expect((await stage(['tree', 'jq'])).manifest).toBe(staged.manifest)

  await using served = await serveStaged(store)
  await using root = await unpack()
  served.useIn(root.path, staged.manifest)
  await run('chroot', [root.path, 'apt-get', 'update'], { env: ENVIRONMENT })
  await run('chroot', [root.path, 'apt-get', 'install', '--yes', 'jq', 'tree'], { env: ENVIRONMENT })
  expect((await run('chroot', [root.path, 'jq', '-n', '6 * 7'])).stdout).toBe('42\n')
})

test('what the root filesystem has needs no staging', async () => {
  expect(await stage(['systemd', 'iproute2'])).toMatchObject({ packages: [], bytes: 0 })
})

test('packages that do not exist, or not together, are named', async () => {
  await expect(stage(['jq', 'crowbar-no-such-package'])).rejects.toMatchObject({ code: 'APT_PACKAGE_UNKNOWN', data: { names: ['crowbar-no-such-package'] } })
  await expect(stage(['--option'])).rejects.toMatchObject({ code: 'APT_PACKAGE_UNKNOWN' })
  await expect(stage(['postfix', 'exim4-daemon-light'])).rejects.toMatchObject({ code: 'APT_UNRESOLVABLE' })
})

test('a build that is stopped leaves no folder and no mount', async () => {
  const before = await readdir(join(store.folder, 'tmp'))
  const controller = new AbortController()
  const build = buildRootfs({
    os: BOOKWORM, flavour: 'container', packages: ['tree'], store, signal: controller.signal,
    onProgress: message => {
      if (message.startsWith('installing essential')) controller.abort(new Error('told to stop'))
    },
  })
  await expect(build).rejects.toThrow('told to stop')
  expect((await readdir(join(store.folder, 'tmp'))).filter(name => !before.includes(name))).toEqual([])
  expect(await readFile('/proc/self/mountinfo', 'utf8')).not.toContain('/tmp/rootfs-')
})

const ENVIRONMENT = { PATH: '/usr/sbin:/usr/bin:/sbin:/bin', LC_ALL: 'C.UTF-8', DEBIAN_FRONTEND: 'noninteractive' }

async function unpack(): Promise<AsyncDisposable & { readonly path: string }> {
  const path = await mkdtemp(join(tmpdir(), 'crowbar-root-'))
  await run('tar', ['-x', '-p', '--numeric-owner', '--zstd', '-f', store.path(rootfs.hash), '-C', path])
  return { path, [Symbol.asyncDispose]: () => rm(path, { recursive: true, force: true }) }
}
