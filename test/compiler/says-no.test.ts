import { execFileSync } from 'node:child_process'
import { mkdirSync, mkdtempSync, readFileSync, readdirSync, rmSync, symlinkSync, truncateSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import type { Diagnostic } from '../../schemas/diagnostic.ts'
import { crowbarHere } from './cli/in-process.ts'

/** A site with nothing wrong: each case below changes one thing. */
const GOOD: Readonly<Record<string, string>> = {
  'site.yaml': [
    'kind: site', 'name: austin', 'domain: austin.example.com', 'admin: { network: admin, address: 10.0.0.10 }', 'barclamps: [builtin, { path: barclamps }]', '---',
    'kind: network', 'name: admin', 'conduit: port', 'subnets:', '  - cidr: 10.0.0.0/24', '    ranges: { admin: 10.0.0.10-10.0.0.20, dhcp: 10.0.0.21-10.0.0.80, host: 10.0.0.81-10.0.0.160 }', '---',
    'kind: conduit', 'name: port', 'ports: [{ use: [{ index: 0 }] }]', '',
  ].join('\n'),
  'nodes.yaml': [
    'kind: node', 'name: admin', 'admin: true', 'networks: { admin: { address: 10.0.0.10 } }', '---',
    'kind: node', 'name: web', 'machine: { mac: "52:54:00:00:00:01" }', 'os: debian-12', 'networks: { admin: { address: 10.0.0.90 } }', '---',
    'kind: node', 'name: db', 'machine: { mac: "52:54:00:00:00:02" }', 'os: debian-12', '',
  ].join('\n'),
  'deployment.yaml': ['kind: deployment', 'name: app', 'roles:', '  server: { nodes: [web] }', '  client: { nodes: [db] }', ''].join('\n'),
  'barclamps/app/barclamp.yaml': [
    'kind: barclamp', 'name: app', 'version: 1.0.0', 'attributes: { type: object, properties: { port: { type: integer, default: 80 } } }', 'roles:',
    '  server:', '    jig: script', '    run: run.sh', '    provides: { token: { type: string } }',
    '  client:', '    jig: script', '    run: run.sh', '    wants: { token: { from: server, provide: token } }', '',
  ].join('\n'),
  'barclamps/app/run.sh': '#!/bin/sh\n',
}

let folder: string
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'crowbar-no-'))
})
afterEach(() => rmSync(folder, { recursive: true, force: true }))

function write(files: Readonly<Record<string, string>>): void {
  for (const [path, text] of Object.entries(files)) {
    mkdirSync(dirname(join(folder, path)), { recursive: true })
    writeFileSync(join(folder, path), text)
  }
}

/** `CODE path:line:column` of every error. */
async function errors(): Promise<readonly string[]> {
  const before = listing()
  const { status, stdout, stderr } = await crowbarHere(['validate', '--format', 'json', '--site', folder])
  expect([status, stderr]).toEqual([1, ''])
  expect(listing()).toEqual(before)
  return (JSON.parse(stdout) as Diagnostic[])
    .filter(({ severity }) => severity === 'error')
    .map(({ code, range }) => (range === undefined ? code : `${code} ${range.path}:${range.start.line}:${range.start.column}`))
}

function listing(): readonly string[] {
  return execFileSync('find', [folder], { encoding: 'utf8' }).split('\n').toSorted()
}

/** The good site with one text of a file replaced; `old` has to be there. */
function edited(path: string, old: string, text: string): Readonly<Record<string, string>> {
  const before = GOOD[path] as string
  expect(before).toContain(old)
  return { ...GOOD, [path]: before.replace(old, text) }
}

test('says nothing when nothing is wrong', async () => {
  write(GOOD)
  expect(await crowbarHere(['validate', '--format', 'json', '--site', folder])).toEqual({ status: 0, stdout: '[]\n', stderr: '' })
})

describe('one diagnostic, with code and place, exit 1, nothing written', () => {
  test.each<[string, () => Readonly<Record<string, string>>, readonly string[]]>([
    ['not a site', () => ({ 'README.md': 'hello' }), ['NOT_A_SITE']],
    ['an unknown kind', () => edited('nodes.yaml', 'kind: node\nname: web', 'kind: nod\nname: web'), ['KIND_UNKNOWN nodes.yaml:6:7']],
    ['a typo in a key', () => edited('nodes.yaml', 'machine: { mac: "52:54:00:00:00:01" }', 'machne: { mac: "52:54:00:00:00:01" }'), ['FIELD_UNKNOWN nodes.yaml:8:1']],
    ['a role that does not exist', () => edited('deployment.yaml', 'client:', 'cleint:'), ['REFERENCE_UNKNOWN deployment.yaml:5:3']],
    ['a node that does not exist', () => edited('deployment.yaml', '[web]', '[wbe]'), ['REFERENCE_UNKNOWN deployment.yaml:4:21']],
    ['an os that does not exist', () => edited('nodes.yaml', 'os: debian-12', 'os: debian-21'), ['REFERENCE_UNKNOWN nodes.yaml:9:5']],
    ['a want of a role that is bound nowhere', () => edited('deployment.yaml', '  server: { nodes: [web] }\n', ''), ['WANT_UNMET barclamps/app/barclamp.yaml:13:21']],
    ['an address outside of its range', () => edited('nodes.yaml', 'address: 10.0.0.90', 'address: 10.0.0.170, range: host'), ['ADDRESS_OUTSIDE_RANGE nodes.yaml:10:31']],
    ['an address outside of its subnet', () => edited('nodes.yaml', '10.0.0.90', '10.0.9.90'), ['ADDRESS_OUTSIDE_RANGE nodes.yaml:10:31']],
    ['two nodes with one MAC', () => edited('nodes.yaml', '"52:54:00:00:00:02"', '"52:54:00:00:00:01"'), ['MAC_CONFLICT nodes.yaml:8:17']],
    ['a want that nobody provides', () => edited('barclamps/app/barclamp.yaml', 'provide: token', 'provide: tokn'), ['REFERENCE_UNKNOWN barclamps/app/barclamp.yaml:13:46']],
    ['a file that a role names and nobody wrote', () => edited('barclamps/app/barclamp.yaml', 'run: run.sh\n    provides', 'run: rnu.sh\n    provides'), ['ENTRY_MISSING barclamps/app/barclamp.yaml:8:10']],
    ['a YAML bomb', () => ({ ...GOOD, 'bomb.yaml': bomb() }), ['YAML_ALIASES bomb.yaml:5:38']],
    ['very deep YAML', () => ({ ...GOOD, 'deep.yaml': '['.repeat(100_000) }), ['YAML_TOO_DEEP deep.yaml:1:101']],
    ['two sites', () => ({ ...GOOD, 'z.yaml': GOOD['site.yaml']?.split('---')[0] ?? '' }), ['SITE_DUPLICATE z.yaml:1:7']],
    ['a syntax error', () => edited('deployment.yaml', '[web] }', '[web }'), ['YAML_SYNTAX deployment.yaml:4:25']],
    ['an expression that is none', () => edited('deployment.yaml', 'nodes: [db]', "where: \"node.name = 'db'\""), ['EXPRESSION_INVALID deployment.yaml:5:31']],
    ['an attribute of the wrong type', () => edited('deployment.yaml', 'name: app', 'name: app\nattributes: { app: { port: eighty } }'), ['ATTRIBUTE_INVALID deployment.yaml:3:28']],
    ['the marks of a merge in the lock', () => ({ ...GOOD, 'site.lock.json': '{\n<<<<<<< HEAD\n"claims": {}\n=======\n>>>>>>> x\n}\n' }), ['LOCK_CONFLICT site.lock.json:2:1']],
  ])('%s', async (_, files, expected) => {
    write(files())
    expect(await errors()).toEqual(expected)
  })

  test('a cycle of roles', async () => {
    write(edited('barclamps/app/barclamp.yaml', '    provides: { token: { type: string } }\n', '    provides: { token: { type: string } }\n    wants: { x: { from: client, provide: y } }\n'))
    const path = join(folder, 'barclamps/app/barclamp.yaml')
    writeFileSync(path, `${readFileSync(path, 'utf8')}    provides: { y: { type: string } }\n`)
    expect(await errors()).toEqual(['CYCLE barclamps/app/barclamp.yaml:14:21'])
  })

  test('a cycle of deployments', async () => {
    write(edited('deployment.yaml', 'name: app', 'name: app\nafter: [late]'))
    write({ 'late.yaml': 'kind: deployment\nname: late\nafter: [app]\nroles:\n  other: { nodes: [web] }\n', 'barclamps/other/barclamp.yaml': 'kind: barclamp\nname: other\nversion: 1.0.0\nroles:\n  other: { jig: noop }\n' })
    expect(await errors()).toHaveLength(1)
    expect((await errors())[0]).toMatch(/^CYCLE (deployment|late)\.yaml:\d+:\d+$/)
  })

  test('a file of 100 MB, whatever it is', async () => {
    write({ ...GOOD, 'large.yaml': '', 'image.iso': '' })
    truncateSync(join(folder, 'large.yaml'), 100_000_000)
    expect(await errors()).toEqual(['FILE_TOO_LARGE large.yaml:1:1'])
    truncateSync(join(folder, 'image.iso'), 100_000_000)
    expect(await errors()).toEqual(['FILE_TOO_LARGE image.iso:1:1', 'FILE_TOO_LARGE large.yaml:1:1'])
  })

  test.each(['../../etc', '/etc', '..', 'barclamps/../../outside'])('a link to %s', async (target) => {
    write(GOOD)
    symlinkSync(target, join(folder, 'link'))
    expect(await errors()).toEqual(['TREE_LINK_OUTSIDE link:1:1'])
  })

  test('a barclamp path that leads out', async () => {
    write(edited('site.yaml', '{ path: barclamps }', '{ path: ../barclamps }'))
    expect(await errors()).toEqual(['PATH_OUTSIDE site.yaml:5:30'])
  })

  test('a table path that leads out', async () => {
    write({ ...GOOD, 'many.yaml': 'kind: nodes\ntable: ../../etc/passwd\n' })
    expect(await errors()).toEqual(['PATH_OUTSIDE many.yaml:2:8'])
  })
})

test('every command that could write writes nothing for a bad site', async () => {
  write(edited('nodes.yaml', 'os: debian-12', 'sos: debian-12'))
  execFileSync('git', ['init', '--quiet', '.'], { cwd: folder })
  execFileSync('git', ['add', '-A'], { cwd: folder })
  execFileSync('git', ['-c', 'user.name=t', '-c', 'user.email=t@example.com', 'commit', '--quiet', '-m', 'x'], { cwd: folder })
  const before = listing()
  for (const args of [['plan', '--out', join(folder, 'plan.json')], ['lock'], ['diff'], ['explain', 'web']]) {
    const { status, stdout, stderr } = await crowbarHere([...args, '--site', folder])
    expect([args[0], status, stdout]).toEqual([args[0], 1, ''])
    expect(stderr).toContain('nodes.yaml:9:1: error[FIELD_UNKNOWN]')
  }
  expect(listing()).toEqual(before)
  const out = join(folder, 'out')
  expect((await crowbarHere(['compile', '--site', folder, '--ref', 'HEAD', '--out', out])).status).toBe(1)
  expect(readdirSync(out)).toEqual(['result.json'])
  expect(JSON.parse(readFileSync(join(out, 'result.json'), 'utf8'))).toMatchObject({ version: 1, ok: false, diagnostics: [{ code: 'FIELD_UNKNOWN' }] })
})

function bomb(): string {
  const lines = ['a0: &a0 [x,x,x,x,x,x,x,x,x,x]']
  for (let level = 1; level < 9; level++) lines.push(`a${level}: &a${level} [${Array.from({ length: 10 }, () => `*a${level - 1}`).join(',')}]`)
  return `${lines.join('\n')}\n`
}
