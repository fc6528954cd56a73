import { execFileSync, spawn } from 'node:child_process'
import { once } from 'node:events'
import { copyFileSync, mkdirSync, mkdtempSync, readdirSync, rmSync, statSync, truncateSync } from 'node:fs'
import { homedir, tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { openStore } from '../../agent/stage/store.ts'
import { verify } from '../../agent/stage/verify.ts'
import { rehearseLoaded } from './bundle-offline.ts'
import { joinedFirstLight, ROOT } from './bundle-site.ts'
import { needDebianPackages } from './debian-packages.ts'
import { crowbar } from './held-rack.ts'

/** Shared with other whole-system tests and with rehearsals, since what is staged in it takes minutes. */
const STORE = join(process.env['XDG_CACHE_HOME'] ?? join(homedir(), '.cache'), 'crowbar', 'store')
const KILLS = 6

let folder: string
let bundle: string
let fingerprint: string

beforeAll(async () => {
  // Where there is no route nothing can be installed.
  await needDebianPackages(['iproute2', 'mount', 'systemd-container', 'zstd'])
  folder = mkdtempSync(join(tmpdir(), 'crowbar-bundle-test-'))
  bundle = join(folder, 'first-light.bundle')
  joinedFirstLight(join(folder, 'site'))
})
afterAll(() => rmSync(folder, { recursive: true, force: true }))

const loadArguments = (place: string, file = bundle): string[] => ['bundle', 'load', file, '--trust', fingerprint, '--data', join(place, 'data'), '--repository', join(place, 'site.git'), '--program', join(place, 'program')]
const quiet = { signal: new AbortController().signal, onProgress: () => undefined, now: () => 0, refetch: () => Promise.reject(new Error('none')) }

test('what is not staged is named; once it is, a bundle is made', () => {
  const create = ['bundle', 'create', bundle, '--site', join(folder, 'site'), '--rehearsal', '--key', join(folder, 'key'), '--format', 'json']
  const before = crowbar(...create, '--store', join(folder, 'empty'))
  expect(before.code).toBe(1)
  expect(before.stderr).toMatch(/packages-debian-12-joined: is not staged; hello\/\S+ wants it/)
  expect(crowbar('stage', '--site', join(folder, 'site'), '--store', STORE).stdout).toContain('staged')
  let made = crowbar(...create, '--store', STORE)
  if (made.stderr.includes('the system that containers')) {
    // What containers stand on is staged by a rehearsal.
    crowbar('rehearse', 'site-examples/joined', '--nodes', 'container', '--out', join(folder, 'earlier'))
    made = crowbar(...create, '--store', STORE)
  }
  expect([made.stderr.replace(/^made the key .*\n/, ''), made.code]).toEqual(['', 0])
  fingerprint = (JSON.parse(made.stdout) as { signer: string }).signer
  expect(crowbar('bundle', 'verify', bundle, '--trust', join(folder, 'key.pub'))).toMatchObject({ code: 0, stdout: expect.stringContaining('all as they were signed') as string })
  expect(crowbar('bundle', 'verify', bundle)).toMatchObject({ code: 3 })
})

test('first-light is rehearsed from the bundle alone, and nothing tries to leave', async () => {
  const report = await rehearseLoaded('container', { bundle, fingerprint, place: join(folder, 'offline'), hidden: [STORE] })
  expect(report.reported['hello/hello-check@client']).toEqual({ seen: 'Hello from first-light' })
})

test('a load that is killed at any moment leaves nothing half, and the next one goes on', async () => {
  const place = join(folder, 'killed')
  const store = await openStore(join(place, 'data/store'))
  for (let kills = 0; kills < KILLS; kills += 1) {
    const child = spawn(join(ROOT, 'bin/crowbar'), loadArguments(place), { stdio: 'ignore' })
    await sleep(350 + kills * 300)
    child.kill('SIGKILL')
    await once(child, 'exit')
  }
  expect(await verify(store, quiet)).toMatchObject({ damaged: [], dangling: [] })
  const { code, stderr } = crowbar(...loadArguments(place))
  expect([code, stderr]).toEqual([0, ''])
  expect(await verify(store, quiet)).toMatchObject({ damaged: [], dangling: [] })
  expect(execFileSync(join(place, 'program/bin/crowbar'), ['--version'], { encoding: 'utf8' })).toMatch(/^\d/)
  expect(execFileSync('git', ['--git-dir', join(place, 'site.git'), 'fsck', '--full'], { encoding: 'utf8', stdio: 'pipe' })).not.toContain('missing')
  rmSync(place, { recursive: true })
})

test('a full disk is said, and with more room the same command goes on', () => {
  const place = join(folder, 'full')
  mkdirSync(place)
  execFileSync('mount', ['-t', 'tmpfs', '-o', 'size=60m', 'tmpfs', place])
  try {
    const full = crowbar(...loadArguments(place).slice(0, -2), '--no-program')
    expect([full.code, full.stderr]).toEqual([1, expect.stringMatching(/^crowbar: no space is left for .*\n$/)])
    expect(readdirSync(join(place, 'data/store/tmp'))).toEqual([])
    execFileSync('mount', ['-o', 'remount,size=300m', place])
    const [more] = JSON.parse(crowbar(...loadArguments(place).slice(0, -2), '--no-program', '--format', 'json').stdout) as { added: number; objects: number }[]
    expect(more?.added).toBeLessThan(more?.objects ?? 0)
  } finally {
    execFileSync('umount', [place])
  }
})

test('a file that was cut off is refused with one line', () => {
  const cut = join(folder, 'cut.bundle')
  copyFileSync(bundle, cut)
  truncateSync(cut, Math.floor(statSync(cut).size / 2))
  expect(crowbar('bundle', 'verify', cut, '--trust', fingerprint)).toMatchObject({ code: 1, stdout: '', stderr: expect.stringMatching(/^crowbar: .*ends after \d+ bytes.*\n$/) as string })
})
