import { execFileSync } from 'node:child_process'
import { appendFileSync, mkdtempSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { createServer } from 'node:https'
import type { AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { fetchAuthority } from '../../../agent/node/pinned-authority.ts'
import { openEnrolment } from '../../../agent/nodes/enrolment.ts'
import type { Arrival, Enrolment } from '../../../agent/nodes/enrolment.ts'
import { openServerIdentity } from '../../../agent/nodes/tls.ts'

const NOW = Date.parse('2026-05-01T12:00:00Z')
const MAC = '52:54:00:00:00:01'
let folder = ''
let now = NOW
let count = 0
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'crowbar-enrolment-'))
  now = NOW
  count = 0
})
afterEach(() => rmSync(folder, { recursive: true, force: true }))

const open = (): Promise<Enrolment> => openEnrolment(folder, { now: () => now, random: () => `id${++count}` })
const booted = (token: string | null, key: string, over: Partial<Arrival> = {}): Arrival => ({ token, key, environment: 'discovery', node: null, incarnation: null, macs: ['52:54:00:00:00:02', MAC], ...over })
const installed = (token: string | null, key: string, over: Partial<Arrival> = {}): Arrival => ({ token, key, environment: 'installed', node: 'n1', incarnation: 'i1', macs: [MAC], ...over })
const refused = (code: string) => expect.objectContaining({ code }) as Error

test('a token binds the first key that redeems it; the same key may repeat, also after its time and a restart', async () => {
  let token = ''
  {
    await using enrolment = await open()
    token = enrolment.issue({ kind: 'boot', mac: MAC }, 900)
    expect(token).toMatch(/^[A-Za-z0-9_.-]+$/)
    expect(await enrolment.redeem(booted(token, 'K1'))).toEqual({ subject: { kind: 'boot', mac: MAC }, first: true })
  }
  now += 3_600_000
  await using enrolment = await open()
  expect(await enrolment.redeem(booted(token, 'K1'))).toMatchObject({ first: false })
  await expect(enrolment.redeem(booted(token, 'K2'))).rejects.toEqual(refused('TOKEN_SPENT'))
})

test('a token that was not redeemed in time, was made elsewhere or was changed lets nobody in', async () => {
  await using enrolment = await open()
  const token = enrolment.issue({ kind: 'boot', mac: MAC }, 900)
  now += 900_001
  await expect(enrolment.redeem(booted(token, 'K1'))).rejects.toEqual(refused('TOKEN_EXPIRED'))
  const [body = '', seal = ''] = enrolment.issue({ kind: 'boot', mac: MAC }, 900).split('.')
  const forged = Buffer.from(Buffer.from(body, 'base64url').toString().replace(MAC, '52:54:00:00:00:02')).toString('base64url')
  for (const bad of [`${forged}.${seal}`, `${body}.`, body, `${body}.${seal}.x`, '', '.']) await expect(enrolment.redeem(booted(bad, 'K1'))).rejects.toEqual(refused('TOKEN_INVALID'))
  await expect(enrolment.redeem(booted(null, 'K1'))).rejects.toEqual(refused('TOKEN_MISSING'))
})

test('a token is for one machine, one environment, one node and one installation', async () => {
  await using enrolment = await open()
  const boot = enrolment.issue({ kind: 'boot', mac: MAC }, 900)
  await expect(enrolment.redeem(booted(boot, 'K', { macs: ['52:54:00:00:00:99'] }))).rejects.toEqual(refused('SUBJECT_MISMATCH'))
  await expect(enrolment.redeem(installed(boot, 'K'))).rejects.toEqual(refused('SUBJECT_MISMATCH'))
  const system = enrolment.issue({ kind: 'installed', node: 'n1', incarnation: 'i1' }, 900)
  for (const over of [{ node: 'n2' }, { incarnation: 'i0' }, { incarnation: null }, { environment: 'discovery' }] as const) await expect(enrolment.redeem(installed(system, 'K', over))).rejects.toEqual(refused('SUBJECT_MISMATCH'))
  expect(await enrolment.redeem(installed(system, 'K'))).toMatchObject({ first: true })
})

test('a later boot supersedes an earlier one once it is redeemed, and not before', async () => {
  await using enrolment = await open()
  const first = enrolment.issue({ kind: 'boot', mac: MAC }, 900)
  now += 1000
  const second = enrolment.issue({ kind: 'boot', mac: MAC }, 900)
  await enrolment.redeem(booted(first, 'K1'))
  expect(await enrolment.redeem(booted(first, 'K1'))).toMatchObject({ first: false })
  await enrolment.redeem(booted(second, 'K2'))
  await expect(enrolment.redeem(booted(first, 'K1'))).rejects.toEqual(refused('TOKEN_SUPERSEDED'))
})

test('a torn last line of the record is dropped; keys are for their owner alone', async () => {
  let token = ''
  {
    await using enrolment = await open()
    token = enrolment.issue({ kind: 'boot', mac: MAC }, 900)
    await enrolment.redeem(booted(token, 'K1'))
  }
  appendFileSync(join(folder, 'redeemed.jsonl'), '{"subject":"boot/52:54')
  await using enrolment = await open()
  expect(await enrolment.redeem(booted(token, 'K1'))).toMatchObject({ first: false })
  for (const file of ['token.key', 'redeemed.jsonl']) expect(statSync(join(folder, file)).mode & 0o777).toBe(0o600)
})

test('many redemptions at once are all there afterwards', async () => {
  const macs = Array.from({ length: 200 }, (_, index) => `52:54:00:00:01:${index.toString(16).padStart(2, '0')}`)
  const tokens: string[] = []
  {
    await using enrolment = await open()
    tokens.push(...macs.map((mac) => enrolment.issue({ kind: 'boot', mac }, 900)))
    await Promise.all(tokens.map((token, index) => enrolment.redeem(booted(token, `K${index}`, { macs: [macs[index] ?? ''] }))))
  }
  await using enrolment = await open()
  const again = await Promise.all(tokens.map((token, index) => enrolment.redeem(booted(token, `K${index}`, { macs: [macs[index] ?? ''] }))))
  expect(again.every(({ first }) => !first)).toBe(true)
})

test('the authority is kept, the server certificate follows its names, and OpenSSL agrees with both', async () => {
  const tls = join(folder, 'tls')
  const first = await openServerIdentity(tls, { names: ['192.0.2.10', 'adm1.example.com'], now: Date.now() })
  expect(await openServerIdentity(tls, { names: ['adm1.example.com', '192.0.2.10'], now: Date.now() })).toEqual(first)
  const second = await openServerIdentity(tls, { names: ['192.0.2.11'], now: Date.now() })
  expect(second.fingerprint).toBe(first.fingerprint)
  expect(second.certificates).not.toBe(first.certificates)
  const later = await openServerIdentity(tls, { names: ['192.0.2.11'], now: Date.now() + 9.5 * 365 * 86_400_000 })
  expect(later.certificates).not.toBe(second.certificates)
  const openssl = (...args: string[]): string => execFileSync('openssl', args, { encoding: 'utf8' })
  writeFileSync(join(folder, 'ca.pem'), first.authority)
  writeFileSync(join(folder, 'server.pem'), first.certificates)
  expect(openssl('verify', '-purpose', 'sslserver', '-verify_ip', '192.0.2.10', '-CAfile', join(folder, 'ca.pem'), join(folder, 'server.pem'))).toContain('OK')
  expect(openssl('x509', '-in', join(folder, 'ca.pem'), '-noout', '-fingerprint', '-sha256').toLowerCase().replaceAll(':', '')).toContain(first.fingerprint)
  for (const file of ['ca.key', 'server.key']) expect(statSync(join(tls, file)).mode & 0o777).toBe(0o600)
})

test('a node finds the authority that it pins in what a server presents, and no other', async () => {
  const identity = await openServerIdentity(join(folder, 'tls'), { names: ['127.0.0.1'], now: Date.now() })
  const server = createServer({ cert: identity.certificates, key: identity.key })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  const url = `wss://127.0.0.1:${(server.address() as AddressInfo).port}/node`
  const { signal } = new AbortController()
  expect((await fetchAuthority(url, identity.fingerprint, { signal })).trim()).toBe(identity.authority.trim())
  await expect(fetchAuthority(url, 'cd'.repeat(32), { signal })).rejects.toMatchObject({ code: 'CA_MISMATCH' })
  await new Promise((resolve) => server.close(resolve))
})

test('a machine that joined stays who it is when its node is renamed and another one joins under the old name; its own next token supersedes', async () => {
  await using enrolment = await open()
  const joined = (token: string, key: string, node: string): Arrival => installed(token, key, { node, incarnation: null })
  const first = enrolment.issue({ kind: 'installed', node: 'n1', incarnation: null, index: 4 }, 900)
  await enrolment.redeem(joined(first, 'K1', 'n1'))
  now += 1000
  const other = enrolment.issue({ kind: 'installed', node: 'n1', incarnation: null, index: 9 }, 900)
  expect(await enrolment.redeem(joined(other, 'K2', 'n1'))).toMatchObject({ first: true })
  expect(await enrolment.redeem(joined(first, 'K1', 'n1'))).toMatchObject({ first: false })
  now += 1000
  const again = enrolment.issue({ kind: 'installed', node: 'n7', incarnation: null, index: 4 }, 900)
  expect(await enrolment.redeem(joined(again, 'K3', 'n7'))).toMatchObject({ first: true })
  await expect(enrolment.redeem(joined(first, 'K1', 'n1'))).rejects.toEqual(refused('TOKEN_SUPERSEDED'))
})
