import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { configuredUpstreamProxy } from '../../../agent/config/upstream-proxy.ts'

let folder = ''
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'crowbar-config-'))
})
afterEach(() => rmSync(folder, { recursive: true, force: true }))

test('commands ask upstreams through the proxy that the agent of this machine has', async () => {
  const file = join(folder, 'agent.yaml')
  writeFileSync(file, 'site: { repository: /srv/site.git }\nnode: admin\nupstreamProxy: http://proxy.example.com:3128\n')
  expect(await configuredUpstreamProxy(file)).toBe('http://proxy.example.com:3128')
  writeFileSync(file, 'site: { repository: /srv/site.git }\nnode: admin\n')
  expect(await configuredUpstreamProxy(file)).toBeNull()
})

test('a configuration that is named and cannot be used is an error, and not the same as none', async () => {
  const file = join(folder, 'agent.yaml')
  await expect(configuredUpstreamProxy(file)).rejects.toMatchObject({ code: 'CONFIG_INVALID', message: expect.stringContaining(file) as string })
  writeFileSync(file, 'upstreamProxy: [\n')
  await expect(configuredUpstreamProxy(file)).rejects.toMatchObject({ code: 'CONFIG_INVALID' })
})
