import { execFileSync } from 'node:child_process'
import { appendFileSync, cpSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { ROOT } from './bundle-site.ts'
import { needDebianPackages } from './debian-packages.ts'

let folder: string
beforeAll(async () => {
  await needDebianPackages(['iproute2'])
  folder = mkdtempSync(join(tmpdir(), 'crowbar-offline-agent-'))
})
afterAll(() => rmSync(folder, { recursive: true, force: true }))

/** Starts an agent of first-light for the first time, with nothing staged. @returns what tried to leave, and its log. */
function startAgent(name: string, { site = '', config = '' }: { readonly site?: string; readonly config?: string }): { readonly strays: number; readonly log: string } {
  const place = join(folder, name)
  cpSync(join(ROOT, 'site-examples/first-light'), join(place, 'site'), { recursive: true })
  rmSync(join(place, 'site/golden'), { recursive: true })
  // The document of the agent is the last one.
  appendFileSync(join(place, 'site/site.yaml'), site)
  const git = (...args: string[]): unknown => execFileSync('git', ['-C', join(place, 'site'), '-c', 'user.name=author', '-c', 'user.email=author@example.com', ...args])
  git('init', '--quiet', '--initial-branch=main')
  git('add', '--all')
  git('commit', '--quiet', '--message', 'First light')
  git('clone', '--quiet', '--bare', '.', join(place, 'site.git'))
  writeFileSync(join(place, 'agent.yaml'), `site: { repository: site.git, branch: main }\nnode: admin\ndata: data\n${config}`)
  const strays = execFileSync('unshare', ['--net', '--kill-child=SIGKILL', '--fork', 'bash', join(ROOT, 'test/system/offline-agent.sh'), join(ROOT, 'bin/crowbar'), join(place, 'agent.yaml'), join(place, 'log'), '60'], { encoding: 'utf8' })
  return { strays: Number(strays), log: readFileSync(join(place, 'log'), 'utf8') }
}

test('an agent whose site or configuration says offline asks nobody, from its first start on', () => {
  for (const [name, one] of [['site', { site: 'mode: offline\n' }], ['configuration', { config: 'offline: true\n' }]] as const) {
    const { strays, log } = startAgent(name, one)
    expect(log, name).toContain('the discovery image is not in the store, and this admin node is offline')
    expect(strays, name).toBe(0)
  }
})

test('one that is not offline does ask: what counts here counts', () => {
  const { strays, log } = startAgent('online', {})
  expect(log).toContain('the discovery image cannot be made')
  expect(log).not.toContain('this admin node is offline')
  expect(strays).toBeGreaterThan(0)
})
