import { execFileSync, spawnSync } from 'node:child_process'
import { chmodSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import type { Lock } from '../../../schemas/lock.ts'
import { EMPTY_BARCLAMP, machine, SITE } from '../compiling.ts'
import type { Texts } from '../compiling.ts'
import { crowbarHere } from './in-process.ts'

const LAUNCHER = fileURLToPath(new URL('../../../bin/crowbar', import.meta.url))
let site: string
beforeEach(() => {
  site = mkdtempSync(join(tmpdir(), 'crowbar-lock-'))
  put({ 'site.yaml': SITE, 'barclamps/empty/barclamp.yaml': EMPTY_BARCLAMP, 'barclamps/b/barclamp.yaml': 'kind: barclamp\nname: b\nversion: 1.0.0\nroles: { r: {} }\n' })
})
afterEach(() => rmSync(site, { recursive: true, force: true }))

function put(texts: Texts): void {
  for (const [path, text] of Object.entries(texts)) {
    mkdirSync(dirname(join(site, path)), { recursive: true })
    writeFileSync(join(site, path), text)
  }
}

const lock = (...args: string[]) => crowbarHere(['lock', ...args, '--site', site])
const written = (): Lock => JSON.parse(readFileSync(join(site, 'site.lock.json'), 'utf8')) as Lock
const nodes = (tags: string, more = '') => `kind: nodes\nname: "n[1-3]"\nos: debian-12\nmachine: { where: "machine.memory.bytes > 1" }\ntags: [${tags}]\n${more}`
const BOUND = 'kind: deployment\nname: d\nroles: { r: { where: "\'t\' in node.tags", count: { max: 3 } } }\n'

describe('lock --rebind', () => {
  test('lets those leave a role that no longer match, and gives their index to nobody', async () => {
    put({ 'n.yaml': nodes('t'), 'd.yaml': BOUND })
    await lock()
    put({ 'n.yaml': nodes('u', '---\nkind: node\nname: n2\ntags: [t]\n') })
    const listed = await lock('--rebind')
    expect([listed.status, listed.stdout]).toEqual([0, expect.stringContaining('crowbar lock --rebind d/r')])
    const tried = await lock('--rebind', 'd/r', '--dry-run')
    expect([tried.status, tried.stdout]).toEqual([0, 'd/r: n1 leaves, and its index 0 is never given again\nd/r: n3 leaves, and its index 2 is never given again\nd/r: its founder is n2 instead of n1\n'])
    expect(written().bindings['d/r']?.members).toEqual({ n1: 0, n2: 1, n3: 2 })
    expect((await lock('--rebind', 'n3')).stdout).toBe('d/r: n3 leaves, and its index 2 is never given again\n')
    expect((await lock('--rebind', 'd/r')).status).toBe(0)
    expect(written().bindings['d/r']).toEqual({ members: { n2: 1 }, next: 3, founder: 'n2' })
    put({ 'n.yaml': nodes('t') })
    await lock()
    expect(written().bindings['d/r']?.members).toEqual({ n1: 3, n2: 1, n3: 4 })
  })

  test('keeps the first ones when fewer are allowed', async () => {
    put({ 'n.yaml': nodes('t'), 'd.yaml': BOUND })
    await lock()
    put({ 'd.yaml': BOUND.replace('max: 3', 'max: 2') })
    expect((await lock()).stderr).toContain('ROLE_COUNT')
    expect((await lock('--rebind', 'd/r')).stdout).toBe('d/r: n3 leaves, and its index 2 is never given again\n')
  })

  test('takes what rules choose today, and refuses where the node is protected', async () => {
    const rule = (os: string) => `kind: rule\nname: os\nwhen: "true"\nset: { os: ${os} }\n`
    put({ 'n.yaml': 'kind: node\nname: n\nmachine: { where: "true" }\n', 'r.yaml': rule('debian-12'), ...machine('m1') })
    await lock()
    put({ 'r.yaml': rule('debian-13') })
    expect((await lock()).stderr).toContain('crowbar lock --rebind n:os')
    expect(written().nodes['n']).toEqual({ index: 1, os: 'debian-12' })
    put({ 'n.yaml': 'kind: node\nname: n\nmachine: { where: "true" }\nprotect: true\n' })
    expect([(await lock('--rebind', 'n:os')).status, written().nodes['n']]).toEqual([3, { index: 1, os: 'debian-12' }])
    put({ 'n.yaml': 'kind: node\nname: n\nmachine: { where: "true" }\n' })
    expect((await lock('--rebind', 'n:hardware')).stdout).toBe('')
    expect((await lock('--rebind', 'n')).stdout).toBe('n: os debian-12 -> debian-13\n')
    expect(written().nodes['n']).toEqual({ index: 1, os: 'debian-13' })
  })

  test('lets go of a machine that the node could not claim, and of no other', async () => {
    const node = (bytes: number) => `kind: node\nname: n\nos: debian-12\nmachine: { where: "machine.memory.bytes >= ${bytes}" }\n`
    put({ 'n.yaml': node(5), ...machine('m1', { memory: 5 }), ...machine('m2', { memory: 9 }) })
    await lock()
    expect((await lock('--rebind', 'n:machine')).stderr).toContain('Nothing changes')
    put({ 'n.yaml': node(6) })
    expect((await lock()).stderr).toContain('crowbar lock --rebind n:machine')
    expect((await lock('--rebind', 'n:machine')).stdout).toContain('n claims machine m2, and lets m1 go\n')
    expect(written().claims).toEqual({ n: 'm2' })
  })

  test('gives a node another disk only for one that is gone', async () => {
    const files = (...serials: string[]) => ({ ...machine('m1', { disks: serials.map((serial) => ({ serial })) }) })
    put({ 'n.yaml': 'kind: node\nname: n\nos: debian-12\nhardware: h\nmachine: { where: "true" }\n', 'h.yaml': 'kind: hardware\nname: h\ndisks:\n  system: { choose: {}, onInstall: wipe }\n  data: { choose: {}, onInstall: keep }\n', ...files('s1', 's2') })
    await lock()
    expect(written().disks).toEqual({ 'n/system': ['serial:s1'], 'n/data': ['serial:s2'] })
    put(files('s0', 's2'))
    expect((await lock()).stderr).toContain('crowbar lock --rebind n:disks')
    await lock('--rebind', 'n:disks')
    expect(written().disks).toEqual({ 'n/system': ['serial:s0'], 'n/data': ['serial:s2'] })
  })

  test.each([[['--rebind', 'd/rr'], 'there is no role d/rr; did you mean d/r?'], [['--rebind', 'n9:os'], 'there is no node n9'], [['--rebind', 'n1:name'], 'what a node can rebind']])('%j is told what is wrong', async (args, said) => {
    put({ 'n.yaml': nodes('t'), 'd.yaml': BOUND })
    const ran = await lock(...args)
    expect([ran.status, ran.stderr]).toEqual([64, expect.stringContaining(said)])
  })
})

describe("git's merge driver", () => {
  function git(...args: string[]) {
    return spawnSync('git', ['-c', 'user.name=t', '-c', 'user.email=t@example.com', ...args], { cwd: site, encoding: 'utf8' })
  }
  async function commitOn(branch: string, texts: Texts): Promise<void> {
    execFileSync('git', ['checkout', '--quiet', ...(git('rev-parse', '--verify', '--quiet', branch).status === 0 ? [branch] : ['-b', branch])], { cwd: site })
    put(texts)
    await lock()
    git('add', '-A')
    expect(git('commit', '--quiet', '-m', 'x').status).toBe(0)
  }
  beforeEach(async () => {
    const wrapper = join(site, '.git-driver')
    writeFileSync(wrapper, `#!/bin/sh\nexec ${LAUNCHER} "$@"\n`)
    chmodSync(wrapper, 0o755)
    git('init', '--quiet', '--initial-branch=main')
    git('config', 'merge.crowbar-lock.driver', `${wrapper} lock --merge %O %A %B %P`)
    await commitOn('main', { '.gitattributes': 'site.lock.json merge=crowbar-lock\n', 'n.yaml': nodes('t'), 'd.yaml': BOUND })
  })

  test('merges neighbouring lines of two branches that git by itself could not', async () => {
    const pinned = (name: string, last: number) => ({ [`${name}.yaml`]: `kind: node\nname: ${name}\nos: debian-12\nmachine: { serial: serial-${name} }\nnetworks: { admin: { address: 10.0.0.${last} } }\n` })
    await commitOn('one', { 'd.yaml': BOUND.replace("node.tags", "node.tags || node.name == 'x'").replace('max: 3', 'max: 9'), 'd2.yaml': 'kind: deployment\nname: d2\nroles: { r: { nodes: [n1] } }\n' })
    git('checkout', '--quiet', 'main')
    await commitOn('main', { ...pinned('x', 77) })
    const merged = git('merge', '--quiet', '-m', 'm', 'one')
    expect([merged.status, merged.stderr]).toEqual([0, ''])
    expect(written().addresses['admin/x']).toBe('10.0.0.77')
    expect(written().bindings['d2/r']?.members).toEqual({ n1: 0 })
    const again = await lock()
    expect([again.status, written().bindings['d/r']?.members]).toEqual([0, { n1: 0, n2: 1, n3: 2, x: 3 }])
  })

  test('leaves one address for two nodes to a person, as git leaves a conflict', async () => {
    const node = (name: string) => ({ [`${name}.yaml`]: `kind: node\nname: ${name}\nos: debian-12\nmachine: { serial: serial-${name} }\n` })
    await commitOn('one', node('x'))
    git('checkout', '--quiet', 'main')
    await commitOn('main', node('y'))
    const merged = git('merge', 'one')
    expect([merged.status, git('diff', '--name-only', '--diff-filter=U').stdout]).toEqual([1, 'site.lock.json\n'])
    expect(merged.stdout + merged.stderr).toContain('admin/x, admin/y have the same address')
    const refused = await crowbarHere(['validate', '--site', site])
    expect([refused.status, refused.stdout]).toEqual([1, expect.stringContaining('LOCK_CONFLICT')])
    const text = readFileSync(join(site, 'site.lock.json'), 'utf8')
    put({ 'site.lock.json': text.replace(/=======[^>]*>>>>>>> theirs\n|<<<<<<< ours\n/g, '') })
    expect((await lock()).status).toBe(0)
    expect([written().addresses['admin/y'], written().addresses['admin/x'], written().nodes['y'], written().nodes['x']]).toEqual(['10.0.0.53', '10.0.0.54', { index: 4 }, { index: 5 }])
  })

  test('never takes for done what is no lock', async () => {
    put({ base: '', ours: '{"kind":"lock"', theirs: '{"kind":"lock","version":1}' })
    const ran = await crowbarHere(['lock', '--merge', join(site, 'base'), join(site, 'ours'), join(site, 'theirs')])
    expect([ran.status, ran.stderr]).toEqual([1, expect.stringContaining('ours is no lock that can be merged')])
  })
})
