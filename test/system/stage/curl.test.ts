import { execFile } from 'node:child_process'
import { randomBytes } from 'node:crypto'
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { openServerIdentity } from '../../../agent/nodes/tls.ts'
import { openTestProxy, unsigned } from '../../agent/proxy/open-test-proxy.ts'
import { archive } from '../../builders/archive.ts'
import { testUpstream } from '../../builders/upstream.ts'
import { needDebianPackages } from '../debian-packages.ts'

const run = promisify(execFile)
const CONTENT = randomBytes(300_000)
const FILES = archive({ packages: { 'pool/p_1_amd64.deb': CONTENT } })
const PATH = '/apt/debian/pool/p_1_amd64.deb'
let folder = ''

beforeAll(async () => {
  await needDebianPackages(['curl'])
  folder = mkdtempSync(join(tmpdir(), 'crowbar-curl-'))
})
afterAll(() => rmSync(folder, { recursive: true, force: true }))

test('a tunnel that is allowed is opened, and none beside it, nor while offline', async () => {
  const { key, certificates, authority } = await openServerIdentity(join(folder, 'tls'), { names: ['127.0.0.1'], now: Date.now() })
  const authorities = join(folder, 'authorities.pem')
  writeFileSync(authorities, authority)
  await using upstream = await testUpstream(FILES, { key, cert: certificates })
  const { host } = new URL(upstream.url)
  const curl = (url: string, proxy: string): Promise<string> => run('curl', ['--silent', '--show-error', '--proxytunnel', '--proxy', proxy, '--cacert', authorities, '--output', join(folder, 'tunnelled'), '--write-out', '%{http_connect} %{http_code}', url]).then(({ stdout }) => stdout, (error: unknown) => (error as { stdout: string }).stdout)
  await using open = await openTestProxy([], { tunnels: [host] })
  expect(await curl(`${upstream.url}pool/p_1_amd64.deb`, open.url)).toBe('200 200')
  expect(readFileSync(join(folder, 'tunnelled')).equals(CONTENT)).toBe(true)
  expect(await curl('https://127.0.0.1:9/', open.url)).toBe('403 000')
  await using offline = await openTestProxy([], { tunnels: [host], online: false })
  expect(await curl(upstream.url, offline.url)).toBe('403 000')
})

test('curl goes on with a part, and has ranges, also of what is still on its way', async () => {
  await using upstream = await testUpstream(FILES)
  await using proxy = await openTestProxy([unsigned([upstream.url])], { limits: { rounds: 1 }, unsettled: true })
  const file = join(folder, 'part')
  const curl = (...args: string[]): Promise<unknown> => run('curl', ['--silent', '--show-error', '--fail', '--output', file, ...args, proxy.url + PATH])
  await curl('--range', '1000-1999')
  expect(readFileSync(file).equals(CONTENT.subarray(1000, 2000))).toBe(true)
  await curl('--range', '-5')
  expect(readFileSync(file).equals(CONTENT.subarray(-5))).toBe(true)
  writeFileSync(file, CONTENT.subarray(0, 123_456))
  await curl('--continue-at', '-')
  expect(readFileSync(file).equals(CONTENT)).toBe(true)
  await expect(curl('--range', '300000-')).rejects.toThrow('416')
  expect(upstream.asked.filter(path => path.startsWith('pool/'))).toHaveLength(1)
})
