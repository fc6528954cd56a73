import { execFile } from 'node:child_process'
import { createHash } from 'node:crypto'
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { testUpstream } from '../../builders/upstream.ts'
import { openTestProxy } from '../../agent/proxy/open-test-proxy.ts'
import { needDebianPackages } from '../debian-packages.ts'

/** Their pip is 20, 23 and 25: the first knows indexes in HTML alone. */
const SUITES = ['bullseye', 'bookworm', 'trixie'] as const
const run = async (program: string, args: readonly string[], options: { readonly cwd?: string; readonly env?: NodeJS.ProcessEnv } = {}): Promise<string> => (await promisify(execFile)(program, args, { maxBuffer: 64 * 1024 * 1024, timeout: 600_000, ...options })).stdout
let folder = ''

beforeAll(async () => {
  await needDebianPackages(['mmdebstrap', 'debian-archive-keyring'])
  folder = mkdtempSync(join(tmpdir(), 'crowbar-registries-'))
})
afterAll(() => rmSync(folder, { recursive: true, force: true }))

const WHEEL = `
import sys, zipfile
name, version, requires, out = sys.argv[1:]
with zipfile.ZipFile(f"{out}/{name}-{version}-py3-none-any.whl", "w") as wheel:
    info = f"{name}-{version}.dist-info"
    files = {f"{name}.py": f"version = '{version}'\\n", f"{info}/METADATA": f"Metadata-Version: 2.1\\nName: {name}\\nVersion: {version}\\n{requires}", f"{info}/WHEEL": "Wheel-Version: 1.0\\nGenerator: test\\nRoot-Is-Purelib: true\\nTag: py3-none-any\\n"}
    for path, text in files.items(): wheel.writestr(path, text)
    wheel.writestr(f"{info}/RECORD", "".join(f"{path},,\\n" for path in [*files, f"{info}/RECORD"]))
`

test.each(SUITES)('pip of Debian %s installs a project with what it needs, and again when the upstream is gone', async suite => {
  const [root, wheels] = [join(folder, suite), join(folder, `${suite}-wheels`)]
  mkdirSync(wheels)
  await run('mmdebstrap', ['--quiet', '--mode=root', '--variant=apt', '--include=python3-pip', suite, root], { env: { PATH: '/usr/sbin:/usr/bin:/sbin:/bin', LC_ALL: 'C.UTF-8' } })
  for (const [name, version, requires] of [['crane', '1.0', 'Requires-Dist: hook_pin>=1\n'], ['crane', '2.0', 'Requires-Python: >=4\n'], ['hook_pin', '1.5', '']] as const) await run('python3', ['-c', WHEEL, name, version, requires, wheels])
  const files = new Map<string, Buffer>()
  const anchor = (file: string, more = ''): string => {
    const bytes = readFileSync(join(wheels, file))
    files.set(`files/${file}`, bytes)
    return `<a href="../../files/${file}#sha256=${createHash('sha256').update(bytes).digest('hex')}"${more}>${file}</a>\n`
  }
  files.set('simple/crane/', Buffer.from(`<html>${anchor('crane-1.0-py3-none-any.whl')}${anchor('crane-2.0-py3-none-any.whl', ' data-requires-python="&gt;=4"')}</html>`))
  files.set('simple/hook-pin/', Buffer.from(`<html>${anchor('hook_pin-1.5-py3-none-any.whl')}</html>`))
  await using upstream = await testUpstream(files)
  await using proxy = await openTestProxy([{ type: 'pypi', name: 'python', upstreams: [`${upstream.url}simple/`] }], { limits: { rounds: 1 } })
  const install = async (place: string): Promise<string> => {
    await run('chroot', [root, 'python3', '-m', 'pip', 'install', '--quiet', '--no-cache-dir', '--disable-pip-version-check', '--index-url', `${proxy.url}/pypi/python/simple/`, '--trusted-host', '127.0.0.1', '--target', place, 'Crane'], { env: { PATH: '/usr/sbin:/usr/bin:/sbin:/bin', LC_ALL: 'C.UTF-8' } })
    return run('chroot', [root, 'python3', '-c', `import sys; sys.path.insert(0, "${place}"); import crane, hook_pin; print(crane.version, hook_pin.version)`])
  }
  try {
    expect(await install('/first')).toBe('1.0 1.5\n')
    await upstream.kill()
    proxy.later(60_000)
    expect(await install('/second')).toBe('1.0 1.5\n')
    expect(proxy.proxy.state.counters.requests.failed).toBe(0)
  } finally {
    rmSync(root, { recursive: true, force: true })
  }
})

test('npm installs real packages from a real registry by the proxy, the same as without it, and again when offline', async () => {
  const registry = (await run('npm', ['config', 'get', 'registry'])).trim()
  const store = join(folder, 'store')
  const install = async (place: string, from: string): Promise<Record<string, string>> => {
    const work = join(folder, place)
    mkdirSync(work)
    writeFileSync(join(work, 'package.json'), JSON.stringify({ name: 'user', version: '1.0.0', dependencies: { 'commander': '14.0.3', 'yaml': '2.9.1', '@types/ws': '8.18.2' } }))
    await run('npm', ['install', '--no-audit', '--no-fund', '--no-update-notifier', '--ignore-scripts', '--registry', from, '--cache', join(folder, `${place}-cache`)], { cwd: work })
    const { packages } = JSON.parse(readFileSync(join(work, 'package-lock.json'), 'utf8')) as { packages: Record<string, { version: string; integrity?: string }> }
    return Object.fromEntries(Object.entries(packages).map(([path, { version, integrity = '' }]) => [path, `${version} ${integrity}`]))
  }
  const expected = await install('direct', registry)
  expect(Object.keys(expected).length).toBeGreaterThan(4)
  {
    await using proxy = await openTestProxy([{ type: 'npm', name: 'registry', upstreams: [registry] }], { folder: store })
    expect(await install('first', `${proxy.url}/npm/registry/`)).toEqual(expected)
    expect(proxy.proxy.state.counters.requests).toMatchObject({ failed: 0, refused: 0 })
  }
  await using proxy = await openTestProxy([{ type: 'npm', name: 'registry', upstreams: [registry] }], { folder: store, online: false })
  expect(await install('second', `${proxy.url}/npm/registry/`)).toEqual(expected)
  expect(proxy.proxy.state.counters).toMatchObject({ requests: { failed: 0 }, bytes: { upstream: 0 } })
})
