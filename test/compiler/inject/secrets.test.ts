import { describe, expect, test } from 'vitest'
import { explain } from '../../../compiler/explain/explain.ts'
import { explainText } from '../../../compiler/explain/explain-text.ts'
import { secretFiles } from '../../builders/secrets.ts'
import { codes, compiled, compileTexts, documentOf, machine, SITE, stepOf } from '../compiling.ts'
import type { Texts } from '../compiling.ts'

const NODES = 'kind: nodes\nname: "n[1-2]"\nos: debian-12\nmachine: { where: "true" }\n'
const SECRETS = secretFiles({ 'db/root': ['4-00000000aa', '3-00000000bb'], 'db/app': '1-00000000cc' })
const ATTRIBUTES = 'attributes: { type: object, properties: { port: { type: integer, default: 80 }, q: { type: string } } }\n'

/** A site with one barclamp `b` and a deployment `d`. */
const site = (roles: string, bound: string, more: Texts = {}): Texts => ({
  'n.yaml': NODES, ...machine('m1'), ...machine('m2'), ...SECRETS, 'barclamps/b/barclamp.yaml': `kind: barclamp\nname: b\nversion: 1.0.0\n${ATTRIBUTES}roles:\n${roles}`,
  'd.yaml': `kind: deployment\nname: d\nroles:\n${bound}`, ...more,
})
const of = (files: Texts, id = 'd/c@n1') => documentOf(compiled(files).plan, id)
const deferred = (path: string, secret: string, version: string) => ({ deferred: { type: 'string', expression: `\${${path}}`, scope: {}, inputs: { [path]: { secret, version } }, sensitive: true } })

describe('a secret that is wanted', () => {
  test('is deferred, sensitive text, by name and version', () => {
    expect(of(site('  c: { wants: { p: { secret: db/root } } }\n', '  c: { nodes: [n1] }\n'))['wants']).toEqual({ p: deferred('wants.p', 'db/root', '4-00000000aa') })
  })

  test('comes with the one before when it asks for that; null when there is none', () => {
    const wants = of(site('  c: { wants: { p: { secret: db/root, previous: true }, q: { secret: db/app, previous: true } } }\n', '  c: { nodes: [n1] }\n'))['wants']
    expect(wants).toEqual({
      p: { value: deferred('wants.p.value', 'db/root', '4-00000000aa'), previous: deferred('wants.p.previous', 'db/root', '3-00000000bb') },
      q: { value: deferred('wants.q.value', 'db/app', '1-00000000cc'), previous: null },
    })
  })

  test('that nobody knows is told once, with what was meant and the command that makes it', () => {
    const result = compileTexts(site('  c: { wants: { p: { secret: db/rot } } }\n', '  c: { nodes: [n1, n2] }\n'))
    expect(codes(result)).toEqual(['SECRET_UNKNOWN barclamps/b/barclamp.yaml:6:20'])
    expect(result.diagnostics[0]?.fix).toBe('Did you mean db/root? If not, `crowbar secret set db/rot` gives it a value.')
  })

  test('that is to be generated and was not names the command that does', () => {
    const roles = '  c: { wants: { p: { secret: db/new, generate: { length: 20 } } } }\n  e: {}\n'
    const result = compileTexts(site(roles, '  c: { nodes: [n1, n2] }\n  e: { nodes: [n1], attributes: { b: { q: { secret: db/new } } } }\n'))
    expect(codes(result)).toEqual(['SECRET_MISSING barclamps/b/barclamp.yaml:6:20', 'SECRET_MISSING d.yaml:5:43'])
    expect(result.diagnostics.map(({ fix }) => fix)).toEqual(Array(2).fill('Run `crowbar secret generate`, and commit what it writes below secrets/.'))
  })

  test('may be missing when the want is optional', () => {
    expect(of(site('  c: { wants: { p: { secret: db/none, optional: true } } }\n', '  c: { nodes: [n1] }\n'))['wants']).toEqual({ p: null })
  })

  test('is asked of nobody whose role somebody else runs', () => {
    expect(codes(compileTexts(site('  c: { wants: { p: { secret: db/none } } }\n', '  c: { external: { addresses: [10.1.1.1] } }\n')))).toEqual([])
  })

  test('cannot be generated in two ways', () => {
    const roles = '  c: { wants: { p: { secret: db/app, generate: { length: 20 } } } }\n  e: { wants: { p: { secret: db/app, generate: { length: 30 } } } }\n'
    expect(codes(compileTexts(site(roles, '  c: { nodes: [n1] }\n  e: { nodes: [n2] }\n')))).toEqual(['SECRET_CONFLICT barclamps/b/barclamp.yaml:7:20'])
    expect(codes(compileTexts(site(roles, '  c: { nodes: [n1] }\n')))).toEqual([])
  })

  test('`generate` and `previous` mean nothing without a secret', () => {
    expect(codes(compileTexts(site('  c: { wants: { p: { attribute: b.port, previous: true } } }\n', '  c: { nodes: [n1] }\n')))).toEqual(['WANT_INVALID barclamps/b/barclamp.yaml:6:20'])
  })
})

describe('a secret in an attribute', () => {
  const ROOT = deferred('value', 'db/root', '4-00000000aa')
  const role = '  c: {}\n'
  const layers: readonly (readonly [string, Texts])[] = [
    ['default', site('  c: {}\n', '  c: { nodes: [n1] }\n', { 'barclamps/b/barclamp.yaml': 'kind: barclamp\nname: b\nversion: 1.0.0\nattributes: { type: object, properties: { q: { type: string, default: { secret: db/root } } } }\nroles: { c: {} }\n' })],
    ['os', site(role, '  c: { nodes: [n1] }\n', { 'barclamps/b/barclamp.yaml': `kind: barclamp\nname: b\nversion: 1.0.0\n${ATTRIBUTES}osAttributes: { debian: { q: { secret: db/root } } }\nroles: { c: {} }\n` })],
    ['site', site(role, '  c: { nodes: [n1] }\n', { 'site.yaml': SITE.replace('---', 'attributes: { b: { q: { secret: db/root } } }\n---') })],
    ['rule', site(role, '  c: { nodes: [n1] }\n', { 'r.yaml': 'kind: rule\nname: r\nwhen: "true"\nset: { attributes: { b: { q: { secret: db/root } } } }\n' })],
    ['deployment', site(role, '  c: { nodes: [n1] }\nattributes: { b: { q: { secret: db/root } } }\n')],
    ['role', site(role, '  c: { nodes: [n1], attributes: { b: { q: { secret: db/root } } } }\n')],
    ['nodes', site(role, '  c: { nodes: [n1] }\n', { 'n.yaml': `${NODES}attributes: { b: { q: { secret: db/root } } }\n` })],
    ['node', site(role, '  c: { nodes: [n1] }\n', { 'one.yaml': 'kind: node\nname: n1\nattributes: { b: { q: { secret: db/root } } }\n' })],
  ]
  test.each(layers)('counts in the layer %s', (_, files) => {
    expect((of(files)['b'] as { readonly q: unknown }).q).toEqual(ROOT)
  })

  test('is text: where the schema asks for something else it is an error', () => {
    expect(codes(compileTexts(site(role, '  c: { nodes: [n1], attributes: { b: { port: { secret: db/root } } } }\n')))).toEqual(['ATTRIBUTE_INVALID d.yaml:4:46'])
  })

  test('makes everything that is computed from it sensitive, also across roles', () => {
    const roles = '  s: { wants: { p: { secret: db/root } }, provides: { url: { type: string, value: "db://${wants.p}@${node.name}:${attributes.port}" } } }\n  c: { wants: { url: { from: s, provide: url } } }\n'
    const { b, wants } = of(site(roles, '  s: { nodes: [n2] }\n  c: { nodes: [n1], attributes: { b: { q: "${wants.url}?x" } } }\n'))
    const url = { deferred: { type: 'string', expression: 'db://${wants.p}@${node.name}:${attributes.port}', scope: { node: { name: 'n2' }, attributes: { port: 80 } }, inputs: { 'wants.p': { secret: 'db/root', version: '4-00000000aa' } }, sensitive: true } }
    expect(wants).toEqual({ url })
    expect(b).toEqual({ port: 80, q: { deferred: { type: 'string', expression: '${wants.url}?x', scope: { wants: { url } }, inputs: {}, sensitive: true } } })
  })

  test.each([
    ['a label', { 'one.yaml': 'kind: node\nname: n1\nlabels: { rack: { secret: db/root } }\n' }, ['SECRET_MISPLACED one.yaml:3:17']],
    ['a tag', { 'one.yaml': 'kind: node\nname: n1\ntags: [{ secret: db/root }]\n' }, ['SECRET_MISPLACED one.yaml:3:8']],
    ['a label of a rule', { 'r.yaml': 'kind: rule\nname: r\nwhen: "true"\nset: { labels: { rack: "${attributes.q}" } }\n' }, ['EXPRESSION_INVALID r.yaml:4:27']],
    ['`when`', { 'r.yaml': 'kind: rule\nname: r\nwhen: "wants.p == \'x\'"\nset: { tags: [x] }\n' }, ['EXPRESSION_INVALID r.yaml:3:8']],
    ['`where`', { 'd.yaml': 'kind: deployment\nname: d\nroles:\n  c: { where: "attributes.q == \'x\'" }\n' }, ['EXPRESSION_INVALID d.yaml:4:16']],
    ['`count`', { 'd.yaml': 'kind: deployment\nname: d\nroles:\n  c: { where: "true", count: { min: { secret: db/root } } }\n' }, ['SECRET_MISPLACED d.yaml:4:37']],
  ] as const)('is an error in %s', (_, more, expected) => {
    expect(codes(compileTexts(site(role, '  c: { nodes: [n1] }\n', more)))).toEqual(expected)
  })
})

test('a password of a BMC has to be a secret that is there', () => {
  const bmc = (path: string): Texts => site('  c: {}\n', '  c: { nodes: [n1] }\n', { 'one.yaml': `kind: node\nname: n1\nbmc: { type: redfish, password: { secret: ${path} } }\n` })
  expect(codes(compileTexts(bmc('db/rot')))).toContain('SECRET_UNKNOWN one.yaml:3:33')
  expect(compileTexts(bmc('db/root')).diagnostics.filter(({ severity }) => severity === 'error')).toEqual([])
})

test('another version is another digest, and the same value encrypted anew is not', () => {
  const files = site('  c: { wants: { p: { secret: db/root } } }\n', '  c: { nodes: [n1] }\n')
  const digest = (more: Texts): string => stepOf(compiled({ ...files, ...more }).plan, 'd/c@n1').digest
  expect(digest({ 'secrets/db/root.age': `${SECRETS['secrets/db/root.age']} encrypted anew` })).toBe(digest({}))
  expect(digest(secretFiles({ 'db/root': '5-00000000ab', 'db/app': '1-00000000cc' }))).not.toBe(digest({}))
})

test('explain names secret and version where a value comes from one', () => {
  const files = site('  c: { wants: { p: { secret: db/root } } }\n', '  c: { nodes: [n1], attributes: { b: { q: { secret: db/app } } } }\n')
  const explained = explain(compiled(files).ordered.injected, { node: 'n1' })
  if ('problem' in explained) throw new Error(explained.problem)
  const text = explainText(explained.roles)
  expect(text).toContain('b.q = (string, known later: secret db/app v1)')
  expect(text).toContain('read secret db/app v1: known later')
  expect(text).toContain('wants.p = (string, known later: secret db/root v4)')
})
