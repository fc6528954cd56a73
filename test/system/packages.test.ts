import { execFileSync } from 'node:child_process'
import { createHash } from 'node:crypto'
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { createServer } from 'node:http'
import type { Server } from 'node:http'
import type { AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { archiveKey } from '../../agent/stage/archive-key.ts'
import type { TaskContext } from '../../agent/node/executor.ts'
import { installPackages, upgradePackages } from '../../agent/node/tasks/packages.ts'

const sha256 = (content: string | Buffer): string => createHash('sha256').update(content).digest('hex')
const EMPTY = sha256('')
const KEY = archiveKey()
const key = KEY.public.toString('base64')
let work = ''
beforeEach(() => {
  work = mkdtempSync(join(tmpdir(), 'crowbar-packages-'))
})
afterEach(() => {
  rmSync(work, { recursive: true, force: true })
})

/** A repository without any package, on a port of its own or a given one. */
async function emptyRepository(port = 0): Promise<Server> {
  const server = createServer((request, response) => {
    const file = request.url?.endsWith('/InRelease') === true ? KEY.signInline(`Suite: x\nSHA256:\n ${EMPTY} 0 Packages\n`) : request.url?.endsWith('/Packages') === true ? '' : undefined
    response.statusCode = file === undefined ? 404 : 200
    response.end(file)
  })
  await new Promise<void>(resolve => server.listen(port, '127.0.0.1', resolve))
  return server
}

async function close(server: Server): Promise<void> {
  server.closeAllConnections()
  await new Promise(resolve => server.close(resolve))
}

function listening(signal: AbortSignal, heard: (stream: string, line: string) => void): TaskContext {
  return { signal, output: heard, started: () => undefined, disks: () => undefined, onAcknowledged: () => undefined }
}

test('apt is run again when the server of the packages was away, and what it then says counts', async () => {
  const first = await emptyRepository()
  const { port } = first.address() as AddressInfo
  await close(first)
  let again: Promise<Server> | undefined
  const context = listening(AbortSignal.timeout(120_000), (stream, line) => {
    if (stream === 'progress' && line.startsWith('waiting for')) again ??= emptyRepository(port)
  })
  const installing = installPackages(['no-such-package-here'], { repository: { url: `http://127.0.0.1:${port}/apt/`, index: EMPTY, key }, work, context })
  await expect(installing).rejects.toMatchObject({ code: 'PACKAGES_FAILED', message: expect.stringContaining('Unable to locate package no-such-package-here') as string })
  const server = await again
  expect(server).toBeDefined()
  if (server !== undefined) await close(server)
})

test('whoever waits for a server that never comes can be stopped', async () => {
  const stop = new AbortController()
  const server = await emptyRepository()
  const { port } = server.address() as AddressInfo
  await close(server)
  const context = listening(stop.signal, stream => {
    if (stream === 'progress') stop.abort(new Error('enough'))
  })
  await expect(installPackages(['no-such-package-here'], { repository: { url: `http://127.0.0.1:${port}/apt/`, index: EMPTY, key }, work, context })).rejects.toThrow()
})

/** A repository with one package, of which a test may change a byte on the way. */
async function repositoryOf(change: (files: Map<string, Buffer>) => void, version = '1'): Promise<{ readonly server: Server; readonly url: string; readonly index: string }> {
  const root = join(work, 'package')
  mkdirSync(join(root, 'DEBIAN'), { recursive: true })
  writeFileSync(join(root, 'DEBIAN/control'), `Package: crowbar-test-nothing\nVersion: ${version}\nArchitecture: all\nMaintainer: nobody <nobody@example.com>\nDescription: nothing\n`)
  const deb = join(work, 'nothing.deb')
  execFileSync('dpkg-deb', ['--build', '--root-owner-group', root, deb], { stdio: 'ignore' })
  const bytes = readFileSync(deb)
  const index = Buffer.from(`${readFileSync(join(root, 'DEBIAN/control'), 'utf8')}Filename: pool/nothing.deb\nSize: ${bytes.length}\nSHA256: ${sha256(bytes)}\n`)
  const release = (packages: Buffer): Buffer => Buffer.from(KEY.signInline(`Suite: bookworm\nArchitectures: amd64\nSHA256:\n ${sha256(packages)} ${packages.length} Packages\n`))
  const files = new Map([['Packages', index], ['InRelease', release(index)], ['pool/nothing.deb', bytes]])
  change(files)
  // Who has the key and changes the index changes what it is checked against, too.
  if (!files.get('Packages')?.equals(index)) files.set('InRelease', release(files.get('Packages') ?? index))
  const server = createServer((request, response) => {
    const file = files.get((request.url ?? '').replace(/^\/apt\/(\.\/)?/, ''))
    response.statusCode = file === undefined ? 404 : 200
    response.end(file)
  })
  await new Promise<void>(resolve => server.listen(0, '127.0.0.1', resolve))
  return { server, url: `http://127.0.0.1:${(server.address() as AddressInfo).port}/apt/`, index: sha256(index) }
}

test.each([
  ['the index', 'the index of packages', (files: Map<string, Buffer>) => files.set('Packages', Buffer.from((files.get('Packages') ?? '').toString().replace('Version: 1', 'Version: 2')))],
  ['the Release', 'signature', (files: Map<string, Buffer>) => files.set('InRelease', Buffer.from((files.get('InRelease') ?? '').toString().replace('bookworm', 'bookworn')))],
  ['a Release without its signature', 'is not signed', (files: Map<string, Buffer>) => files.set('Release', Buffer.from('Suite: bookworm\n')) && files.delete('InRelease')],
  ['a package', 'Hash Sum mismatch', (files: Map<string, Buffer>) => files.get('pool/nothing.deb')?.writeUInt8(0x58, 100)],
])('%s that is not as it was sent is noticed, and nothing is installed', async (_, message, change) => {
  const { server, url, index } = await repositoryOf(change)
  try {
    await expect(installPackages(['crowbar-test-nothing'], { repository: { url, index, key }, work, context: listening(AbortSignal.timeout(60_000), () => undefined) }))
      .rejects.toMatchObject({ code: 'CONTENT_MISMATCH', message: expect.stringContaining(message) as string })
  } finally {
    await close(server)
  }
  expect(() => execFileSync('dpkg-query', ['--show', 'crowbar-test-nothing'], { stdio: 'ignore' })).toThrow()
})

const installed = (): string => execFileSync('dpkg-query', ['--show', '--showformat', '${db:Status-Abbrev}${Version}', 'crowbar-test-nothing'], { encoding: 'utf8' })

test('an upgrade brings what is installed to what the repository has, and the second one finds nothing to do', async () => {
  const context = listening(AbortSignal.timeout(300_000), () => undefined)
  const before = await repositoryOf(() => undefined, '1.0')
  const after = await repositoryOf(() => undefined, '1.1')
  try {
    const install = (): ReturnType<typeof installPackages> => installPackages(['crowbar-test-nothing'], { repository: { url: before.url, index: before.index, key }, work, context })
    expect(await install()).toEqual(['crowbar-test-nothing'])
    expect(await install()).toEqual([])
    expect(installed()).toBe('ii 1.0')
    const upgrade = (): ReturnType<typeof upgradePackages> => upgradePackages({ url: after.url, index: after.index, key }, { work: join(work, 'upgrade'), context })
    expect(await upgrade()).toEqual({ outcome: 'succeeded', provides: {} })
    expect(installed()).toBe('ii 1.1')
    expect(await upgrade()).toEqual({ outcome: 'unchanged', provides: {} })
    // What is gone from the repository stays as it is.
    expect(await upgradePackages({ url: before.url, index: before.index, key }, { work: join(work, 'upgrade'), context })).toEqual({ outcome: 'unchanged', provides: {} })
    expect(installed()).toBe('ii 1.1')
  } finally {
    execFileSync('dpkg', ['--purge', 'crowbar-test-nothing'], { stdio: 'ignore' })
    for (const { server } of [before, after]) await close(server)
  }
})
