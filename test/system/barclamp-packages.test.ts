import { execFile } from 'node:child_process'
import { mkdirSync, mkdtempSync, readFileSync, readdirSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { crowbarHere } from '../compiler/cli/in-process.ts'
import { needDebianPackages } from './debian-packages.ts'

const run = promisify(execFile)
const INSTALLED = 'usr/share/crowbar/barclamps/notes'
let work = ''

beforeAll(async () => {
  work = mkdtempSync(join(tmpdir(), 'crowbar-packed-'))
  await needDebianPackages(['rpm'])
  await crowbarHere(['barclamp', 'new', 'notes', '--dir', join(work, 'notes')])
  mkdirSync(join(work, 'notes/files'))
  writeFileSync(join(work, 'notes/files', `${'long-'.repeat(30)}ü`), 'x')
  await crowbarHere(['barclamp', 'package', join(work, 'notes'), '--out', join(work, 'out')])
})
afterAll(() => rmSync(work, { recursive: true, force: true }))

const packed = (ending: string): string => join(work, 'out', readdirSync(join(work, 'out')).find((name) => name.endsWith(ending)) ?? ending)

test('rpm finds the digests of a package right, lists its files, and installs them', async () => {
  const file = packed('.rpm')
  const checked = await run('rpmkeys', ['--checksig', '--verbose', '--nosignature', file])
  expect(checked.stdout.trim().split('\n').slice(1).map((line) => line.trim())).toEqual(['Header SHA256 digest: OK', 'Header SHA1 digest: OK', 'Payload SHA256 digest: OK', 'MD5 digest: OK'])
  const listed = await run('rpm', ['--query', '--list', '--package', file])
  expect(listed.stdout.split('\n')).toContain(`/${INSTALLED}/run.sh`)
  await run('rpm', ['--install', '--force-debian', '--nodeps', '--root', join(work, 'rpm-root'), file])
  expect(readFileSync(join(work, 'rpm-root', INSTALLED, 'files', `${'long-'.repeat(30)}ü`), 'utf8')).toBe('x')
  const verified = await run('rpm', ['--verify', '--nodeps', '--root', join(work, 'rpm-root'), 'crowbar-barclamp-notes'])
  expect(verified.stdout).toBe('')
  writeFileSync(join(work, 'broken.rpm'), readFileSync(file).with(-20, 0x55))
  await expect(run('rpmkeys', ['--checksig', '--nosignature', join(work, 'broken.rpm')])).rejects.toThrow()
})

test('dpkg installs a package and removes it', async () => {
  const root = join(work, 'dpkg-root')
  for (const folder of ['var/lib/dpkg/info', 'var/lib/dpkg/updates']) mkdirSync(join(root, folder), { recursive: true })
  writeFileSync(join(root, 'var/lib/dpkg/status'), '')
  const dpkg = (...args: readonly string[]) => run('dpkg', [`--root=${root}`, '--log=/dev/null', ...args])
  await dpkg('--install', packed('.deb'))
  expect(readFileSync(join(root, INSTALLED, 'files', `${'long-'.repeat(30)}ü`), 'utf8')).toBe('x')
  expect((await dpkg('--verify', 'crowbar-barclamp-notes')).stdout).toBe('')
  await dpkg('--remove', 'crowbar-barclamp-notes')
  expect(readdirSync(root)).not.toContain('usr')
})
