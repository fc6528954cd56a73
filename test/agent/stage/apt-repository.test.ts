import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { createAptRepository } from '../../../agent/stage/apt-repository.ts'
import { archiveKey } from '../../../agent/stage/archive-key.ts'
import type { AptRepositoryManifest } from '../../../agent/stage/debian-packages.ts'
import { openStore } from '../../../agent/stage/store.ts'
import type { ObjectHash } from '../../../agent/stage/object-hash.ts'
import type { Store } from '../../../agent/stage/store.ts'

const KEY = archiveKey()
let folder: string
let store: Store
let manifest: ObjectHash
let base: string

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'crowbar-repository-'))
  store = await openStore(folder)
  const deb = await store.put(Buffer.from('not really a package'))
  const document: AptRepositoryManifest = {
    kind: 'apt-repository', version: 1, os: { family: 'debian', version: '12', suite: 'bookworm', architecture: 'amd64' }, requested: ['g++'],
    packages: [{ name: 'g++', version: '4:12.2.0-3', architecture: 'amd64', path: 'pool/g++_12.2.0-3_amd64.deb', ...deb }],
    files: { Packages: await store.put(Buffer.from('Package: g++\n')), Release: await store.put(Buffer.from('Suite: bookworm\n')) },
  }
  manifest = (await store.put(Buffer.from(JSON.stringify(document)))).hash
  base = `/apt/${manifest.slice(7)}`
})
afterEach(() => rm(folder, { recursive: true, force: true }))

test('the paths that apt asks for lead to objects of the store', async () => {
  const repository = createAptRepository(store, KEY)
  const contentOf = async (path: string): Promise<string | undefined> => {
    const file = await repository(`${base}/${path}`)
    return file && (await store.read(file.hash)).toString()
  }
  expect(await contentOf('./Release')).toBe('Suite: bookworm\n')
  expect(await contentOf('./InRelease')).toBe(KEY.signInline('Suite: bookworm\n'))
  expect(await contentOf('./Release.gpg')).toBe(KEY.signBeside('Suite: bookworm\n'))
  expect(await contentOf('./Packages')).toBe('Package: g++\n')
  expect(await contentOf('Packages')).toBe('Package: g++\n')
  expect(await contentOf(`./by-hash/SHA256/${'0'.repeat(64)}`)).toBeUndefined()
  const index = await repository(`${base}/./Packages`)
  expect(await contentOf(`./by-hash/SHA256/${index?.hash.slice(7) ?? ''}`)).toBe('Package: g++\n')
  expect(await repository(`${base}/./pool/g%2b%2b_12.2.0-3_amd64.deb`)).toMatchObject({ bytes: 20, contentType: 'application/vnd.debian.binary-package' })
  expect(await contentOf('pool/g++_12.2.0-3_amd64.deb')).toBe('not really a package')
})

test.each(['./Packages.xz', './constructor', './__proto__', '../../etc/passwd', './pool/%zz', 'pool/'])('%s is not there', async path => {
  expect(await createAptRepository(store, KEY)(`${base}/${path}`)).toBeUndefined()
})

test('only manifests of repositories open one', async () => {
  const repository = createAptRepository(store, KEY)
  const { hash } = await store.put(Buffer.from('{"kind":"rootfs"}'))
  expect(await repository(`/apt/${hash.slice(7)}/./Release`)).toBeUndefined()
  expect(await repository(`/apt/${'0'.repeat(64)}/./Release`)).toBeUndefined()
  expect(await repository('/apt/../Release')).toBeUndefined()
  expect(await repository('/other')).toBeUndefined()
})

test('a repository staged after the first question is found', async () => {
  const repository = createAptRepository(store, KEY)
  const later = Buffer.from(`${(await store.read(manifest)).toString()}\n`)
  const { hash } = await (await openStore(join(folder, 'other'))).put(later)
  expect(await repository(`/apt/${hash.slice(7)}/Release`)).toBeUndefined()
  await store.put(later)
  expect(await repository(`/apt/${hash.slice(7)}/Release`)).toBeDefined()
})
