import { createServer } from 'node:http'
import type { Server } from 'node:http'
import { execFileSync } from 'node:child_process'
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import type { AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, expect, test } from 'vitest'
import type { AptSource } from '../../../agent/stage/apt-sources.ts'
import { stageDebianPackages } from '../../../agent/stage/debian-packages.ts'
import type { StagedDebianPackages } from '../../../agent/stage/debian-packages.ts'
import { hashOf } from '../../../agent/stage/object-hash.ts'
import { openStore } from '../../../agent/stage/store.ts'

let folder = ''
let server: Server | undefined
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'crowbar-lost-'))
})
afterEach(async () => {
  await new Promise(resolve => (server === undefined ? resolve(undefined) : server.close(resolve)))
  rmSync(folder, { recursive: true, force: true })
})

/** `name version`, and what it depends on. */
type Listed = readonly [name: string, version: string, depends?: string]

function packageFile(name: string, version: string, depends: string | undefined): Buffer {
  const root = join(folder, `${name}_${version}`)
  mkdirSync(join(root, 'DEBIAN'), { recursive: true })
  writeFileSync(join(root, 'DEBIAN/control'), `Package: ${name}\nVersion: ${version}\nArchitecture: all\n${depends === undefined ? '' : `Depends: ${depends}\n`}Maintainer: nobody\nDescription: x\n`)
  execFileSync('dpkg-deb', ['--build', '-Znone', '--root-owner-group', root], { stdio: 'ignore' })
  return readFileSync(`${root}.deb`)
}

/** A mirror whose index lists these packages, and which has lost some of them. */
async function mirror(listed: readonly Listed[], lost: readonly string[]): Promise<AptSource> {
  const built = new Map(listed.map(([name, version, depends]) => [`${name} ${version}`, packageFile(name, version, depends)]))
  const path = (name: string, version: string): string => `pool/${name}_${version}_all.deb`
  const packages = listed.map(([name, version, depends]) => [
    `Package: ${name}`, `Version: ${version}`, 'Architecture: all', ...(depends === undefined ? [] : [`Depends: ${depends}`]), 'Maintainer: nobody', 'Description: x',
    `Filename: ${path(name, version)}`, `Size: ${String(built.get(`${name} ${version}`)?.length)}`, `SHA256: ${hashOf(built.get(`${name} ${version}`) ?? '').slice(7)}`, '',
  ].join('\n')).join('\n')
  const release = ['Codename: bookworm', 'Suite: bookworm', 'Date: Sat, 01 Aug 2026 00:00:00 UTC', 'Architectures: amd64 all', 'Components: main', 'SHA256:', ` ${hashOf(packages).slice(7)} ${String(packages.length)} main/binary-amd64/Packages`, ''].join('\n')
  const files: Record<string, string | Buffer | undefined> = { 'dists/bookworm/Release': release, 'dists/bookworm/main/binary-amd64/Packages': packages }
  for (const [name, version] of listed) if (!lost.includes(`${name} ${version}`)) files[path(name, version)] = built.get(`${name} ${version}`)
  server = createServer((request, response) => {
    const body = files[decodeURIComponent(request.url ?? '').slice(1)]
    response.writeHead(body === undefined ? 404 : 200, { 'content-length': Buffer.byteLength(body ?? '') }).end(body)
  })
  await new Promise<void>(resolve => server?.listen(0, '127.0.0.1', resolve))
  return { uris: [`http://127.0.0.1:${String((server.address() as AddressInfo).port)}/`], suites: ['bookworm'], components: ['main'], options: { Trusted: 'yes' } }
}

async function staged(listed: readonly Listed[], lost: readonly string[]): Promise<StagedDebianPackages & { readonly said: readonly string[] }> {
  const store = await openStore(join(folder, 'store'))
  const { hash } = await store.put(Buffer.from(''))
  const said: string[] = []
  const done = await stageDebianPackages({
    os: { family: 'debian', version: '12', suite: 'bookworm', architecture: 'amd64' }, packages: ['app'], status: hash, store, sources: { sources: [await mirror(listed, lost)] },
    signal: AbortSignal.timeout(60_000), onProgress: message => void said.push(message),
  })
  return { ...done, said }
}

test('what a mirror lists and has lost is taken in the version that it has, with what needs exactly that, and said', async () => {
  const both: readonly Listed[] = [['app', '1-1'], ['app', '1-2', 'lib'], ['lib', '2-1', 'core (= 2-1)'], ['core', '2-1'], ['lib', '2-2', 'core (= 2-2)'], ['core', '2-2']]
  const { packages, said } = await staged(both, ['core 2-2'])
  expect(packages.map(({ name, version }) => `${name} ${version}`)).toEqual(['app 1-2', 'core 2-1', 'lib 2-1'])
  expect(said).toContain('a mirror lists core 2-2 and does not have it: taking what it has, which may be older')
})

test('what it has in no version is an error that says so', async () => {
  await expect(staged([['app', '1', 'lib'], ['lib', '2']], ['lib 2'])).rejects.toMatchObject({ code: 'APT_DOWNLOAD', message: expect.stringContaining('lib_2_all.deb') as unknown })
})
