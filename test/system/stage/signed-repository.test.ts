import { execFile } from 'node:child_process'
import { mkdirSync, mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { provideHostNeeds } from '../../../agent/image/needs.ts'
import { buildRootfs } from '../../../agent/image/rootfs/rootfs.ts'
import { archiveKey } from '../../../agent/stage/archive-key.ts'
import { describePackages } from '../../../agent/stage/debian-packages.ts'
import type { ObjectHash } from '../../../agent/stage/object-hash.ts'
import type { Store } from '../../../agent/stage/store.ts'
import { openImageStore } from '../image/image-store.ts'
import { serveStaged } from './serve-staged.ts'

const run = promisify(execFile)
const work = { signal: AbortSignal.timeout(880_000), onProgress: () => {} }
const ENVIRONMENT = { PATH: '/usr/sbin:/usr/bin:/sbin:/bin', LC_ALL: 'C', DEBIAN_FRONTEND: 'noninteractive' }
let store: Store
let folder = ''

beforeAll(async () => {
  await provideHostNeeds(work)
  folder = mkdtempSync(join(tmpdir(), 'crowbar-signed-'))
  store = await openImageStore()
})
afterAll(() => {
  rmSync(folder, { recursive: true, force: true })
})

describe.each([['11', 'bullseye'], ['12', 'bookworm'], ['13', 'trixie']])('apt of Debian %s', (version, suite) => {
  const root = (): string => join(folder, suite)
  let manifest: ObjectHash
  const apt = (...argv: string[]): Promise<{ readonly stdout: string }> => run('chroot', [root(), 'apt-get', '-q', '-y', '-o', 'APT::Sandbox::User=root', '-o', 'APT::Update::Error-Mode=any', ...argv], { env: ENVIRONMENT })
  const refused = async (...argv: string[]): Promise<string> => apt(...argv).then(() => 'nothing', (error: unknown) => String((error as { stderr: unknown }).stderr))

  beforeAll(async () => {
    const os = { family: 'debian', version, suite, architecture: 'amd64' } as const
    const rootfs = await buildRootfs({ os, flavour: 'container', store, ...work })
    mkdirSync(root())
    await run('tar', ['-x', '-p', '--numeric-owner', '--zstd', '-f', store.path(rootfs.hash), '-C', root()])
    const tree = join(folder, `package-${version}`)
    await run('sh', ['-c', 'mkdir -p "$1/DEBIAN" && printf "Package: signed\\nVersion: 1\\nArchitecture: all\\nMaintainer: a <a@example.com>\\nDescription: nothing\\n" > "$1/DEBIAN/control" && dpkg-deb --root-owner-group -Zgzip --build "$1" "$1.deb"', 'sh', tree])
    const deb = await store.put({ file: `${tree}.deb` })
    manifest = (await describePackages({ os, requested: ['signed'], packages: [{ name: 'signed', version: '1', architecture: 'all', ...deb }], store, signal: work.signal })).manifest
  }, 880_000)

  test('installs what the admin node signed, with no word that it is to be trusted', async () => {
    await using served = await serveStaged(store)
    served.useIn(root(), manifest)
    expect((await apt('update')).stdout).not.toMatch(/^(W|N|E):/m)
    expect((await apt('install', 'signed')).stdout).toMatch(/Setting up signed/)
    await apt('purge', 'signed')
  })

  test('takes the signature that lies beside the Release, too', async () => {
    await using served = await serveStaged(store, (path, content) => (path.endsWith('/InRelease') ? undefined : content))
    served.useIn(root(), manifest)
    await apt('update')
    expect((await apt('install', '--simulate', 'signed')).stdout).toMatch(/^Inst signed/m)
  })

  test.each([
    ['a Release that was changed', (path: string, content: Buffer) => (path.endsWith('/InRelease') ? Buffer.from(content.toString().replace('Label: Crowbar', 'Label: Crowbaz')) : content)],
    ['a Release without a signature', (path: string, content: Buffer) => (/\/(InRelease|Release\.gpg)$/.test(path) ? undefined : content)],
  ])('refuses %s', async (_, change) => {
    await using served = await serveStaged(store, change)
    served.useIn(root(), manifest)
    await run('sh', ['-c', 'rm -rf "$1"/var/lib/apt/lists/*', 'sh', root()])
    expect(await refused('update')).toMatch(/is not signed|signature/i)
    expect(await refused('install', 'signed')).toMatch(/Unable to locate package signed/)
  })

  test('refuses what another admin node signed', async () => {
    await using served = await serveStaged(store)
    served.useIn(root(), manifest, archiveKey().public)
    await run('sh', ['-c', 'rm -rf "$1"/var/lib/apt/lists/*', 'sh', root()])
    expect(await refused('update')).toMatch(/is not signed|signature/i)
  })
})
