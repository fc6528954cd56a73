import { describe, expect, test } from 'vitest'
import { parse } from '../../../compiler/parse/parse.ts'
import { placeOf } from '../../../compiler/parse/document.ts'
import { treeOf } from '../../../compiler/tree/tree.ts'
import { expandNames, expandRange } from '../../../compiler/validate/expand-names.ts'
import { rangeOfField } from '../../../compiler/validate/site.ts'
import type { Site, SiteNode } from '../../../compiler/validate/site.ts'
import { validate } from '../../../compiler/validate/validate.ts'
import type { Diagnostic } from '../../../schemas/diagnostic.ts'

const SITE = 'kind: site\nname: austin\ndomain: austin.example.com\nadmin: { network: admin, address: 10.0.0.1 }\n'

function read(files: Readonly<Record<string, string>>): { readonly site: Site | undefined; readonly found: readonly Diagnostic[] } {
  const found: Diagnostic[] = []
  const tree = treeOf({ 'site.yaml': SITE, ...files })
  const site = validate(tree, parse(tree, (diagnostic) => found.push(diagnostic)), (diagnostic) => found.push(diagnostic))
  return { site, found }
}

/** `CODE file:line:column` of everything that is wrong, and where else it points. */
function problems(files: Readonly<Record<string, string>>): readonly string[] {
  return read(files).found.map(({ code, range, related }) => [code, ...(range === undefined ? [] : [placeOf(range)]), ...related.map((other) => `<- ${placeOf(other.range)}`)].join(' '))
}

function node(files: Readonly<Record<string, string>>, name: string): SiteNode {
  const { site, found } = read(files)
  expect(found).toEqual([])
  const result = site?.nodes.get(name)
  if (result === undefined) throw new Error(`no node ${name} in ${[...(site?.nodes.keys() ?? [])].join(' ')}`)
  return result
}

describe('documents', () => {
  test('are found by kind and name, in any folder, several in a file', () => {
    const { site, found } = read({ 'net/a.yaml': 'kind: network\nname: b\n---\nkind: network\nname: a\n', 'x.json': '{"kind": "os", "name": "debian-12", "family": "debian", "version": "12", "architecture": "amd64", "install": "image"}' })
    expect(found).toEqual([])
    expect([...(site?.networks.keys() ?? [])]).toEqual(['a', 'b'])
    expect(site?.systems.get('debian-12')?.value.version).toBe('12')
    expect(site?.lock).toBeNull()
  })

  test.each<[string, Readonly<Record<string, string>>, readonly string[]]>([
    ['no site', { 'site.yaml': 'kind: network\nname: a\n' }, ['NOT_A_SITE']],
    ['several sites in one repository', { 'site.yaml': '', 'a/site.yaml': SITE, 'a/inventory/m1.json': '{ "kind": "machine", "id": "m1" }', 'b/c/site.yaml': SITE }, ['SITE_DUPLICATE b/c/site.yaml:1:7 <- a/site.yaml:1:7']],
    ['two sites', { 'z.yaml': SITE }, ['SITE_DUPLICATE z.yaml:1:7 <- site.yaml:1:7']],
    ['a site that is wrong is still a site', { 'site.yaml': 'kind: site\nname: a\n' }, ['FIELD_MISSING site.yaml:1:7', 'FIELD_MISSING site.yaml:1:7']],
    ['no kind', { 'a.yaml': '\nfoo: 1\n' }, ['KIND_MISSING a.yaml:2:1']],
    ['nearly a kind', { 'a.yaml': 'foo: 1\nknd: node\n' }, ['KIND_MISSING a.yaml:2:1']],
    ['no mapping', { 'a.yaml': '- kind: node\n' }, ['KIND_MISSING a.yaml:1:1']],
    ['an unknown kind', { 'a.yaml': 'kind: deploymnet\n' }, ['KIND_UNKNOWN a.yaml:1:7']],
    ['a name twice', { 'a.yaml': 'kind: network\nname: a\n', 'b.yaml': 'name: a\nkind: network\n' }, ['DUPLICATE_DOCUMENT b.yaml:1:7 <- a.yaml:2:7']],
    ['a machine nobody could tell from others', { 'a.yaml': 'kind: machine\nstate: retired\n' }, ['FIELD_MISSING a.yaml:1:7']],
    ['barclamps outside', { 'site.yaml': `${SITE}barclamps: [builtin, { path: b }, { path: b/../../c }]\n` }, ['PATH_OUTSIDE site.yaml:5:43']],
    ['a syntax error', { 'a.yaml': 'kind: [\n' }, ['YAML_INDENT a.yaml:2:1']],
  ])('%s', (_, files, expected) => {
    expect(problems(files)).toEqual(expected)
  })

  test('of other programs are left alone', () => {
    expect(problems({
      'package.json': '{}', 'list.json': '[1]', '.github/workflows/ci.yaml': 'on: push', '.x.yaml': 'a: 1', 'secrets/index.yaml': 'a: 1', 'artifacts/x.json': '{', 'golden/plan.json': '{',
      'b/barclamp.yaml': 'kind: barclamp\nname: b\nversion: 1.0.0\n', 'b/playbook.yaml': '- hosts: all', 'b/c/vars.yml': 'a: b: c',
      'mkdocs.yml': 'a: 1', 'charts/x/values.yaml': 'a: 1', 'vendor/x/y.yaml': 'a: 1', '.crowbarignore': '# others\nmkdocs.yml\ncharts/*/values.yaml\n/vendor/\n',
    })).toEqual([])
  })

  test('of JSON that says kind are meant', () => {
    expect(problems({ 'a.json': '{"kind": "nod"}', 'b.json': '{"knd": "node"}' })).toEqual(['KIND_UNKNOWN a.json:1:10', 'KIND_MISSING b.json:1:2'])
  })
})

describe('nodes', () => {
  const MANY = { 'nodes.yaml': 'kind: nodes\nname: "c-[08-10]"\ntags: [compute]\nlabels: { rack: a, row: "1" }\nmachine: { tags: [big] }\nnetworks: { storage: {}, admin: {} }\n---\nkind: node\nname: c-09\nlabels: { rack: b }\nmachine: { mac: "52:54:00:AA:00:01" }\nnetworks: { admin: { address: 10.0.0.9 } }\n' }

  test('come out of ranges, refined by documents of their own', () => {
    const { site } = read(MANY)
    expect([...(site?.nodes.keys() ?? [])]).toEqual(['c-08', 'c-09', 'c-10'])
    expect(node(MANY, 'c-08').value).toEqual({ tags: ['compute'], labels: { rack: 'a', row: '1' }, machine: { tags: ['big'] }, networks: { storage: {}, admin: {} } })
    expect(node(MANY, 'c-09').value).toEqual({ tags: ['compute'], labels: { rack: 'b', row: '1' }, machine: { mac: '52:54:00:aa:00:01' }, networks: { storage: {}, admin: { address: '10.0.0.9' } } })
  })

  test('know who said what about them', () => {
    const refined = node(MANY, 'c-09')
    expect(refined.layers.map(({ layer }) => layer)).toEqual(['nodes', 'node'])
    expect(placeOf(refined.at)).toBe('nodes.yaml:2:7')
    expect(placeOf(rangeOfField(refined, ['tags', 0]))).toBe('nodes.yaml:3:8')
    expect(placeOf(rangeOfField(refined, ['labels', 'rack']))).toBe('nodes.yaml:10:17')
    expect(placeOf(rangeOfField(refined, ['labels', 'row'], 'key'))).toBe('nodes.yaml:4:20')
    expect(placeOf(rangeOfField(refined, ['os']))).toBe('nodes.yaml:2:7')
  })

  test.each<[string, Readonly<Record<string, string>>, readonly string[]]>([
    ['two documents', { 'a.yaml': 'kind: node\nname: a\n---\nkind: node\nname: a\n' }, ['DUPLICATE_DOCUMENT a.yaml:5:7 <- a.yaml:2:7']],
    ['two ranges that overlap', { 'a.yaml': 'kind: nodes\nname: "a[1-2]"\n---\nkind: nodes\nname: "a[2-3]"\n' }, ['DUPLICATE_DOCUMENT a.yaml:5:7 <- a.yaml:2:7']],
    ['a range backwards', { 'a.yaml': 'kind: nodes\nname: "a[3-1]"\n' }, ['NAME_RANGE a.yaml:2:7']],
    ['a range too large', { 'a.yaml': 'kind: nodes\nname: "a[1-999999999]"\n' }, ['NAME_RANGE a.yaml:2:7']],
    ['a range of names that are none', { 'a.yaml': 'kind: nodes\nname: "a[1-2]-"\n' }, ['NAME_RANGE a.yaml:2:7']],
    ['neither name nor table', { 'a.yaml': 'kind: nodes\ntags: [a]\n' }, ['FIELD_MISSING a.yaml:1:7']],
    ['no table', { 'a.yaml': 'kind: nodes\ntable: x.csv\n', 'y.csv': '' }, ['TABLE_MISSING a.yaml:2:8']],
    ['a table outside', { 'a.yaml': 'kind: nodes\ntable: ../x.csv\n' }, ['PATH_OUTSIDE a.yaml:2:8']],
  ])('%s', (_, files, expected) => {
    expect(problems(files)).toEqual(expected)
  })
})

describe('tables', () => {
  const files = (table: string, name = ''): Readonly<Record<string, string>> => ({ 'hw/n.yaml': `kind: nodes\n${name}table: n.csv\ntags: [all]\n`, 'hw/n.csv': table })

  test('name nodes and say fields of them, typed by the schema', () => {
    const table = '\ufeffname,machine.serial,machine.mac,tags,protect,labels.rack.row,networks.admin.address,attributes.ntp.port\r\na,4XK2,52:54:00:AA:00:01,x; y,true,"r ""1"", b",10.0.0.9,123\r\n\r\nb,,,,,,,\r\n'
    expect(node(files(table), 'a').value).toEqual({ machine: { serial: '4XK2', mac: '52:54:00:aa:00:01' }, tags: ['x', 'y'], protect: true, labels: { 'rack.row': 'r "1", b' }, networks: { admin: { address: '10.0.0.9' } } })
    expect(node(files(table), 'a').layers.at(-1)?.value.attributes).toEqual({ ntp: { port: 123 } })
    expect(node(files(table), 'b').value).toEqual({ tags: ['all'] })
  })

  test('know the cell and the header of every value', () => {
    const row = node(files('name,machine.serial,labels.rack,machine.asset\na,4XK2,r1,X\n'), 'a')
    expect(placeOf(row.at)).toBe('hw/n.csv:2:1')
    expect(placeOf(rangeOfField(row, ['machine', 'serial']))).toBe('hw/n.csv:2:3')
    expect(placeOf(rangeOfField(row, ['machine', 'asset']))).toBe('hw/n.csv:2:11')
    expect(placeOf(rangeOfField(row, ['labels', 'rack'], 'key'))).toBe('hw/n.csv:1:21')
    expect(placeOf(rangeOfField(row, ['tags']))).toBe('hw/n.yaml:3:7')
  })

  test.each<[string, Readonly<Record<string, string>>, readonly string[]]>([
    ['a header that is no field', files('name,machine.seral\na,x\n'), ['FIELD_UNKNOWN hw/n.csv:1:6']],
    ['a header of a whole mapping', files('name,machine\na,x\n'), ['FIELD_UNKNOWN hw/n.csv:1:6']],
    ['a header twice', files('name,os,os\na,x,y\n'), ['DUPLICATE_KEY hw/n.csv:1:9 <- hw/n.csv:1:6']],
    ['no name column', files('os\nx\n'), ['FIELD_MISSING hw/n.csv:1:1']],
    ['a row without a name', files('os,name\nx,\n'), ['FIELD_MISSING hw/n.csv:2:1']],
    ['a cell that does not fit', files('name,protect,machine.mac\na,perhaps,x\n'), ['VALUE_INVALID hw/n.csv:2:3', 'VALUE_INVALID hw/n.csv:2:11']],
    ['a row too long', files('name,os\na,b,c\n'), ['CSV_SYNTAX hw/n.csv:2:5']],
    ['an open quote', files('name\n"a\n'), ['CSV_SYNTAX hw/n.csv:2:1']],
    ['a stray quote', files('name,os\na,b"c\n'), ['CSV_SYNTAX hw/n.csv:2:4']],
    ['text after a quote', files('name,os\n"a"x,b\n'), ['CSV_SYNTAX hw/n.csv:2:4']],
    ['an empty file', files(''), ['CSV_SYNTAX hw/n.csv:1:1']],
    ['a node twice', files('name\na\na\n'), ['DUPLICATE_DOCUMENT hw/n.csv:3:1 <- hw/n.csv:2:1']],
    ['a row about none of the range', files('name\nc\n', 'name: "a[1-2]"\n'), ['REFERENCE_UNKNOWN hw/n.csv:2:1 <- hw/n.yaml:2:7']],
  ])('%s', (_, tree, expected) => {
    expect(problems(tree)).toEqual(expected)
  })

  test('without attributes of an object prototype', () => {
    expect(problems(files('name,attributes.__proto__.x\na,1\n'))).toEqual([])
    expect(({} as Record<string, unknown>)['x']).toBeUndefined()
  })
})

describe('inventory and lock', () => {
  const MACHINE = { kind: 'machine', id: 'm-1', facts: { architecture: 'amd64', firmware: { kind: 'bios' }, dmi: { vendor: '', product: '', serial: '', uuid: '', asset: '' }, cpu: { model: 'x', cores: 1, threads: 1 }, memory: { bytes: 1 }, disks: [], nics: [] } }
  const LOCK = '{"kind":"lock","version":1,\n"claims":{\n"a":"m-1",\n"a":"m-2"},"nodes":{},"bindings":{},"addresses":{},"barclamps":{},"artifacts":{}}'

  test('are read from their places', () => {
    const { site, found } = read({ 'inventory/m-1.json': JSON.stringify(MACHINE), 'site.lock.json': LOCK.replace('"a":"m-2"', '"b":"m-2"') })
    expect(found).toEqual([])
    expect(site?.inventory.get('m-1')?.value.facts.cpu.cores).toBe(1)
    expect(site?.lock?.value.claims).toEqual({ a: 'm-1', b: 'm-2' })
  })

  test('facts that another program left out are empty, and null is as good as absent', () => {
    const facts = { ...MACHINE.facts, dmi: { serial: '4XK2' }, disks: [{ bytes: 1, rotational: false, bus: 'nvme', serial: 'N1' }], nics: [{ mac: '52:54:00:00:00:01', lldp: null }], bmc: null, pci: null }
    const { site, found } = read({ 'inventory/m-1.json': JSON.stringify({ ...MACHINE, facts }) })
    expect(found).toEqual([])
    expect(site?.inventory.get('m-1')?.value.facts).toEqual({
      ...MACHINE.facts, dmi: { ...MACHINE.facts.dmi, serial: '4XK2' },
      disks: [{ bytes: 1, rotational: false, bus: 'nvme', serial: 'N1', wwn: '', model: '', path: '' }],
      nics: [{ mac: '52:54:00:00:00:01', driver: '', bus: '', speed: null }],
    })
  })

  const DISK = { bytes: 1, rotational: false, bus: 'nvme' }
  const withDisks = (...disks: readonly object[]): Readonly<Record<string, string>> => ({ 'inventory/m-1.json': JSON.stringify({ ...MACHINE, facts: { ...MACHINE.facts, disks } }, null, 1) })

  test.each<[string, Readonly<Record<string, string>>, readonly string[]]>([
    ['a disk that nothing names', withDisks(DISK), ['VALUE_INVALID inventory/m-1.json:25:4']],
    ['two disks with one name', withDisks({ ...DISK, serial: 'A' }, { ...DISK, serial: 'A' }), ['VALUE_INVALID inventory/m-1.json:31:4']],
    ['a file named after another machine', { 'inventory/m-2.json': JSON.stringify(MACHINE, null, 1) }, ['VALUE_INVALID inventory/m-2.json:3:8']],
    ['facts that are none', { 'inventory/m-1.json': JSON.stringify({ ...MACHINE, facts: { ...MACHINE.facts, memory: 3 } }, null, 1) }, ['VALUE_INVALID inventory/m-1.json:21:13']],
    ['JSON that is none', { 'inventory/m-1.json': '{"kind": ' }, ['YAML_SYNTAX inventory/m-1.json:1:10']],
    ['a claim on two lines of the lock', { 'site.lock.json': LOCK }, ['LOCK_CONFLICT site.lock.json:4:1 <- site.lock.json:3:1']],
    ['an unfinished merge', { 'site.lock.json': '{"kind":"lock",\n<<<<<<< HEAD\n"a":1\n=======\n"a":2\n>>>>>>> x\n}' }, ['LOCK_CONFLICT site.lock.json:2:1 <- site.lock.json:4:1']],
    ['a lock that was edited', { 'site.lock.json': '{"kind":"lock","version":1,"claims":{"a":1},"nodes":{},"bindings":{},"addresses":{},"barclamps":{},"artifacts":{}}' }, ['LOCK_INVALID site.lock.json:1:42']],
    ['a lock of the future', { 'site.lock.json': '{"kind":"lock","version":2}' }, ['LOCK_INVALID site.lock.json:1:26']],
  ])('%s', (_, files, expected) => {
    expect(problems(files)).toEqual(expected)
  })
})

describe('expandNames', () => {
  test.each([
    ['web', ['web']],
    ['web-[1-3]', ['web-1', 'web-2', 'web-3']],
    ['c-[008-011]', ['c-008', 'c-009', 'c-010', 'c-011']],
    ['db[1,3-4]', ['db1', 'db3', 'db4']],
    ['r[1-2]n[1-2]', ['r1n1', 'r1n2', 'r2n1', 'r2n2']],
    ['a[9-10]', ['a9', 'a10']],
  ])('%s', (text, names) => {
    expect(expandNames(text)).toEqual(names)
  })

  test.each(['a[1-', 'a]1[', 'a[]', 'a[x]', 'a[3-1]', 'a[01-100]', 'a[1,1]', 'a[1-1000]b[1-1000]', 'a,b'])('%s is no range', (text) => {
    expect(expandRange(text)).toHaveProperty('problem')
    expect(expandNames(text)).toBeUndefined()
  })
})
