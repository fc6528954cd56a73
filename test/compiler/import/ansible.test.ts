import { expect, test } from 'vitest'
import { expandPattern } from '../../../compiler/import/ansible-pattern.ts'
import { pythonLiteral } from '../../../compiler/import/python-literal.ts'
import { shellWords } from '../../../compiler/import/shell-words.ts'
import { compileTexts } from '../compiling.ts'
import { MANY, NASTY } from './ansible-inventories.ts'
import { HOSTILE } from './hostile.ts'
import { coverage } from './coverage.ts'
import { documentsOf, expectWhole, imported, leavesOf, nodesOf, refusals, textsOf } from './read-back.ts'
import fc from '../../property.ts'

test('hosts, groups and variables become nodes, tags and roles, and attributes where all of a table have them', () => {
  const result = imported('ansible', {
    'hosts.ini': 'jump ansible_host=10.0.0.60\n[web]\nweb[1:2].example.com port=80\n[web:vars]\ntls=True\n[all:vars]\ndns=[\'10.0.0.2\']\n',
    'host_vars/web1.example.com.yml': 'port: 81\nmotd: "costs ${money}"\n',
  }, 'admin')
  expect(textsOf(result)).toEqual({
    'ansible-1.csv': 'name,labels.imported-name\nweb1,web1.example.com\nweb2,web2.example.com\n',
    'barclamps/ansible/barclamp.yaml': 'kind: barclamp\nname: ansible\nversion: "0.1.0"\nattributes:\n  type: object\nroles:\n  ungrouped: { description: "The hosts of the Ansible group ungrouped.", jig: noop }\n  web: { description: "The hosts of the Ansible group web.", jig: noop }\n',
    'deployment.yaml': "kind: deployment\nname: ansible\nroles:\n  ungrouped: { where: \"'ungrouped' in node.tags\" }\n  web: { where: \"'web' in node.tags\" }\nattributes:\n  ansible: { dns: [\"10.0.0.2\"] }\n",
    'nodes.yaml': 'kind: node\nname: jump\ntags: [ungrouped]\nnetworks:\n  admin: { address: "10.0.0.60" }\n---\nkind: nodes\ntable: ansible-1.csv\ntags: [web]\nattributes:\n  ansible: { tls: true }\n---\nkind: node\nname: web1\nattributes:\n  ansible: { motd: "costs $${money}", port: 81 }\n---\nkind: node\nname: web2\nattributes:\n  ansible: { port: 80 }\n',
  })
  expect(result.report.filter(({ pointer }) => pointer.includes('port')).map(({ file, range, fate, to }) => [file, range.start.line, range.start.column, fate, to])).toEqual([
    ['hosts.ini', 3, 22, 'mapped', ['node web2: attributes.ansible.port']],
    ['host_vars/web1.example.com.yml', 1, 7, 'mapped', ['node web1: attributes.ansible.port']],
  ])
})

const all = { ...NASTY, ...Object.fromEntries(Object.entries(MANY).map(([path, text]) => [path, { [path]: text }])), ...HOSTILE.ansible }

test('every value of every inventory is in the report once, and what is said to be mapped is in the documents', () => {
  expect(Object.keys(all).length).toBeGreaterThanOrEqual(40)
  coverage('ansible', all)
})

test.each(Object.entries({ ...NASTY, many: MANY }))('%s: the documents are good but for what an inventory cannot know', (_, texts) => {
  const found = compileTexts(textsOf(imported('ansible', texts)))
  const bad = found.diagnostics.filter(({ severity, code }) => severity === 'error' && !['CLAIM_UNBOUNDED', 'SECRET_UNKNOWN'].includes(code))
  expect(bad).toEqual([])
})

test('what is encrypted becomes a reference, and the ciphertext is kept beside; a file that is encrypted as a whole is refused', () => {
  const vault = '$ANSIBLE_VAULT;1.1;AES256\n  6133\n'
  const result = imported('ansible', { hosts: '[db]\nd1\n', 'group_vars/db.yml': `pw: !vault |\n  ${vault}users: [{ name: a, key: !vault "x" }]\n`, 'group_vars/all/vault.yml': vault })
  expect(nodesOf(result, 'ansible')['d1']?.values).toEqual({ pw: { secret: 'ansible/group_vars/db/pw' }, users: [{ name: 'a', key: { secret: 'ansible/group_vars/db/users/0/key' } }] })
  expect(JSON.parse(textsOf(result)['imported/group_vars/db.yml.json'] ?? '')).toMatchObject({ values: { pw: { __ansible_vault: '$ANSIBLE_VAULT;1.1;AES256\n6133\n' } } })
  expect(refusals(result)).toEqual(['group_vars/all/vault.yml:1:1 it is encrypted as a whole, so nobody can tell which variables it has: decrypt it for the import'])
})

test('a list or a map that is no template, and a date that says that it is one, are what they hold', () => {
  const result = imported('ansible', { 'h.yml': 'all: {hosts: {a: {l: !unsafe ["{{ x }}", 1], m: !unsafe {k: 2}, d: !!timestamp 2001-02-03}}}' })
  expect([nodesOf(result, 'ansible')['a']?.values, refusals(result)]).toEqual([{ l: ['{{ x }}', 1], m: { k: 2 }, d: '2001-02-03' }, []])
})

test('text of an INI file that looks like a date or a number is text there too', () => {
  const { report } = imported('ansible', { hosts: '[g]\na\n[g:vars]\nreleased_on = 2020-01-01\nnot_a_number = nan\nd=2020-01-01\n', 'group_vars/g.yml': 'e: 2020-01-01\nf: .inf\n' })
  expect(report.filter(({ fate }) => fate !== 'mapped').map(({ pointer, note }) => [pointer.at(-1), note])).toEqual([['e', 'a date, which is text here'], ['f', 'a number that cannot be kept exactly, and so is text here']])
})

test('what attributes cannot say is refused as a whole variable, and nothing of it is half there', () => {
  const result = imported('ansible', { 'h.yml': 'all: {hosts: {a: {s: {secret: x}, o: [1, {$append: [1]}], fine: {secret: x, other: 1}, t: "{{ x }}"}}}' })
  expect(nodesOf(result, 'ansible')['a']?.values).toEqual({ fine: { secret: 'x', other: 1 }, t: '{{ x }}' })
  expect(refusals(result)).toEqual([
    'h.yml:1:31 a map with the key `secret` means something else in attributes', 'h.yml:1:39 another part of this variable cannot be said, so that all of it is left out', 'h.yml:1:53 a map with the key `$append` means something else in attributes',
  ])
  expect(result.report.find(({ pointer }) => pointer.at(-1) === 't')).toMatchObject({ fate: 'raw', to: ['node a: attributes.ansible.t'] })
})

test.each([
  ['[web', 'h:1:1 a bracket is not closed'],
  ['[a b]', 'h:1:1 this is not the name of a section'],
  ['[a:hots]\nx', 'h:1:1 a section is of `hosts`, `children` or `vars`'],
  ['a x="1', 'h:1:1 the quote at column 5 is not closed'],
  ['a\nb c', 'h:2:1 what follows a host is `name=value`'],
  ['[a:vars]\nx', 'h:2:1 a variable is `name=value`'],
  ['host[1:999999999]', 'h:1:1 `[1:999999999]` stands for 999999999 hosts; more than 100000 are not imported'],
  ['h[1:300][1:300][1:300]', 'h:1:1 more than 100000 hosts are not imported'],
  ['h[3:1]', 'h:1:1 `[3:1]` ends before it begins'], ['h[1:2:0]', 'h:1:1 `[1:2:0]` has no step of 1 or more'], ['h[01:100]', 'h:1:1 `[01:100]`: first and last have different lengths'],
  ['[a:children]\nb\n[b:children]\na', 'h:4:1 a would be a child of itself'],
  ['[a:children]\nb', 'h:2:1 there is no section [b]'],
  ['a x="{1, 2}"', 'h:1:3 it is a set'], ['a x=set()', 'h:1:3 it is a set'], ['[all:vars]\nx="\\N{BULLET}"', 'h:2:1 it names a character by `\\N`'],
  ['a __proto__=1', 'h:1:3 the name `__proto__` is not allowed'],
])('%j is refused at its place', (text, expected) => {
  expect(refusals(imported('ansible', { h: text }))).toContain(expected)
})

test('text that is no YAML, JSON or TOML is one diagnostic at its place, and a refused file', () => {
  for (const [path, text, place] of [['h.yml', 'all:\n  hosts: [', 2], ['h.json', '{"a":\n [1,]}', 2], ['h.toml', '[a]\nx = ', 2], ['g.yml', 'a: !!python/object:x {}', 1]] as const) {
    const result = imported('ansible', { [path]: text })
    expect(result.diagnostics.map(({ range }) => range?.start.line)).toEqual([place])
    expect(refusals(result)).toEqual([`${path}:1:1 it could not be read`])
  }
})

test('numbers that cannot be kept and dates are text, and the report says so', () => {
  const ini = imported('ansible', { h: 'a big=0x7fffffffffffffff list="[1, 123456789012345678901]" far=1e19 text="\'123456789012345678901\'" day=2001-12-14\n' })
  expect(nodesOf(ini, 'ansible')['a']?.values).toEqual({ big: '9223372036854775807', list: [1, '123456789012345678901'], far: 1e19, text: '123456789012345678901', day: '2001-12-14' })
  const number = 'a number that cannot be kept exactly, and so is text here'
  expect(ini.report.filter(({ fate }) => fate === 'raw').map(({ pointer, note }) => [pointer.join('/'), note])).toEqual([['1/vars/big', number], ['1/vars/list/0', number], ['1/vars/list/1', number]])
  const yaml = imported('ansible', { 'h.yml': 'all: {hosts: {a: {big: 12345678901234567890, inf: -.inf, far: 1.0e+999, day: 2001-12-14, time: "2001-12-14", t: 12345678901234567890x}}}' })
  expect(yaml.report.filter(({ fate }) => fate === 'raw').map(({ pointer, note }) => [pointer.at(-1), note])).toEqual([['big', number], ['inf', number], ['far', number], ['day', 'a date, which is text here']])
  const toml = imported('ansible', { 'h.toml': '[all.hosts.a]\nbig = 0xffff_ffff_ffff_ffff\nnan = nan\nday = 2001-12-14\ntext = "2001-12-14"\n' })
  expect([nodesOf(toml, 'ansible')['a']?.values, toml.report.filter(({ fate }) => fate === 'raw').length]).toEqual([{ big: '18446744073709551615', nan: 'nan', day: '2001-12-14', text: '2001-12-14' }, 3])
})

test('what stands on a line that is closed at the margin is found at its place', () => {
  const { report, diagnostics } = imported('ansible', { 'h.yml': 'all: {\nhosts: {\na: {x: 1, x: 2}}, vars: {\ny: [1,\n2]\n}}\n' })
  expect(report.map(({ pointer, range }) => [pointer.at(-1), range.start.line, range.start.column])).toEqual([['x', 3, 14], [0, 4, 5], [1, 5, 1]])
  expect(diagnostics.map(({ code, range }) => [code, range?.start.line, range?.start.column])).toEqual([['DUPLICATE_KEY', 3, 11]])
  expect(imported('ansible', { 'h.yml': 'all: [\nx\n  ]\n]\n' }).diagnostics.map(({ range }) => range?.start)).toEqual([{ line: 4, column: 1 }])
})

test('more values than can be kept apart are not read', () => {
  const many = imported('ansible', { a: `a\n`, 'group_vars/all.json': `{"x": [${'0,'.repeat(500_001)}0]}` })
  expect([many.files, many.report, many.diagnostics.map(({ code, summary }) => [code, summary])]).toEqual([[], [], [['IMPORT_TOO_LARGE', 'The files have more than 500000 values together, and no more are read.']]])
  const lines = imported('ansible', { 'h.yml': '-\n'.repeat(4_000_001) })
  expect([lines.diagnostics.map(({ code }) => code), refusals(lines)]).toEqual([['IMPORT_TOO_LARGE'], ['h.yml:1:1 it could not be read']])
})

test('TOML inventories say the same as YAML ones', () => {
  const toml = '# x\n[all.vars]\nv = 1_000\n"quoted key" = \'lit\\eral\'\n[web]\nchildren = ["apache",\n "nginx", # c\n]\n[web.vars]\nmulti = """\na\\\n   b"""\nd = 2020-01-01\nf = 1.5e1\ninline = {x = 1, y = {z = [true, false]}}\n[apache.hosts]\ntomcat1 = {}\ntomcat2 = { myvar = 34 }\n[nginx.hosts."j[1:2]"]\nmynginx = true\n'
  const yaml = 'all: {vars: {v: 1000, quoted key: "lit\\\\eral"}}\nweb: {children: {apache: {hosts: {tomcat1: {}, tomcat2: {myvar: 34}}}, nginx: {hosts: {"j[1:2]": {mynginx: true}}}}, vars: {multi: ab, d: "2020-01-01", f: 15, inline: {x: 1, y: {z: [true, false]}}}}\n'
  expect(nodesOf(imported('ansible', { 'h.toml': toml }), 'ansible')).toEqual(nodesOf(imported('ansible', { 'h.yml': yaml }), 'ansible'))
})

test('names that are none here become some, and no two the same', () => {
  const result = imported('ansible', { h: '[My_Group]\nA.x.example\na.y.example\n10.0.0.1\n_\n[my-group]\nünï\n' })
  expect(Object.values(documentsOf(result)).filter(({ kind }) => kind === 'barclamp').flatMap(({ roles }) => Object.keys(roles ?? {}))).toEqual(['my-group', 'my-group-2'])
  expect(textsOf(result)['ansible-1.csv']).toBe('name,labels.imported-name\na-x-example,A.x.example\na-y-example,a.y.example\nhost,_\nhost-10-0-0-1,10.0.0.1\n')
})

test('any text at all is imported without a throw, whole and the same twice', () => {
  const line = fc.oneof(fc.string({ unit: 'grapheme' }), fc.constantFrom('[a]', '[a:vars]', '[b:children]', 'x=1', 'h[1:3] y="{\'a\': [1, \'${b}\']}"', 'a', '"', '\\', 'k = [1, (2, {})]', "'''"), fc.string())
  fc.assert(fc.property(fc.array(line, { maxLength: 12 }), (lines) => {
    const texts = { h: lines.join('\n') }
    const result = imported('ansible', texts)
    expect(imported('ansible', texts)).toEqual(result)
    expect(new Set(result.report.map(({ pointer }) => pointer.join('\u0000'))).size).toBe(result.report.length)
  }), { numRuns: 300 })
})

test('any variables come out as they went in', () => {
  const key = fc.stringMatching(/^[a-zA-Z_${}. ]{1,8}$/).filter((name) => !['$append', '$remove', '$unset', 'secret', 'deferred', '__proto__', 'ansible_group_priority'].includes(name))
  const { value } = fc.letrec<{ value: unknown }>((tie) => ({ value: fc.oneof({ maxDepth: 3 }, fc.string({ unit: 'grapheme' }), fc.integer(), fc.boolean(), fc.constant(null), fc.double({ noNaN: true, noDefaultInfinity: true }).map((n) => (n === 0 ? 0 : n)).filter((n) => !Number.isInteger(n) || Number.isSafeInteger(n)), fc.array(tie('value'), { maxLength: 3 }), fc.dictionary(key, tie('value'), { maxKeys: 3, noNullPrototype: true })) }))
  fc.assert(fc.property(fc.dictionary(key, value, { maxKeys: 4, noNullPrototype: true }), fc.dictionary(key, value, { maxKeys: 3, noNullPrototype: true }), (one, two) => {
    const tree = { g: { hosts: { a: one, b: two }, vars: { ...two } } }
    const result = imported('ansible', { 'h.json': JSON.stringify(tree) })
    expect(result.diagnostics).toEqual([])
    expectWhole(result, leavesOf('h.json', JSON.parse(JSON.stringify(tree))))
    const nodes = nodesOf(result, 'ansible')
    expect([nodes['a']?.values, nodes['b']?.values]).toEqual(JSON.parse(JSON.stringify([{ ...two, ...one }, two])))
  }), { numRuns: 150 })
})

test('Python literals, words of a line, and patterns', () => {
  expect(['(1,)', '[[]]', "{'a': (1, 2)}", '0x_ff', '1__0', "'a' b", 'u"x"', '- 1', '1 2', '--1', "f'x'", '{1: 2}'].map((text) => pythonLiteral(text))).toEqual([
    { value: [1] }, { value: [[]] }, { value: { a: [1, 2] } }, { value: 255 }, { text: true }, { text: true }, { value: 'x' }, { value: -1 }, { text: true }, { text: true }, { text: true }, { value: { 1: 2 } },
  ])
  expect(shellWords('a "b c"d \'e\'#f g')).toEqual([{ text: 'a', start: 0, end: 1 }, { text: 'b cd', start: 2, end: 8 }, { text: 'e', start: 9, end: 12 }])
  expect(expandPattern('a[0:1]-[x:y]:22', 100)).toEqual({ hosts: ['a0-x', 'a0-y', 'a1-x', 'a1-y'], port: 22 })
})
