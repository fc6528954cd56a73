import { request } from 'node:http'
import { expect, test } from 'vitest'
import { startHttp } from '../../../agent/boot/http/http-server.ts'
import { forwardTo } from '../../../agent/proxy/forward.ts'
import { planSources } from '../../../agent/proxy/plan-sources.ts'
import { openRefetch } from '../../../agent/proxy/refetch.ts'
import { hashOf } from '../../../agent/stage/object-hash.ts'
import type { Plan } from '../../../schemas/plan.ts'
import { archive } from '../../builders/archive.ts'
import { testUpstream } from '../../builders/upstream.ts'
import { openTestProxy, unsigned } from './open-test-proxy.ts'

const CONTENT = Buffer.from('content')

test('the boot server gives the proxy what is its own, and reports none of that as booting', async () => {
  await using upstream = await testUpstream(archive({ packages: { 'pool/p_1_amd64.deb': CONTENT } }))
  await using proxy = await openTestProxy([unsigned([upstream.url])])
  const reported: string[] = []
  const staged = `/apt/${'0'.repeat(64)}/Release`
  await using server = await startHttp({
    address: '127.0.0.1', port: 0, now: () => 0, forward: forwardTo(proxy.proxy, {}),
    report: event => void ('path' in event && reported.push(event.path)),
    routes: [{ prefix: '/apt/', handle: ({ response }) => (response.end('staged'), Promise.resolve('done')) }],
  })
  const ask = (path: string, method = 'GET'): Promise<{ status: number; body: string }> => new Promise((resolve, reject) => {
    const asking = request({ host: '127.0.0.1', port: server.port, path, method, agent: false }, response => {
      let body = ''
      response.on('data', (chunk: Buffer) => (body += chunk.toString()))
      response.once('close', () => resolve({ status: response.statusCode ?? 0, body }))
    })
    asking.once('connect', response => resolve({ status: response.statusCode ?? 0, body: '' }))
    asking.once('error', reject).end()
  })
  expect(await ask('/apt/debian/pool/p_1_amd64.deb')).toEqual({ status: 200, body: 'content' })
  expect(await ask(`${upstream.url}pool/p_1_amd64.deb`)).toEqual({ status: 200, body: 'content' })
  expect((await ask('/git/none.git/info/refs')).status).toBe(404)
  expect((await ask('secret.example:443', 'CONNECT')).status).toBe(403)
  expect(await ask(staged)).toEqual({ status: 200, body: 'staged' })
  expect(reported).toEqual([staged])
})

test('what a plan says of sources is what the proxy serves, with the keyring from the site', () => {
  const source = { type: 'apt', upstream: 'https://apt.example.com/', suites: ['stable'], components: ['main'] }
  const keys = CONTENT.toString('base64')
  const plan = { sources: { ours: { ...source, keyring: './keys/ours.asc', keys }, lost: { ...source, keyring: 'none.asc' }, theirs: source, flat: { ...source, suites: ['stable', './'] }, app: { ...source, type: 'git', upstream: ['https://git.example.com/app.git'] }, image: { ...source, type: 'oci' }, here: { ...source, upstream: 'system' } } } as unknown as Plan
  const { sources, problems } = planSources(plan, { sources: [], keyrings: ['/trusted.gpg'] })
  const of = (name: string): unknown => sources.find(one => one.name === name)
  expect(of('ours')).toEqual({ type: 'apt', name: 'ours', archives: [{ upstreams: ['https://apt.example.com/'], suites: ['stable'], components: ['main'], architectures: [], trust: { kind: 'keys', keys: [CONTENT] } }] })
  expect(of('theirs')).toMatchObject({ archives: [{ trust: { kind: 'files', paths: ['/trusted.gpg'] } }] })
  expect(of('flat')).toMatchObject({ archives: [{ suites: ['stable'], components: ['main'] }, { suites: ['./'], components: [] }] })
  expect(of('app')).toEqual({ type: 'git', name: 'app', upstreams: ['https://git.example.com/app.git'] })
  expect(sources.map(one => one.name)).toEqual(['ours', 'theirs', 'flat', 'app'])
  expect(problems).toEqual(['lost: the plan is of a version that did not have its keyring: compile it again', expect.stringContaining('here: ')])
})

test('what is damaged is had again from the first origin that has it right', async () => {
  await using wrong = await testUpstream(new Map([['file', Buffer.from('contexx')]]))
  await using right = await testUpstream(new Map([['file', CONTENT]]))
  await using proxy = await openTestProxy([])
  const { signal } = new AbortController()
  const origin = [`${wrong.url}file`, `${right.url}file`]
  await using offline = openRefetch(proxy.store, { online: false, proxy: null, signal })
  await expect(offline.refetch(hashOf(CONTENT), origin)).rejects.toThrow('offline: no upstream is asked')
  await using online = openRefetch(proxy.store, { online: true, proxy: null, signal })
  await expect(online.refetch(hashOf(CONTENT), [`${wrong.url}file`])).rejects.toThrow(`${wrong.url}file: expected ${hashOf(CONTENT)}`)
  await online.refetch(hashOf(CONTENT), origin)
  expect(await proxy.store.read(hashOf(CONTENT))).toEqual(CONTENT)
})
