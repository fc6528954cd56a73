import { randomBytes } from 'node:crypto'
import { afterAll, beforeAll, expect, test } from 'vitest'
import type { Trust } from '../../../agent/proxy/apt/check-signature.ts'
import type { ProxySource } from '../../../agent/proxy/source.ts'
import { openTestProxy } from '../../agent/proxy/open-test-proxy.ts'
import { archive } from '../../builders/archive.ts'
import type { Archive } from '../../builders/archive.ts'
import { openSigner } from '../../builders/signer.ts'
import type { Signer } from '../../builders/signer.ts'
import { testUpstream } from '../../builders/upstream.ts'
import { needDebianPackages } from '../debian-packages.ts'

const PACKAGE = randomBytes(5_000)
let signer: Signer

beforeAll(async () => {
  await needDebianPackages(['gpg', 'gpg-agent', 'gpgv'])
  signer = openSigner(['ours', 'other'])
})
afterAll(() => signer[Symbol.dispose]())

const gpg = (...args: string[]): Buffer => signer.gpg(...args)
const signed = (archived: Archive, options: { readonly by: string; readonly inline: boolean }): Archive => signer.sign(archived, options)

function source(upstream: string, trust: Trust): ProxySource {
  return { type: 'apt', name: 'debian', archives: [{ upstreams: [upstream], suites: ['test'], components: [], architectures: [], trust }] }
}

const files = archive({ packages: { 'pool/p_1_amd64.deb': PACKAGE } })
const limits = { rounds: 1 }

test.each([true, false])('what is signed by a key of the source is served, the signature inside: %s', async inline => {
  await using upstream = await testUpstream(signed(files, { by: 'ours', inline }))
  for (const keys of [gpg('--export', 'ours'), gpg('--armor', '--export', 'ours'), Buffer.concat([gpg('--export', 'other'), gpg('--export', 'ours')])]) {
    await using proxy = await openTestProxy([source(upstream.url, { kind: 'keys', keys: [keys] })], { limits })
    expect((await proxy.get('/apt/debian/dists/test/InRelease')).status).toBe(inline ? 200 : 404)
    expect((await proxy.get('/apt/debian/dists/test/Release')).body.equals(files.get('dists/test/Release') ?? Buffer.alloc(0))).toBe(true)
    if (!inline) expect((await proxy.get('/apt/debian/dists/test/Release.gpg')).status).toBe(200)
    expect((await proxy.get('/apt/debian/pool/p_1_amd64.deb')).body.equals(PACKAGE)).toBe(true)
  }
})

test('what is signed by another key, changed after it was signed, or not signed is refused and not kept', async () => {
  const trust: Trust = { kind: 'keys', keys: [gpg('--export', 'ours')] }
  const changed = signed(files, { by: 'ours', inline: true })
  const text = (changed.get('dists/test/InRelease') ?? Buffer.alloc(0)).toString()
  changed.set('dists/test/InRelease', Buffer.from(text.replace('Suite: test', 'Suite: tesT')))
  for (const [bad, why] of [[signed(files, { by: 'other', inline: true }), 'is not signed by a key of the source'], [changed, 'is not signed by a key of the source'], [files, 'its Release is not signed']] as const) {
    await using upstream = await testUpstream(bad)
    await using proxy = await openTestProxy([source(upstream.url, trust)], { limits })
    for (const path of ['dists/test/InRelease', 'pool/p_1_amd64.deb']) {
      const got = await proxy.get(`/apt/debian/${path}`)
      expect([got.status, got.body.toString()]).toEqual([502, expect.stringContaining(why)])
    }
    for await (const { hash } of proxy.store.objects()) expect(hash).toBe('none')
  }
})

test('text around what is signed is not read', async () => {
  const good = signed(files, { by: 'ours', inline: true })
  const evil = Buffer.from(`Date: Mon, 05 Oct 2020 10:00:00 UTC\nSHA256:\n ${'0'.repeat(64)} 1 main/evil\n\n`)
  good.set('dists/test/InRelease', Buffer.concat([evil, good.get('dists/test/InRelease') ?? Buffer.alloc(0)]))
  await using upstream = await testUpstream(good)
  await using proxy = await openTestProxy([source(upstream.url, { kind: 'keys', keys: [gpg('--export', 'ours')] })], { limits })
  expect((await proxy.get('/apt/debian/dists/test/main/evil')).status).toBeGreaterThanOrEqual(400)
  expect((await proxy.get('/apt/debian/dists/test/Release')).body.toString()).not.toContain('main/evil')
})

test('of two signatures one is enough when the source has that key alone, and none by a revoked key is', async () => {
  using keys = openSigner(['first', 'second'])
  const release = (keys.sign(files, { by: 'first', inline: true }).get('dists/test/InRelease') ?? Buffer.alloc(0)).toString()
  const both = new Map(files).set('dists/test/InRelease', keys.clearsign(files.get('dists/test/Release') ?? Buffer.alloc(0), ['first', 'second']))
  await using upstream = await testUpstream(both)
  const served = async (...rings: Buffer[]): Promise<string> => {
    await using proxy = await openTestProxy([source(upstream.url, { kind: 'keys', keys: rings })], { limits })
    const got = await proxy.get('/apt/debian/pool/p_1_amd64.deb')
    return got.status === 200 ? 'served' : got.body.toString()
  }
  const [first, second] = [keys.gpg('--export', 'first@'), keys.gpg('--export', 'second@')]
  expect([await served(first), await served(second), await served(first, second), await served(gpg('--export', 'ours'))]).toEqual(['served', 'served', 'served', expect.stringContaining('not signed by a key')])
  keys.revoke('second@')
  const revoked = keys.gpg('--export', 'second@')
  expect([await served(first, revoked), await served(revoked)]).toEqual(['served', expect.stringContaining('not signed by a key')])
  // Twice the same message, each well signed, is not one message.
  upstream.files = new Map(files).set('dists/test/InRelease', Buffer.from(release + release))
  expect(await served(first)).toContain('not signed by a key')
  // A signature that is wrong is not made good by another one.
  upstream.files = new Map(files).set('dists/test/InRelease', Buffer.from((both.get('dists/test/InRelease') ?? '').toString().replace('Suite: test', 'Suite: tesT')))
  expect(await served(first, second)).toContain('not signed by a key')
})
