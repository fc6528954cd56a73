import { execFile } from 'node:child_process'
import { mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import { expect, test } from 'vitest'

const run = promisify(execFile)
const IMAGE = fileURLToPath(new URL('../../../../agent/image/', import.meta.url))

test.each(['discovery/init', 'discovery/dhcp', 'rootfs/customize'])('%s is a shell script without syntax errors', async name => {
  await run('sh', ['-n', join(IMAGE, name)])
})

/** Runs the DHCP script with its folders moved below `root` and an `ip` that only writes down how it was called. */
async function dhcp(event: string, lease: Readonly<Record<string, string>>): Promise<{ readonly calls: string; readonly read: (path: string) => Promise<string | undefined> }> {
  const root = await mkdtemp(join(tmpdir(), 'crowbar-dhcp-'))
  await mkdir(join(root, 'run/crowbar/net'), { recursive: true })
  await mkdir(join(root, 'etc'))
  await writeFile(join(root, 'ip'), `#!/bin/sh\necho "$@" >> ${root}/calls\n`, { mode: 0o755 })
  const script = (await readFile(join(IMAGE, 'discovery/dhcp'), 'utf8')).replaceAll('/run/crowbar', `${root}/run/crowbar`).replaceAll('/etc/', `${root}/etc/`)
  await writeFile(join(root, 'script'), script)
  await run('sh', [join(root, 'script'), event], { env: { PATH: `${root}:/usr/bin:/bin`, ...lease } })
  const files = new Map<string, string>()
  for (const path of ['calls', 'etc/resolv.conf', 'run/crowbar/net/hostname', 'run/crowbar/net/bound', 'run/crowbar/net/eth0.address']) {
    const text = await readFile(join(root, path), 'utf8').catch(() => undefined)
    if (text !== undefined) files.set(path, text)
  }
  await rm(root, { recursive: true })
  return { calls: files.get('calls') ?? '', read: async path => files.get(path) }
}

test('a lease becomes an address, a route, a resolver and a name', async () => {
  const { calls, read } = await dhcp('bound', {
    interface: 'eth0', ip: '10.1.0.21', mask: '16', router: '10.1.0.1 10.1.0.2', dns: '10.1.0.10 10.1.0.11', domain: 'example.com', hostname: 'alpha',
  })
  expect(calls).toBe('addr replace 10.1.0.21/16 dev eth0\nroute replace default via 10.1.0.1 dev eth0\n')
  expect(await read('etc/resolv.conf')).toBe('search example.com\nnameserver 10.1.0.10\nnameserver 10.1.0.11\n')
  expect(await read('run/crowbar/net/hostname')).toBe('alpha\n')
  expect(await read('run/crowbar/net/bound')).toBe('eth0\n')
  expect(await read('run/crowbar/net/eth0.address')).toBe('10.1.0.21/16\n')
})

test('a lease without router, resolver and name sets none', async () => {
  const { calls, read } = await dhcp('renew', { interface: 'eth0', ip: '10.1.0.21', mask: '24' })
  expect(calls).toBe('addr replace 10.1.0.21/24 dev eth0\n')
  expect(await read('etc/resolv.conf')).toBeUndefined()
  expect(await read('run/crowbar/net/hostname')).toBeUndefined()
})

test.each(['$(touch /tmp/owned)', '`id`', 'a b', '../../etc/passwd', 'a;reboot'])('a DHCP server that says its client is called %s is not listened to', async hostname => {
  const { read } = await dhcp('bound', { interface: 'eth0', ip: '10.1.0.21', mask: '24', hostname })
  expect(await read('run/crowbar/net/hostname')).toBeUndefined()
  expect(await read('run/crowbar/net/bound')).toBe('eth0\n')
})
