import { execFileSync, spawnSync } from 'node:child_process'
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { parse } from 'yaml'
import { flowYaml } from '../../../schemas/flow-yaml.ts'
import { chooseJig } from '../../../agent/jigs/choose-jig.ts'
import { JigValueError } from '../../../agent/jigs/jig.ts'
import type { Jig, JigEnd, JigInput } from '../../../agent/jigs/jig.ts'
import { hieraData } from '../../../agent/jigs/puppet.ts'
import { JIGS } from '../../../schemas/documents/barclamp.ts'
import type { JigName } from '../../../schemas/documents/barclamp.ts'
import { jigPackages } from '../../../schemas/jig-packages.ts'
import type { Json } from '../../../schemas/shape.ts'
import fc from '../../property.ts'

const DOCUMENT = {
  'my-db': { port: 3306, password: 'a{{ b }}%{c}', tags: ['x'] },
  wants: { peers: ['192.0.2.1'] },
  crowbar: { step: 'd/db@n1', deployment: 'd', site: { name: 's', domain: 's.example.com' }, node: { name: 'n1', tags: ['rack-a', 'all'] }, role: { name: 'db-server' } },
}
const INPUT: JigInput = { document: DOCUMENT, entry: 'playbooks/db.yml', entryText: '', content: '/c', work: '/w', results: '/r', secretive: false }
const named = (name: JigName): Jig => chooseJig(name) as Jig
const end = (over: { readonly exitCode?: number; readonly said?: string; readonly files?: Readonly<Record<string, string>> } = {}): JigEnd => ({
  exitCode: over.exitCode ?? 0, said: over.said ?? '', files: new Map(Object.entries(over.files ?? {}).map(([path, text]) => [path, Buffer.from(text)])),
})
const file = (jig: Jig, path: string, input = INPUT): string => jig.export(input).files.find((one) => one.path === path)?.text ?? ''

/** JSON values with the strings that tools like to take for something else. */
const json = fc.letrec<{ value: Json }>((tie) => ({
  value: fc.oneof(
    { maxDepth: 3 }, fc.constantFrom<Json>('{{ x }}', '{% raw %}', '{# #}', 'yes', 'no', '0123', '1e3', '~', '', ' lead', 'a: b', '#c', '!x', '&a', '%{x}', '${x}', '\u2028', '\u0085', '\u0000', '1:30', '#jinja2: x', 'a #jinja2:'),
    fc.string({ unit: 'grapheme' }), fc.double({ noNaN: true, noDefaultInfinity: true }), fc.integer(), fc.boolean(), fc.constant(null),
    fc.array(tie('value')), fc.dictionary(fc.string().filter((key) => key !== '__proto__'), tie('value')),
  ),
})).value

test('what Ansible is given is what the document has, and no template', () => {
  fc.assert(fc.property(json, (value) => {
    const text = flowYaml(value)
    const unsafe = { tag: '!unsafe', resolve: (one: string) => one }
    expect(parse(text, { version: '1.1', customTags: [unsafe] })).toEqual(JSON.parse(JSON.stringify(value)))
    expect(text).toMatch(/^[\x20-\x7e]*$/)
    for (const match of text.matchAll(/(!unsafe )?"(?:[^"\\]|\\.)*"/g)) {
      if (/\{\{|\{%|\{#|^(!unsafe )?"#jinja2:/.test(match[0]) && match[1] === undefined) expect(text.slice(match.index + match[0].length)).toMatch(/^:/)
    }
  }), { numRuns: 300, seed: 7 })
})

test('ansible: the node is in groups of its role, its deployment and its tags, and the document is variables of all', () => {
  const jig = named('ansible')
  expect(JSON.parse(file(jig, 'inventory/hosts.yml'))).toEqual({ all: { hosts: { n1: { ansible_connection: 'local' } }, children: { d: { hosts: { n1: {} } }, db_server: { hosts: { n1: {} } }, rack_a: { hosts: { n1: {} } } } } })
  expect(file(jig, 'inventory/group_vars/all.yml')).toContain('"my_db": {"port": 3306, "password": !unsafe "a{{ b }}%{c}", "tags": ["x"]}\n')
  expect(jig.export(INPUT).command?.at(-1)).toBe('/c/playbooks/db.yml')
})

test('ansible: set_stats and files provide, changes tell, and a failure says task, file and line', () => {
  const jig = named('ansible')
  const told = (result: Json): Readonly<Record<string, string>> => ({ 'ansible.json': JSON.stringify(result) })
  expect(jig.import(end({ files: { ...told({ changed: 0, provides: { a: { json: '"01"' } }, failures: [] }), 'provides/b.json': '2' } }), INPUT)).toEqual({ kind: 'unchanged', provides: { a: '01', b: 2 }, facts: {} })
  expect(jig.import(end({ files: told({ changed: 2, provides: {}, failures: [] }) }), INPUT)).toMatchObject({ kind: 'succeeded' })
  expect(jig.import(end({ exitCode: 2, files: told({ changed: 0, provides: {}, failures: [{ task: 'do it', path: '/c/playbooks/db.yml:12', message: 'no' }] }) }), INPUT))
    .toEqual({ kind: 'failed', code: 'JIG_EXIT', message: "playbooks/db.yml ended with exit code 2: task 'do it' (playbooks/db.yml:12): no" })
  expect(jig.import(end({ exitCode: 4, said: "ERROR! We were unable\n  Syntax Error while loading YAML.\n\nThe error appears to be in '/c/playbooks/db.yml': line 3, column 7, but may\n" }), INPUT))
    .toMatchObject({ message: 'playbooks/db.yml ended with exit code 4: playbooks/db.yml:3:7: We were unable Syntax Error while loading YAML.' })
  expect(jig.import(end({ files: { ...told({ changed: 0, provides: { a: { json: '1' } }, failures: [] }), 'provides/a': '1' } }), INPUT)).toMatchObject({ kind: 'failed', code: 'JIG_RESULT' })
  expect(jig.import(end(), INPUT)).toMatchObject({ kind: 'failed', code: 'JIG_RESULT' })
  for (const [said, message] of [[{ json: '9007199254740993' }, 'a of set_stats holds a number that is too large to be kept exactly: make it a string'], [{ problem: 'a value of the type date' }, 'a of set_stats holds a value of the type date, which JSON does not have']] as const) {
    expect(jig.import(end({ files: told({ changed: 0, provides: { a: said }, failures: [] }) }), INPUT)).toEqual({ kind: 'failed', code: 'JIG_RESULT', message: `playbooks/db.yml: ${message}` })
  }
})

test('puppet: Hiera has each attribute as a parameter of a class, and takes no value for a lookup', () => {
  expect(hieraData(DOCUMENT)).toMatchObject({ my_db: { port: 3306 }, 'my_db::port': 3306, 'my_db::password': "a{{ b }}%{literal('%')}{c}", 'wants::peers': ['192.0.2.1'] })
  expect(named('puppet').export({ ...INPUT, entry: 'x.pp' }).command).toEqual(expect.arrayContaining(['--certname', 'n1.s.example.com', '/c/x.pp']))
})

test.each(JIGS)('%s: nothing of the document is an argument or in the environment, and only root reads its files', (name) => {
  const entry = { chef: 'cookbooks/db/recipes/server.rb', salt: 'states/db.sls' }[name as string] ?? 'playbooks/db.yml'
  const jig = named(name)
  const exports = [jig.export({ ...INPUT, entry }), jig.export({ ...INPUT, entry, secretive: true }), ...(jig.dryRun === null ? [] : [jig.dryRun.export({ ...INPUT, entry })])]
  for (const { command, environment, path, files } of exports) {
    expect(JSON.stringify([command, environment, path])).not.toMatch(/3306|a\{\{ b|192\.0\.2\.1/)
    for (const { mode } of files) expect(mode & 0o077).toBe(0)
  }
})

/** What the report processor writes of one resource. */
const resource = (over: Json): Json => ({ resource: 'File[/etc/x]', file: '/c/x.pp', line: 3, changed: false, failed: false, noop: false, message: '', ...(over as object) })
const report = (...resources: Json[]): Readonly<Record<string, string>> => ({ 'puppet.json': JSON.stringify({ resources }) })

test('puppet: what it provides is no change; a failure is its resource with file and line, or the first errors, without what Facter may not see', () => {
  const jig = named('puppet')
  expect(jig.import(end({ exitCode: 2, files: { ...report(resource({ resource: 'File[/r/provides/a]', changed: true })), 'provides/a': 'x' } }), INPUT)).toEqual({ kind: 'unchanged', provides: { a: 'x' }, facts: {} })
  expect(jig.import(end({ exitCode: 2, files: report(resource({ changed: true })) }), INPUT)).toMatchObject({ kind: 'succeeded' })
  expect(jig.import(end({ files: report() }), INPUT)).toMatchObject({ kind: 'unchanged' })
  expect(jig.import(end(), INPUT)).toMatchObject({ kind: 'failed', code: 'JIG_RESULT' })
  expect(jig.import(end({ exitCode: 6, files: report(resource({ changed: true }), resource({ resource: 'Exec[no]', line: 9, failed: true, message: 'returns: no' })) }), { ...INPUT, entry: 'x.pp' }))
    .toEqual({ kind: 'failed', code: 'JIG_EXIT', message: 'x.pp ended with exit code 6: Exec[no] (x.pp:9): returns: no' })
  expect(jig.import(end({ exitCode: 1, said: 'Error: Facter: Permission denied\nError: Could not parse (file: /c/x.pp, line: 3)' }), { ...INPUT, entry: 'x.pp' }))
    .toEqual({ kind: 'failed', code: 'JIG_EXIT', message: 'x.pp ended with exit code 1: Error: Could not parse (file: x.pp, line: 3)' })
})

test('cfengine: an error that it reports is a failure whatever its exit code, and references in values are refused', () => {
  const jig = named('cfengine')
  const input = { ...INPUT, entry: 'x.cf' }
  expect(JSON.parse(file(jig, 'inputs/def.json', input))).toMatchObject({ vars: { my_db: { port: 3306 }, crowbar_provides: '/r/provides' } })
  expect(jig.import(end({ said: '   error: no such thing' }), input)).toEqual({ kind: 'failed', code: 'JIG_EXIT', message: 'x.cf: error: no such thing' })
  expect(jig.import(end({ said: ` verbose: P: BEGIN promise 'promise_policy_cf_6' of type "files" (pass 1)\n   error: no folder\n verbose: P: END files promise` }), input)).toMatchObject({ message: 'x.cf: files promise (x.cf:6): error: no folder' })
  expect(jig.import(end({ said: ` verbose: P: BEGIN promise 'mine' of type "files" (pass 1)\n verbose: Additional promise info: source path '/w/inputs/policy.cf' at line 8\n   error: no folder` }), input)).toMatchObject({ message: 'x.cf: files promise (x.cf:8): error: no folder' })
  expect(jig.import(end({ said: '   info: done', files: { 'provides/a.json': '"x"', 'provides/a.json.cf-before-edit': '' } }), input)).toEqual({ kind: 'succeeded', provides: { a: 'x' }, facts: {} })
  for (const text of ['$(sys.host)', '${x}', '@(list)']) expect(() => jig.export({ ...input, document: { a: { b: [text] } } })).toThrow(JigValueError)
  for (const value of ['a\\b', 'a\0b', '\u001b', 2147483648, 0.123, 1e21, { '$(x)': 1 }, { '"': 1 }]) expect(() => jig.export({ ...input, document: { a: { b: [value] } } })).toThrow(JigValueError)
  expect(() => jig.export({ ...input, document: { a: { b: ['$5', '$', '(x)', '"', 'a\n', -2147483648, 0.12] } } })).not.toThrow()
})

test('chef and salt: the entry says recipe or state, the document is node JSON or pillar', () => {
  const chef = { ...INPUT, entry: 'cookbooks/db/recipes/server.rb' }
  expect(JSON.parse(file(named('chef'), 'node.json', chef))).toMatchObject({ 'my-db': { port: 3306 }, run_list: ['recipe[db::server]'] })
  expect(() => named('chef').export({ ...INPUT, entry: 'server.rb' })).toThrow(JigValueError)
  const salt = { ...INPUT, entry: 'states/db.sls' }
  expect(named('salt').export(salt).command?.at(-1)).toBe('db')
  const pillar = file(named('salt'), 'pillar/crowbar.sls', salt)
  expect(pillar.startsWith('#!json\n')).toBe(true)
  expect(JSON.parse(pillar.slice(7))).toMatchObject({ 'my-db': { password: 'a{{ b }}%{c}' }, crowbar_provides: '/r/provides' })
  const local = { 'file_|-conf_|-/etc/x_|-managed': { result: false, comment: 'no folder', changes: {} } }
  expect(named('salt').import(end({ exitCode: 2, files: { 'salt.json': JSON.stringify({ local }) } }), salt)).toMatchObject({ kind: 'failed', message: 'states/db.sls ended with exit code 2: file conf: no folder' })
  expect(named('salt').import(end({ files: { 'salt.json': JSON.stringify({ local: ['Rendering SLS failed'] }) } }), salt)).toMatchObject({ kind: 'failed', message: expect.stringContaining('Rendering SLS failed') as unknown })
})

test('a dry run is the tool\'s own, and the texts of files are shown only where no secret can be among them', () => {
  const chef = { ...INPUT, entry: 'cookbooks/db/recipes/server.rb' }
  const command = (name: JigName, input: JigInput, diff: boolean): readonly string[] => named(name).dryRun?.export({ ...input, secretive: !diff }).command ?? []
  expect(command('ansible', INPUT, true)).toEqual(expect.arrayContaining(['--check', '--diff']))
  expect(command('ansible', INPUT, false)).not.toContain('--diff')
  expect(command('puppet', INPUT, true)).toEqual(expect.arrayContaining(['--noop', '--show_diff']))
  expect(command('puppet', INPUT, false)).toEqual(expect.arrayContaining(['--noop', '--no-show_diff']))
  expect(command('cfengine', INPUT, true)).toContain('--dry-run')
  // cf-agent tells the log of the system what it writes.
  expect([command('cfengine', INPUT, true)[0], command('cfengine', INPUT, false)[0]]).toEqual(['cf-agent', 'unshare'])
  expect(command('chef', chef, true)).toContain('--why-run')
  expect(command('salt', { ...INPUT, entry: 'states/db.sls' }, true).slice(-2)).toEqual(['db', 'test=True'])
  expect([named('script').dryRun, named('exec').dryRun]).toEqual([null, null])
})

test('what a dry run foresees has task, place and effect; what a tool cannot tell is unknown, and what stands already is nothing', () => {
  const foreseen = (name: JigName, one: JigEnd, input = INPUT): unknown => {
    const found = named(name).dryRun?.import(one, input)
    return found?.kind === 'foreseen' ? found.foreseen.map(({ what, at, effect, detail }) => [what, at, effect, detail]) : found
  }
  const ansible = { changed: 1, provides: {}, failures: [{ task: 'read it', path: '/c/p.yml:9', message: 'not there' }], foreseen: [{ what: 'write it', at: '/c/p.yml:3', effect: 'change', detail: '-a\n+b' }, { what: 'run it', at: '', effect: 'unknown', detail: 'it does not run' }] }
  expect(foreseen('ansible', end({ exitCode: 2, files: { 'ansible.json': JSON.stringify(ansible) } }))).toEqual([
    ['write it', 'p.yml:3', 'change', '-a\n+b'], ['run it', null, 'unknown', 'it does not run'], ['read it', 'p.yml:9', 'unknown', 'it fails in a dry run, so what comes after it is not known: not there'],
  ])
  expect(foreseen('ansible', end({ exitCode: 4, said: 'ERROR! no' }))).toMatchObject({ kind: 'failed' })
  expect(foreseen('puppet', end({ files: report(resource({ noop: true, message: 'mode: would be' }), resource({ resource: 'File[/r/provides/a]', noop: true }), resource({ resource: 'Exec[x]' })) }))).toEqual([['File[/etc/x]', 'x.pp:3', 'change', 'mode: would be']])
  const cfengine = [` verbose: P: BEGIN promise 'promise_policy_cf_6' of type "files" (pass 1)`, " warning: Should create file '/etc/x', mode '0600'", " warning: Should create file '/r/provides/a'", ' warning: Warnings encountered when actuating', " warning: '/etc/x' has permission 0644 - [should be 0600]", " warning: '/etc/x' has permission 0644 - [should be 0600]", " warning: Using the default value 'false'", '   error: no'].join('\n')
  expect(foreseen('cfengine', end({ said: cfengine }), { ...INPUT, entry: 'x.cf' })).toEqual([['files promise', 'x.cf:6', 'change', "Should create file '/etc/x', mode '0600'"], ['files promise', 'x.cf:6', 'change', "'/etc/x' has permission 0644 - [should be 0600]"], ['files promise', 'x.cf:6', 'unknown', 'error: no']])
  expect(foreseen('chef', end({ said: '  * file[/etc/x] action create\n    - Would create new file /etc/x\n' }))).toEqual([['file[/etc/x]', null, 'change', 'Would create new file /etc/x']])
  const local = { 'file_|-x_|-/etc/x_|-managed': { result: null, comment: 'would be written', changes: {} }, 'file_|-y_|-/etc/y_|-managed': { result: true, comment: '', changes: {} }, 'cmd_|-z_|-z_|-run': { result: false, comment: 'no', changes: {} } }
  expect(foreseen('salt', end({ files: { 'salt.json': JSON.stringify({ local }) } }), { ...INPUT, entry: 's/db.sls' })).toEqual([['file x', null, 'change', 'would be written'], ['cmd z', null, 'unknown', 'no']])
})

let work = ''
beforeEach(() => {
  work = mkdtempSync(join(tmpdir(), 'crowbar-exec-'))
})
afterEach(() => rmSync(work, { recursive: true, force: true }))

test.each([
  ['provides and ends', 'read r; echo \'{"type":"provide","name":"a","value":[1,"01"]}\'; echo \'{"type":"end","outcome":"unchanged"}\'', { kind: 'unchanged', provides: { a: [1, '01'] }, facts: {} }],
  ['says that it failed', 'echo \'{"type":"end","outcome":"failed","message":"no"}\'', { kind: 'failed', code: 'JIG_EXIT', message: 'a program: no' }],
  ['dies', 'exit 3', { kind: 'failed', code: 'JIG_EXIT', message: 'a program ended with exit code 3' }],
  ['says nothing', 'true', { kind: 'failed', code: 'JIG_RESULT', message: 'a program: it did not say how it ended' }],
  ['talks', 'echo hello', { kind: 'failed', code: 'JIG_RESULT', message: expect.stringContaining('line 1 of its standard output is not JSON') as unknown }],
  ['says something twice', 'echo \'{"type":"fact","name":"a","value":1}\'; echo \'{"type":"fact","name":"a","value":1}\'', { kind: 'failed', code: 'JIG_RESULT', message: 'a program: line 2 of its standard output says a again' }],
])('exec: a program that %s', (_, script, expected) => {
  const input = { ...INPUT, entry: 'a program', content: join(work, "it's"), work: join(work, 'w'), results: join(work, 'r') }
  for (const folder of [input.content, input.work, input.results]) mkdirSync(folder, { recursive: true })
  writeFileSync(join(input.content, input.entry), `#!/bin/sh\n${script}\n`, { mode: 0o700 })
  const jig = named('exec')
  const { files, command } = jig.export(input)
  for (const one of files) {
    mkdirSync(dirname(join(input.work, one.path)), { recursive: true })
    writeFileSync(join(input.work, one.path), one.text)
  }
  const [program = '', ...args] = command ?? []
  const { status } = spawnSync(program, args, { env: { PATH: '/usr/bin:/bin' } })
  const out = readFileSync(join(input.results, 'exec.jsonl'), 'utf8')
  expect(jig.import(end({ exitCode: status ?? -1, files: { 'exec.jsonl': out } }), input)).toEqual(expected)
  expect(JSON.parse(readFileSync(join(input.work, 'request.json'), 'utf8'))).toMatchObject({ version: 1, action: 'run', document: DOCUMENT })
})

test('a tool comes in the packages that its release has, or in none', () => {
  expect(jigPackages('ansible', { family: 'debian', version: '11' })).toEqual(['ansible'])
  expect(jigPackages('ansible', { family: 'debian', version: '13' })).toEqual(['ansible-core'])
  expect(jigPackages('salt', { family: 'debian', version: '12' })).toEqual([])
  expect(jigPackages('puppet', { family: 'rhel', version: '9' })).toEqual([])
})

test('the callback for Ansible is a Python program', () => {
  const script = file(named('ansible'), 'callback/crowbar_result.py')
  execFileSync('python3', ['-c', 'import ast, sys; ast.parse(sys.stdin.read())'], { input: script })
})
