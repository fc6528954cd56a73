import { execFileSync } from 'node:child_process'
import { fileURLToPath } from 'node:url'
import { expect, test } from 'vitest'
import { codes, compiled, compileTexts } from './compiling.ts'

const NODE = (name: string) => `kind: node\nname: ${name}\nos: debian-12\nmachine: { serial: ${name} }\n`

test('every problem of a phase is reported at once, and later phases do not run', () => {
  const files = {
    'a.yaml': `${NODE('a')}networks: { nope: {} }\n`,
    'b.yaml': `${NODE('b')}hardware: nope\n`,
    // Only bind would find these two.
    'c.yaml': 'kind: node\nname: c\nos: debian-12\n',
    'd.yaml': 'kind: deployment\nname: d\nroles: { nope: { nodes: [a] } }\n',
  }
  expect(codes(compileTexts(files))).toEqual(['REFERENCE_UNKNOWN a.yaml:5:13', 'REFERENCE_UNKNOWN b.yaml:5:11', 'REFERENCE_UNKNOWN d.yaml:3:10'])
})

test('a site without a role, a node or a lock compiles', () => {
  const { plan, lockChanged, blobs } = compiled({})
  expect(plan.steps).toEqual([])
  expect(plan.complete).toBe(true)
  expect(lockChanged).toBe(true)
  expect(blobs.size).toBeGreaterThan(0)
})

test('time zone, locale and working directory do not show in a plan', () => {
  const launcher = fileURLToPath(new URL('../../bin/crowbar', import.meta.url))
  const site = fileURLToPath(new URL('../../site-examples/first-light', import.meta.url))
  const run = (cwd: string, env: Readonly<Record<string, string>>) => execFileSync(launcher, ['plan', '--format', 'json', '--site', site], { cwd, encoding: 'utf8', env: { ...process.env, ...env }, stdio: ['ignore', 'pipe', 'ignore'] })
  expect(run('/', { TZ: 'Asia/Kathmandu', LC_ALL: 'tr_TR.UTF-8' })).toBe(run(site, { TZ: 'UTC', LC_ALL: 'C' }))
})
