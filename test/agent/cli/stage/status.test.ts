import { execFile } from 'node:child_process'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join, resolve } from 'node:path'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { serveControl } from '../../../../agent/control/serve-control.ts'
import type { ControlOperations } from '../../../../agent/control/serve-control.ts'
import type { ProxyState } from '../../../../agent/proxy/metrics.ts'

let folder = ''
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'crowbar-stage-status-'))
})
afterEach(() => rmSync(folder, { recursive: true, force: true }))

const SITE = `kind: site
name: s
domain: example.com
admin: { network: admin, address: 10.1.0.1 }
---
kind: network
name: admin
subnets: [{ cidr: 10.1.0.0/24, ranges: { host: 10.1.0.10-10.1.0.99 } }]
---
kind: os
name: debian-12
family: debian
version: "12"
architecture: amd64
install: image
source: [mine, debian-bookworm]
---
kind: source
name: mine
type: apt
upstream: [https://user:secret@mirror.example.com/debian, https://mirror2.example.com/debian]
suites: [bookworm]
---
kind: node
name: a
os: debian-12
machine: { serial: A }
`
const PROXY: ProxyState = {
  counters: { requests: { hit: 3, miss: 1, stale: 0, refused: 0, failed: 0 }, bytes: { hit: 3_000_000, miss: 1_000_000, upstream: 1_000_000 } }, flights: 0, stale: [],
  upstreams: [{ source: 'mine', upstream: 'https://mirror.example.com/debian/', up: false, failures: 2, lastError: 'connect ECONNREFUSED', answers: 0, bytes: 0 }],
}

function status(...args: string[]): Promise<{ readonly code: unknown; readonly stdout: string }> {
  return new Promise(done => {
    execFile(resolve('bin/crowbar'), ['stage', 'status', '--site', folder, '--store', join(folder, 'store'), '--socket', join(folder, 'socket'), ...args], (error, stdout) => done({ code: error?.code ?? 0, stdout }))
  })
}

test('stage status says what misses, from where it would come, and how the proxy of the agent does', async () => {
  writeFileSync(join(folder, 'site.yaml'), SITE)
  await using _agent = await serveControl(join(folder, 'socket'), { proxy: () => Promise.resolve(PROXY) } as Partial<ControlOperations> as ControlOperations)
  const { code, stdout } = await status()
  expect(code).toBe(1)
  expect(stdout).toMatch(/^rootfs-debian-12 +mine debian-bookworm +no +not known +- +- +missing$/m)
  expect(stdout).toMatch(/^mine +https:\/\/mirror\.example\.com\/debian https:\/\/mirror2\.example\.com\/debian$/m)
  expect(stdout).toMatch(/^debian-bookworm +this machine's apt$/m)
  expect(stdout).toContain('rootfs-debian-12: not put together yet; wanted by install@a\n')
  expect(stdout).toContain('proxy: 4 answers, 75 % from the store; 4.0 MB out, 1.0 MB in; 0 failed, 0 refused\n  mine: https://mirror.example.com/debian/ fails (2): connect ECONNREFUSED\n')
  expect(JSON.parse((await status('--format', 'json')).stdout)).toMatchObject({ sets: [{ set: 'rootfs-debian-12', staged: false }, { set: 'discovery', staged: false, wantedBy: ['discover@a', 'install@a'] }], proxy: PROXY })
})

test('without an agent it says what it can say', async () => {
  writeFileSync(join(folder, 'site.yaml'), SITE)
  const { code, stdout } = await status('--format', 'json')
  expect([code, JSON.parse(stdout)]).toMatchObject([1, { proxy: null }])
})
