import { describe, expect, test } from 'vitest'
import { codes, compiled, compileTexts, SITE } from '../compiling.ts'

const NODE = 'kind: node\nname: a\nos: debian-12\nmachine: { serial: S }\n'

describe('references', () => {
  test('a role that does not exist is an error with a suggestion', () => {
    const result = compileTexts({ 'a.yaml': NODE, 'barclamps/b/barclamp.yaml': 'kind: barclamp\nname: b\nversion: 1.0.0\nroles: { server: {} }\n', 'd.yaml': 'kind: deployment\nname: d\nroles:\n  sever: { nodes: [a] }\n' })
    expect(codes(result)).toEqual(['REFERENCE_UNKNOWN d.yaml:4:3'])
    expect(result.diagnostics[0]).toMatchObject({ summary: 'There is no role sever.', fix: 'Did you mean server?' })
  })

  test('a folder of barclamps that is not there is told once, and not again by all that it would have offered', () => {
    const files = { 'site.yaml': SITE.replace('path: barclamps', 'path: barclmaps'), 'a.yaml': NODE, 'd.yaml': 'kind: deployment\nname: d\nattributes: { b: {} }\nroles:\n  server: { nodes: [a] }\n  client: { nodes: [a] }\n' }
    expect(codes(compileTexts(files))).toEqual(['REFERENCE_UNKNOWN site.yaml:5:30'])
  })

  test('networks, operating systems, conduits, hardware, sources and nodes are looked up too', () => {
    const result = compileTexts({
      'a.yaml': 'kind: node\nname: a\nos: debian-21\nhardware: h\nmachine: { serial: S }\nnetworks: { admn: {} }\n',
      'n.yaml': 'kind: network\nname: n\nconduit: c\n---\nkind: agent\nnode: amd\ninterfaces: {}\n',
      'o.yaml': 'kind: os\nname: o\nfamily: f\nversion: "1"\narchitecture: amd64\ninstall: image\nsource: s\n',
    })
    expect(codes(result)).toEqual(['REFERENCE_UNKNOWN a.yaml:3:5', 'REFERENCE_UNKNOWN a.yaml:4:11', 'REFERENCE_UNKNOWN a.yaml:6:13', 'REFERENCE_UNKNOWN n.yaml:3:10', 'REFERENCE_UNKNOWN n.yaml:6:7', 'REFERENCE_UNKNOWN o.yaml:7:9'])
    expect(result.diagnostics.map((found) => found.fix)).toEqual(['Did you mean debian-11?', 'There is none to name: add one.', 'Did you mean admin?', 'There is none to name: add one.', 'Did you mean adm?', 'Known: debian-bookworm, debian-bullseye, debian-trixie.'])
  })

  test('an entry that the barclamp does not have is an error in the barclamp', () => {
    const result = compileTexts({ 'barclamps/b/barclamp.yaml': 'kind: barclamp\nname: b\nversion: 1.0.0\nroles:\n  r: { jig: script, run: run.sh }\n  s: { jig: script }\n', 'barclamps/b/other.sh': '' })
    expect(codes(result)).toEqual(['ENTRY_MISSING barclamps/b/barclamp.yaml:5:26', 'ENTRY_MISSING barclamps/b/barclamp.yaml:6:3'])
  })

  test('barclamps from git without a pin are an error at the ref', () => {
    expect(codes(compileTexts({ 'site.yaml': SITE.replace('[builtin, { path: barclamps }]', '[{ git: "https://git.example.com/b.git", ref: main }]') }))).toEqual(['BARCLAMP_UNPINNED site.yaml:5:58'])
  })

  test('a folder without a barclamp is an error', () => {
    expect(codes(compileTexts({ 'site.yaml': SITE.replace('path: barclamps', 'path: nothing') }))).toEqual(['REFERENCE_UNKNOWN site.yaml:5:30'])
  })

  test('deployments that come after each other are one diagnostic with the line of every edge', () => {
    const result = compileTexts({ 'd.yaml': 'kind: deployment\nname: x\nafter: [y]\nroles: {}\n---\nkind: deployment\nname: y\nafter: [x]\nroles: {}\n' })
    expect(codes(result)).toEqual(['CYCLE d.yaml:3:9'])
    expect(result.diagnostics[0]?.related.map((each) => each.range.start.line)).toEqual([3, 8])
  })
})

describe('networks', () => {
  const network = (subnet: string) => ({ 'n.yaml': `kind: network\nname: n\nsubnets:\n  - ${subnet}\n` })

  test('a subnet with host bits, a gateway outside, ranges that overlap or leave are errors', () => {
    expect(codes(compileTexts(network('cidr: 10.1.0.1/24')))).toEqual(['ADDRESS_INVALID n.yaml:4:11'])
    expect(codes(compileTexts(network('{ cidr: 10.1.0.0/24, gateway: 10.2.0.1 }')))).toEqual(['ADDRESS_OUTSIDE_RANGE n.yaml:4:35'])
    expect(codes(compileTexts(network('{ cidr: 10.1.0.0/24, ranges: { a: 10.1.0.1-10.1.0.5, b: 10.1.0.5-10.1.0.9 } }')))).toEqual(['ADDRESS_CONFLICT n.yaml:4:61'])
    expect(codes(compileTexts(network('{ cidr: 10.1.0.0/24, ranges: { a: 10.1.0.1-10.1.1.5 } }')))).toEqual(['ADDRESS_OUTSIDE_RANGE n.yaml:4:39'])
    expect(codes(compileTexts(network('{ cidr: "2001:db8::/64", ranges: { a: "2001:db8::9-2001:db8::1" } }')))).toEqual(['ADDRESS_INVALID n.yaml:4:43'])
  })
})

test('a builtin operating system is there without a word, and the site overrides it by name', () => {
  const own = 'kind: os\nname: debian-12\nfamily: debian\nversion: "12"\narchitecture: arm64\ninstall: joined\n'
  expect(compiled({ 'a.yaml': NODE }).plan.systems['debian-12']?.architecture).toBe('amd64')
  expect(compiled({ 'a.yaml': NODE, 'o.yaml': own }).plan.systems['debian-12']).toMatchObject({ architecture: 'arm64', install: 'joined', source: null })
})

test('an operating system takes packages from several sources, and the plan has their keys and says where they are named', () => {
  const os = 'kind: os\nname: debian-12\nfamily: debian\nversion: "12"\narchitecture: amd64\ninstall: joined\nsource: [debian-bookworm, vendor]\n'
  const source = '---\nkind: source\nname: vendor\ntype: apt\nupstream: https://apt.example.com\nsuites: [./]\nkeyring: keys/vendor.asc\n'
  const armour = '-----BEGIN PGP PUBLIC KEY BLOCK-----\n'
  const { plan } = compiled({ 'a.yaml': NODE, 'o.yaml': os + source, 'keys/vendor.asc': armour })
  expect(plan.systems['debian-12']).toMatchObject({ source: 'debian-bookworm', moreSources: ['vendor'] })
  expect(plan.sources['vendor']).toMatchObject({ keyring: 'keys/vendor.asc', keys: Buffer.from(armour).toString('base64'), at: 'o.yaml:14:10' })
  expect(plan.sources['debian-bookworm']).not.toHaveProperty('at')
  expect(codes(compileTexts({ 'a.yaml': NODE, 'o.yaml': os + source }))).toEqual(['KEYRING_INVALID o.yaml:14:10'])
  expect(codes(compileTexts({ 'a.yaml': NODE, 'o.yaml': os + source, 'keys/vendor.asc': 'no keys' }))).toEqual(['KEYRING_INVALID o.yaml:14:10'])
  expect(codes(compileTexts({ 'a.yaml': NODE, 'o.yaml': os }))).toEqual(['REFERENCE_UNKNOWN o.yaml:7:27'])
})

test('the digest of a barclamp covers path, mode and bytes of all of its files, and of no other', () => {
  const files = { 'a.yaml': NODE, 'barclamps/b/barclamp.yaml': 'kind: barclamp\nname: b\nversion: 1.0.0\nroles: { r: { jig: script, run: run.sh } }\n', 'barclamps/b/run.sh': 'true\n', 'd.yaml': 'kind: deployment\nname: d\nroles: { r: { nodes: [a] } }\n' }
  const content = (more = {}) => compiled({ ...files, ...more }).plan.steps.find((step) => step.id === 'd/r@a')?.content
  expect(content({ 'barclamps/b/run.sh': 'false\n' })).not.toBe(content())
  expect(content({ 'barclamps/b/more.txt': '' })).not.toBe(content())
  expect(content({ 'barclamps/c/barclamp.yaml': 'kind: barclamp\nname: c\nversion: 1.0.0\n' })).toBe(content())
})
