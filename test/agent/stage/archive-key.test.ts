import { execFileSync } from 'node:child_process'
import { chmodSync, mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createPrivateKey, generateKeyPairSync } from 'node:crypto'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { archiveKey, openArchiveKey } from '../../../agent/stage/archive-key.ts'
import type { ArchiveKey } from '../../../agent/stage/archive-key.ts'

/** A key for tests; RFC 8032 §7.1, test 1. */
const SEED = '9d61b19deffd5a60ba844af492ec2cc44449c5697b326919703bac031cae7f60'
const FIXED = archiveKey(createPrivateKey({ key: Buffer.concat([Buffer.from('302e020100300506032b657004220420', 'hex'), Buffer.from(SEED, 'hex')]), format: 'der', type: 'pkcs8' }))
const RELEASE = 'Origin: Crowbar\nSuite: bookworm\n- a line with a dash  \n\nSHA256:\n ab 12 Packages\n'

let folder = ''
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'crowbar-archive-key-'))
})
afterEach(() => {
  rmSync(folder, { recursive: true, force: true })
})

/** What gpgv, which apt believes, says of files. */
function verify(key: ArchiveKey, ...files: readonly string[]): { readonly ok: boolean; readonly said: string } {
  const ring = join(folder, 'ring.gpg')
  writeFileSync(ring, key.public)
  const paths = files.map((text, i) => {
    writeFileSync(join(folder, String(i)), text)
    return join(folder, String(i))
  })
  try {
    return { ok: true, said: execFileSync('gpgv', ['--homedir', folder, '--status-fd', '1', '--keyring', ring, ...paths], { encoding: 'utf8', stdio: ['ignore', 'pipe', 'ignore'] }) }
  } catch (error) {
    return { ok: false, said: String((error as { stdout: unknown }).stdout) }
  }
}

test('gpgv finds both signatures of a Release good, and names the key', () => {
  for (const said of [verify(FIXED, FIXED.signInline(RELEASE)), verify(FIXED, FIXED.signBeside(RELEASE), RELEASE)]) {
    expect(said).toMatchObject({ ok: true, said: expect.stringContaining(`VALIDSIG ${FIXED.fingerprint} 2020-01-01`) as string })
  }
})

test('gpgv refuses a Release of which a byte was changed, and one of another key', () => {
  expect(verify(FIXED, FIXED.signInline(RELEASE).replace('ab 12', 'ab 13'))).toMatchObject({ ok: false, said: expect.stringContaining('BADSIG') as string })
  expect(verify(FIXED, FIXED.signBeside(RELEASE), RELEASE.replace('ab 12', 'ab 13'))).toMatchObject({ ok: false, said: expect.stringContaining('BADSIG') as string })
  expect(verify(FIXED, archiveKey().signInline(RELEASE))).toMatchObject({ ok: false, said: expect.stringContaining('NO_PUBKEY') as string })
})

test('the same key signs the same text with the same bytes', () => {
  expect(FIXED.fingerprint).toMatchInlineSnapshot(`"6BA900248D02E023FA608875CF2D8FB97A0C941A"`)
  expect(FIXED.signBeside('a\n')).toMatchInlineSnapshot(`
    "-----BEGIN PGP SIGNATURE-----

    wnUEABYKAB0FAl4L4QAWIQRrqQAkjQLgI/pgiHXPLY+5egyUGgAKCRDPLY+5egyU
    GvBMAQDwZr7nQYJz4A9vTacA2itsTOsgB83C/cfw8b/ANGBuJAD9EFF0UiOEv7KA
    +T3krrWGUAWXdf+MTEerG7dbi3fztQs=
    =MpvT
    -----END PGP SIGNATURE-----
    "
  `)
})

test('numbers that begin with zeros are written without them', () => {
  // Of so many signatures one in 128 has such a number.
  const key = archiveKey()
  const texts = Array.from({ length: 24 }, (_, i) => `text ${String(i)}\n`)
  for (const text of texts) expect(verify(key, key.signBeside(text), text).ok).toBe(true)
})

test('the key of an admin node is made once, for nobody else to read', async () => {
  const file = join(folder, 'apt', 'archive.key')
  const made = await openArchiveKey(file)
  expect(statSync(file).mode & 0o777).toBe(0o600)
  expect((await openArchiveKey(file)).public).toEqual(made.public)
  expect(readFileSync(file, 'utf8')).toMatch(/^-----BEGIN PRIVATE KEY-----/)
  chmodSync(file, 0o640)
  await expect(openArchiveKey(file)).rejects.toMatchObject({ code: 'KEY_INVALID', message: `others can read the key ${file}: chmod 600 ${file}` })
})

test.each([['torn', 'x'], ['of another kind', generateKeyPairSync('ec', { namedCurve: 'P-256' }).privateKey.export({ format: 'pem', type: 'pkcs8' }).toString()]])('a key file that is %s is named, and not replaced', async (_, text) => {
  const file = join(folder, 'archive.key')
  writeFileSync(file, text, { mode: 0o600 })
  await expect(openArchiveKey(file)).rejects.toMatchObject({ code: 'KEY_INVALID' })
  expect(readFileSync(file, 'utf8')).toBe(text)
})
