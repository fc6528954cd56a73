import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import type { Lock } from '../../../schemas/lock.ts'
import { EMPTY_BARCLAMP, machine, SITE } from '../compiling.ts'
import type { Texts } from '../compiling.ts'
import { crowbarHere } from './in-process.ts'

let site: string
beforeEach(() => {
  site = mkdtempSync(join(tmpdir(), 'crowbar-rewrite-'))
  put({ 'site.yaml': SITE, 'barclamps/empty/barclamp.yaml': EMPTY_BARCLAMP, 'barclamps/b/barclamp.yaml': 'kind: barclamp\nname: b\nversion: 1.0.0\nroles: { r: {}, s: {}, c: { count: { min: 1 } } }\n' })
})
afterEach(() => rmSync(site, { recursive: true, force: true }))

function put(texts: Texts): void {
  for (const [path, text] of Object.entries(texts)) {
    mkdirSync(dirname(join(site, path)), { recursive: true })
    writeFileSync(join(site, path), text)
  }
}

const run = (...args: string[]) => crowbarHere([...args, '--site', site])
const file = (path: string): string => readFileSync(join(site, path), 'utf8')
const lock = (): Lock => JSON.parse(file('site.lock.json')) as Lock
const PINNED = '# the databases\nkind: node\nname: db1 # first\nos: debian-12\nmachine: { serial: serial-m1 } # rack 4\n---\n# and the second\nkind: node\nname: db2\nos: debian-12\nmachine:\n  serial: serial-m2 # rack 5\n'
const TWO = { ...machine('m1'), ...machine('m2', { macs: ['52:54:00:00:00:02'] }), ...machine('m3', { macs: ['52:54:00:00:00:03'] }) }

describe('reinstall', () => {
  test('raises the generation in the lock, and nothing else', async () => {
    put({ 'n.yaml': PINNED, ...TWO })
    await run('lock')
    const before = lock()
    const ran = await run('reinstall', 'db2')
    expect([ran.status, ran.stdout]).toEqual([0, 'site.lock.json\n  db2: generation none -> 1\n'])
    expect(lock()).toEqual({ ...before, nodes: { ...before.nodes, db2: { index: 2, generation: 1 } } })
    await run('reinstall', 'db2')
    expect(lock().nodes['db2']).toEqual({ index: 2, generation: 2 })
    expect((await run('lock', '--check')).status).toBe(0)
  })

  test.each<[string, Texts, number, string]>([
    ['a protected node', { 'n.yaml': `${PINNED}protect: true\n`, ...TWO }, 3, 'db2 is protected'],
    ['a node without a machine', { 'n.yaml': PINNED }, 1, 'db2 has no machine'],
    ['a joined node', { 'n.yaml': PINNED.replaceAll('debian-12', 'mine'), 'o.yaml': 'kind: os\nname: mine\nfamily: debian\nversion: "12"\narchitecture: amd64\ninstall: joined\n', ...TWO }, 1, 'joined'],
    ['nobody', { 'n.yaml': PINNED.replaceAll('db2', 'db3'), ...TWO }, 1, 'there is no node db2; did you mean db1?'],
  ])('refuses %s and writes nothing', async (_, texts, status, said) => {
    put(texts)
    await run('lock')
    const before = file('site.lock.json')
    const ran = await run('reinstall', 'db2')
    expect([ran.status, ran.stdout, ran.stderr]).toEqual([status, '', expect.stringContaining(said)])
    expect(file('site.lock.json')).toBe(before)
  })

  test('refuses a node that lacks a disk of its mirror, and writes nothing', async () => {
    const mirror = (...serials: string[]): Texts => machine('m2', { macs: ['52:54:00:00:00:02'], disks: serials.map((serial) => ({ serial })) })
    put({ 'n.yaml': `${PINNED}hardware: h\n`, 'h.yaml': 'kind: hardware\nname: h\ndisks: { system: { choose: { count: 2 }, raid: 1, onInstall: wipe } }\n', ...TWO, ...mirror('A', 'B') })
    await run('lock')
    put(mirror('A'))
    const before = file('site.lock.json')
    const ran = await run('reinstall', 'db2')
    expect([ran.status, ran.stdout, ran.stderr]).toEqual([3, '', expect.stringContaining('serial:B of db2 is not in its machine any more: put it back, or let `crowbar lock --rebind db2:disks` choose another')])
    expect(file('site.lock.json')).toBe(before)
    put(mirror('A', 'C'))
    expect((await run('lock', '--rebind', 'db2:disks')).stdout).toContain('db2/system: serial:A, serial:B -> serial:A, serial:C')
    expect((await run('reinstall', 'db2')).status).toBe(0)
  })

  test('is not for admin nodes', async () => {
    expect((await run('reinstall', 'adm')).status).toBe(3)
  })
})

describe('replace', () => {
  test('pins the node to the new machine in its document, and keeps comments and addresses', async () => {
    put({ 'n.yaml': PINNED, ...TWO })
    await run('lock')
    const { addresses } = lock()
    expect((await run('replace', 'db1', '--serial', 'serial-m3', '--dry-run')).stdout).toContain('+ machine: { serial: serial-m3 } # rack 4')
    expect(file('n.yaml')).toBe(PINNED)
    expect((await run('replace', 'db1', '--serial', 'serial-m3')).status).toBe(0)
    expect(file('n.yaml')).toBe(PINNED.replace('serial-m1', 'serial-m3'))
    expect((await run('replace', 'db2', '--mac', '52:54:00:00:00:01', '--retire')).status).toBe(0)
    expect(file('n.yaml')).toBe(PINNED.replace('serial-m1', 'serial-m3').replace('serial: serial-m2', 'mac: "52:54:00:00:00:01"'))
    expect(file('retired.yaml')).toBe('kind: machine\nserial: serial-m2\nstate: retired\n')
    expect([lock().claims, lock().addresses]).toEqual([{ db1: 'm3', db2: 'm1' }, addresses])
  })

  test('writes a cell of a table, and a document of its own for one node of a range', async () => {
    put({ 't.yaml': 'kind: nodes\ntable: t.csv\nos: debian-12\n', 't.csv': 'name,machine.serial\nt1,serial-m1\nt2,serial-m2\n', 'r.yaml': '# ours\nkind: nodes\nname: "w[1-2]"\nos: debian-12\nmachine: { where: "machine.id == \'m9\'" }\n', ...TWO })
    await run('replace', 't1', '--serial', 'serial-m3')
    expect(file('t.csv')).toBe('name,machine.serial\nt1,serial-m3\nt2,serial-m2\n')
    await run('replace', 't2', '--mac', '52:54:00:00:00:0a')
    expect(file('t.csv')).toBe('name,machine.serial\nt1,serial-m3\nt2,serial-m2\n')
    expect(file('t.yaml')).toContain('---\nkind: node\nname: t2\nmachine: { mac: "52:54:00:00:00:0a" }\n')
    await run('replace', 'w2', '--serial', '0042')
    expect(file('r.yaml')).toContain('machine.id == \'m9\'" }\n---\nkind: node\nname: w2\nmachine: { serial: "0042" }\n')
    expect((await run('validate')).status).toBe(0)
  })

  test('of a node that claims by `where` retires its machine, so that it gets the next one', async () => {
    put({ 'n.yaml': 'kind: node\nname: w\nos: debian-12\nmachine: { where: "true" }\n', ...TWO })
    await run('lock')
    const ran = await run('replace', 'w')
    expect([ran.status, ran.stdout]).toEqual([0, expect.stringContaining('w claims machine m2, and lets m1 go')])
    expect(file('retired.yaml')).toBe('kind: machine\nserial: serial-m1\nstate: retired\n')
  })

  test.each<[readonly string[], number, string]>([
    [['db1'], 1, 'say which machine it gets instead'],
    [['db1', '--serial', 'serial-m2'], 1, 'db2 has that machine'],
    [['db1', '--serial', 'serial-m1'], 1, 'db1 has that machine already'],
    [['db1', '--serial', 'a', '--mac', '52:54:00:00:00:09'], 64, 'in one way'],
    [['db1', '--mac', 'x'], 64, 'no MAC address'],
  ])('%j is refused', async (args, status, said) => {
    put({ 'n.yaml': PINNED, ...TWO })
    await run('lock')
    const ran = await run('replace', ...args)
    expect([ran.status, ran.stderr, file('n.yaml')]).toEqual([status, expect.stringContaining(said), PINNED])
  })
})

describe('release', () => {
  const DEPLOYMENT = 'kind: deployment\nname: d\nroles:\n  r:\n    nodes:\n      - db1 # the first\n      - db2\n  s: { nodes: [db2, db1] }\n'

  test('takes the node out of its file and of every list, and keeps what is about the file', async () => {
    put({ 'n.yaml': PINNED, 'd.yaml': DEPLOYMENT, ...TWO })
    await run('lock')
    const ran = await run('release', 'db1')
    expect([ran.status, ran.stdout]).toEqual([0, expect.stringContaining('db1 lets machine m1 go')])
    expect(file('n.yaml')).toBe('# the databases\n# and the second\nkind: node\nname: db2\nos: debian-12\nmachine:\n  serial: serial-m2 # rack 5\n')
    expect(file('d.yaml')).toBe('kind: deployment\nname: d\nroles:\n  r:\n    nodes:\n      - db2\n  s: { nodes: [db2] }\n')
    expect(lock().bindings['d/r']).toEqual({ members: { db2: 1 }, next: 2, founder: 'db2' })
  })

  test('takes a later document away with its mark, and a file with its last one', async () => {
    put({ 'n.yaml': PINNED, 'o.yaml': 'kind: node\nname: o\nos: debian-12\nmachine: { serial: o }\n' })
    await run('release', 'db2')
    expect(file('n.yaml')).toBe('# the databases\nkind: node\nname: db1 # first\nos: debian-12\nmachine: { serial: serial-m1 } # rack 4\n')
    await run('release', 'o')
    expect(existsSync(join(site, 'o.yaml'))).toBe(false)
  })

  test('writes ranges and tables without it', async () => {
    put({ 'r.yaml': 'kind: nodes\nname: "w-[01-04]"\nos: debian-12\nmachine: { where: "true" }\n---\nkind: node\nname: w-02\ntags: [x]\n', 't.yaml': 'kind: nodes\ntable: t.csv\nos: debian-12\n', 't.csv': 'name,machine.serial\nt1,a\nt2,b\nt3,c\n', 'd.yaml': 'kind: deployment\nname: d\nroles: { r: { nodes: ["w-[01-04]", "t[1-2]"] } }\n' })
    await run('release', 'w-02')
    await run('release', 't2')
    expect(file('r.yaml')).toBe('kind: nodes\nname: "w-[01,03-04]"\nos: debian-12\nmachine: { where: "true" }\n')
    expect(file('t.csv')).toBe('name,machine.serial\nt1,a\nt3,c\n')
    expect(file('d.yaml')).toBe('kind: deployment\nname: d\nroles: { r: { nodes: ["w-[01,03-04]", t1] } }\n')
  })

  test('writes nothing that would make the site wrong', async () => {
    const only = 'kind: deployment\nname: d\nroles: { c: { nodes: [db1] } }\n'
    put({ 'n.yaml': PINNED, 'd.yaml': only, ...TWO })
    const ran = await run('release', 'db1')
    expect([ran.status, ran.stderr]).toEqual([1, expect.stringContaining('ROLE_COUNT')])
    expect([file('n.yaml'), file('d.yaml'), existsSync(join(site, 'site.lock.json'))]).toEqual([PINNED, only, false])
  })

  test('says who takes the machine, and --retire keeps it from everybody', async () => {
    put({ 'r.yaml': 'kind: nodes\nname: "w[1-4]"\nos: debian-12\nmachine: { where: "true" }\n', ...TWO })
    await run('lock')
    expect((await run('release', 'w1', '--dry-run')).stdout).toContain('w4 claims machine m1')
    expect((await run('release', 'w1', '--retire')).stderr).not.toContain('CLAIMS')
    expect([lock().claims, file('retired.yaml')]).toEqual([{ w2: 'm2', w3: 'm3' }, 'kind: machine\nserial: serial-m1\nstate: retired\n'])
    expect((await run('release', 'w2')).stderr).toContain('w4 CLAIMS ITS MACHINE m2')
  })

  test('refuses a protected node', async () => {
    put({ 'n.yaml': `${PINNED}protect: true\n` })
    expect((await run('release', 'db2')).status).toBe(3)
  })
})

describe('fmt', () => {
  test('writes what changes and prints its name; --check writes nothing; what cannot be kept is said', async () => {
    put({ 'n.yaml': 'name: a\nkind: node # x\nos: debian-12\nmachine: {serial: s}\n' })
    expect(await run('fmt', '--check')).toMatchObject({ status: 1, stdout: 'n.yaml\n' })
    expect(file('n.yaml')).toContain('name: a\nkind')
    expect(await run('fmt', 'n.yaml')).toMatchObject({ status: 0, stdout: 'n.yaml\n' })
    expect(file('n.yaml')).toBe('kind: node # x\nname: a\nmachine: { serial: s }\nos: debian-12\n')
    expect(await run('fmt', '--check')).toMatchObject({ status: 0, stdout: '' })
    put({ 'n.yaml': 'kind: node\n\tname: a\n' })
    expect(await run('fmt')).toMatchObject({ status: 1, stdout: '', stderr: expect.stringContaining('n.yaml is left as it is') as string })
    expect(await run('fmt', 'sit.yaml')).toMatchObject({ status: 64, stderr: expect.stringContaining('sit.yaml is no YAML document of the site') as string })
  })
})
