import { describe, expect, test } from 'vitest'
import type { Json } from '../../../schemas/shape.ts'
import { codes, compiled, compileTexts, documentOf, machine, SITE, stepOf } from '../compiling.ts'
import type { Texts } from '../compiling.ts'

const NODES = 'kind: nodes\nname: "n[1-3]"\nos: debian-12\nmachine: { where: "true" }\n'
const SEEN = { ...machine('m1'), ...machine('m2'), ...machine('m3') }

const barclamp = (body: string, name = 'b') => ({ [`barclamps/${name}/barclamp.yaml`]: `kind: barclamp\nname: ${name}\nversion: 1.0.0\n${body}` })
const deployment = (body: string) => ({ 'd.yaml': `kind: deployment\nname: d\n${body}` })

describe('layers', () => {
  const ATTRIBUTES = `attributes:
  type: object
  properties:
    v: { type: string, default: from-default }
    list: { type: array, default: [a, b] }
    map: { type: object, default: { x: 1 } }
osAttributes:
  debian: { v: from-family }
  debian-12: { v: from-os }
roles:
  r: {}
`
  const LAYERS: readonly (readonly [string, Texts])[] = [
    ['from-site', { 'site.yaml': SITE.replace('---', 'attributes: { b: { v: from-site } }\n---') }],
    ['from-rule', { 'r.yaml': 'kind: rule\nname: r\nwhen: "true"\nset: { attributes: { b: { v: from-rule } } }\n' }],
    ['from-deployment', deployment('roles: { r: { nodes: [n1] } }\nattributes: { b: { v: from-deployment } }\n')],
    ['from-role', deployment('roles: { r: { nodes: [n1], attributes: { b: { v: from-role } } } }\nattributes: { b: { v: from-deployment } }\n')],
    ['from-nodes', { 'n.yaml': `${NODES}attributes: { b: { v: from-nodes } }\n` }],
    ['from-node', { 'one.yaml': 'kind: node\nname: n1\nattributes: { b: { v: from-node } }\n' }],
  ]
  const base = { 'n.yaml': NODES, ...SEEN, ...barclamp(ATTRIBUTES), ...deployment('roles: { r: { nodes: [n1] } }\n') }
  const value = (files: Texts) => (documentOf(compiled(files).plan, 'd/r@n1')['b'] as { readonly [key: string]: Json })['v']

  test('each layer wins over those below it', () => {
    expect(value(base)).toBe('from-os')
    let files: Texts = base
    for (const [wins, more] of LAYERS) {
      files = { ...files, ...more }
      expect(value(files)).toBe(wins)
    }
  })

  test('maps merge, lists are replaced, and operators change what is below', () => {
    const site = (attributes: string) => documentOf(compiled({ ...base, 'one.yaml': `kind: node\nname: n1\nattributes: { b: ${attributes} }\n` }).plan, 'd/r@n1')['b']
    expect(site('{ list: [c], map: { y: 2 } }')).toEqual({ v: 'from-os', list: ['c'], map: { x: 1, y: 2 } })
    expect(site('{ list: { $append: [c], $remove: [a] } }')).toMatchObject({ list: ['b', 'c'] })
    expect(site('{ list: { $unset: true }, map: { x: { $unset: true } } }')).toEqual({ v: 'from-os', map: {} })
  })

  test('an operator where it means nothing is an error', () => {
    expect(codes(compileTexts({ ...base, 'one.yaml': 'kind: node\nname: n1\nattributes: { b: { v: { $apend: [x] } } }\n' }))).toEqual(['ATTRIBUTE_OPERATOR one.yaml:3:25'])
    expect(codes(compileTexts({ ...base, 'one.yaml': 'kind: node\nname: n1\nattributes: { b: { v: { $append: [x] } } }\n' }))).toEqual(['ATTRIBUTE_OPERATOR one.yaml:3:25'])
  })

  test('what the schema does not allow is an error at the layer that said it', () => {
    const wrong = { ...base, 'one.yaml': 'kind: node\nname: n1\nattributes: { b: { v: 5 } }\n' }
    expect(codes(compileTexts(wrong))).toEqual(['ATTRIBUTE_INVALID one.yaml:3:23'])
    const closed = barclamp('attributes: { type: object, additionalProperties: false, properties: { port: { type: integer } } }\nroles: { r: {} }\n')
    const result = compileTexts({ ...base, ...closed, 'one.yaml': 'kind: node\nname: n1\nattributes: { b: { prot: 5 } }\n' })
    expect(codes(result)).toEqual(['ATTRIBUTE_INVALID one.yaml:3:20'])
    expect(result.diagnostics[0]?.fix).toBe('Did you mean port?')
  })

  test('attributes of a barclamp that are no mapping are an error', () => {
    expect(codes(compileTexts({ ...base, 'one.yaml': 'kind: node\nname: n1\nattributes: { b: 5 }\n' }))).toEqual(['ATTRIBUTE_INVALID one.yaml:3:15'])
  })

  test('a pattern that would hang a backtracking engine is judged at once', () => {
    const slow = barclamp('attributes: { type: object, properties: { v: { type: string, pattern: "^(a+)+$" } } }\nroles: { r: {} }\n')
    expect(codes(compileTexts({ ...base, ...slow, 'one.yaml': `kind: node\nname: n1\nattributes: { b: { v: ${'a'.repeat(60)}! } }\n` }))).toEqual(['ATTRIBUTE_INVALID one.yaml:3:23'])
  })

  test('a schema that is none is an error in the barclamp', () => {
    expect(codes(compileTexts({ ...base, ...barclamp('attributes: { type: objekt }\nroles: { r: {} }\n') }))).toEqual(['BARCLAMP_SCHEMA barclamps/b/barclamp.yaml:4:21'])
  })
})

describe('expressions', () => {
  const files = (attributes: string, role = '{}') => ({ 'n.yaml': `${NODES}labels: { rack: r1 }\ntags: [t]\n`, ...SEEN, ...barclamp(`attributes: { type: object }\nroles:\n  r: ${role}\n`), ...deployment(`addresses: { api: { network: admin } }\nroles: { r: { nodes: [n2, n1] } }\nattributes:\n  b:\n${attributes}`) })
  const value = (text: string, role?: string) => (documentOf(compiled(files(`    v: ${text}\n`, role)).plan, 'd/r@n1')['b'] as { readonly [key: string]: Json })['v']

  test('everything in scope can be read, and one expression alone keeps its type', () => {
    expect(value('"${site.name} ${site.domain} ${site.admin.address}"')).toBe('test test.example.com 10.0.0.2')
    expect(value('"${node.name} ${node.labels.rack} ${node.os} ${node.facts.memory.bytes}"')).toBe('n1 r1 debian-12 1073741824')
    expect(value('"${node.tags}"')).toEqual(['t'])
    expect(value('"${node.address(\'admin\')}"')).toBe('10.0.0.50')
    expect(value('"${deployment.name} ${deployment.address(\'api\')}"')).toBe('d 10.0.0.100')
    expect(value('"${role(\'r\').index}"')).toBe(1)
    expect(value('"${role(\'r\').members.map(m, m.node)}"')).toEqual(['n2', 'n1'])
    expect(value('"${role(\'r\').addresses}"')).toEqual(['10.0.0.51', '10.0.0.50'])
    expect(value('"${network(\'admin\').subnets[0].prefix}"')).toBe(24)
    expect(value('"${node.address(\'front\')}"', '{ networks: { front: admin } }')).toBe('10.0.0.50')
    expect(value('"costs $${5}"')).toBe('costs ${5}')
  })

  test('attributes read each other, and a circle is an error', () => {
    expect(documentOf(compiled(files('    v: "${attributes.w + 1}"\n    w: "${attributes.x * 2}"\n    x: 20\n')).plan, 'd/r@n1')['b']).toEqual({ v: 41, w: 40, x: 20 })
    const circle = compileTexts(files('    v: "${attributes.w}"\n    w: "${attributes.x}"\n    x: "a${attributes.v}"\n'))
    expect(codes(circle)).toEqual(['ATTRIBUTE_CYCLE d.yaml:7:8'])
    expect(circle.diagnostics[0]?.related.map(({ message, range }) => [message, range.start.line])).toEqual([['b.w', 8], ['b.x', 9]])
  })

  test('attributes that read each other a few hundred deep are an error, not the end of the stack', () => {
    const chain = (length: number) => Array.from({ length }, (_, i) => `    k${i}: "\${attributes.k${i + 1}}"\n`).join('') + `    k${length}: x\n`
    expect(documentOf(compiled(files(chain(200))).plan, 'd/r@n1')['b']).toMatchObject({ k0: 'x' })
    expect(codes(compileTexts(files(chain(3000)))).map((code) => code.split(' ')[0])).toEqual(['EXPRESSION_FAILED'])
  })

  test('any other read is an error with a caret inside the string', () => {
    const result = compileTexts(files('    v: "x ${nod.name}"\n'))
    expect(codes(result)).toEqual(['EXPRESSION_INVALID d.yaml:7:13'])
    expect(result.diagnostics[0]?.fix).toBe('Did you mean node?')
    expect(codes(compileTexts(files('    v: "${attributes.none}"\n')))[0]).toMatch(/^EXPRESSION_FAILED d\.yaml:7:/)
    expect(codes(compileTexts(files('    v: "${node.address(\'none\')}"\n')))[0]).toMatch(/^EXPRESSION_FAILED d\.yaml:7:/)
    expect(codes(compileTexts(files('    v: "${env.HOME}"\n')))).toEqual(['EXPRESSION_INVALID d.yaml:7:11'])
  })

  test('what hangs on facts of a machine that has not been seen is missing, and not an error', () => {
    const unseen = Object.fromEntries(Object.entries(files('    v: "${node.facts.memory.bytes}"\n')).filter(([path]) => !path.startsWith('inventory/')))
    const { plan } = compiled(unseen)
    expect(stepOf(plan, 'd/r@n1').attributes).toBeNull()
    expect(plan.missing).toContainEqual({ what: 'attributes', for: 'step/d/r@n1', because: 'they hang on facts of a machine that has not been seen yet' })
  })
})

describe('wants', () => {
  const site = (roles: string, bound: string, more: Texts = {}) => ({ 'n.yaml': NODES, ...SEEN, ...barclamp(`attributes: { type: object, properties: { port: { type: integer, default: 80 } } }\nroles:\n${roles}`), ...deployment(`roles:\n${bound}`), ...more })
  const wants = (files: Texts, id: string) => documentOf(compiled(files).plan, id)['wants']
  const SERVER = '  s: { provides: { address: { type: string, value: "${node.address(\'admin\')}" }, url: { type: string, value: "http://${node.name}:${attributes.port}" }, token: { type: string, sensitive: true } } }\n'

  test('a value known at compile time asks for no order; one that a step reports does', () => {
    const files = site(`${SERVER}  c: { wants: { u: { from: s, provide: url }, t: { from: s, provide: token } } }\n`, '  s: { nodes: [n1] }\n  c: { nodes: [n2] }\n')
    expect(wants(files, 'd/c@n2')).toEqual({ u: 'http://n1:80', t: { deferred: { type: 'string', expression: '${wants.t}', scope: {}, inputs: { 'wants.t': { step: 'd/s@n1', provide: 'token' } }, sensitive: true } } })
    expect(stepOf(compiled(files).plan, 'd/c@n2').needs).toEqual([
      { step: 'd/s@n1', kind: 'data', at: 'barclamps/b/barclamp.yaml:7:50' },
      { step: 'install@n2', kind: 'lifecycle', at: 'd.yaml:5:16' },
    ])
    const only = site(`${SERVER}  c: { wants: { u: { from: s, provide: url } } }\n`, '  s: { nodes: [n1] }\n  c: { nodes: [n2] }\n')
    expect(stepOf(compiled(only).plan, 'd/c@n2').needs.map((need) => need.step)).toEqual(['install@n2'])
  })

  test('many is a list by index, founder is the first, and one of several is ambiguous', () => {
    const roles = (want: string) => `${SERVER}  c: { wants: { w: { from: s, provide: address${want} } } }\n`
    const bound = '  s: { nodes: [n3, n1] }\n  c: { nodes: [n2] }\n'
    expect(wants(site(roles(', many: true'), bound), 'd/c@n2')).toEqual({ w: ['10.0.0.52', '10.0.0.50'] })
    expect(wants(site(roles(', only: founder'), bound), 'd/c@n2')).toEqual({ w: '10.0.0.52' })
    expect(codes(compileTexts(site(roles(''), bound)))).toEqual(['WANT_AMBIGUOUS barclamps/b/barclamp.yaml:7:20'])
  })

  test('nobody who provides is an error, unless that is allowed', () => {
    expect(codes(compileTexts(site(`${SERVER}  c: { wants: { w: { from: s, provide: url } } }\n`, '  c: { nodes: [n2] }\n')))).toEqual(['WANT_UNMET barclamps/b/barclamp.yaml:7:20'])
    const elsewhere = site(`${SERVER}  c: { wants: { w: { from: s, provide: url } } }\n`, '  c: { nodes: [n2] }\n', { 'e.yaml': 'kind: deployment\nname: e\nroles: { s: { nodes: [n1] } }\n' })
    expect(compileTexts(elsewhere).diagnostics[0]).toMatchObject({ code: 'WANT_UNMET', fix: 's is bound in e: say `after: [e]` in the deployment d, or `deployment: e` in the want.' })
    expect(wants(site(`${SERVER}  c: { wants: { w: { from: s, provide: url, optional: true } } }\n`, '  c: { nodes: [n2] }\n'), 'd/c@n2')).toEqual({ w: null })
    expect(codes(compileTexts(site(`${SERVER}  c: { wants: { w: { from: s, provide: ulr } } }\n`, '  c: { nodes: [n2] }\n')))).toEqual(['REFERENCE_UNKNOWN barclamps/b/barclamp.yaml:7:40'])
    expect(codes(compileTexts(site(`${SERVER}  c: { wants: { w: { from: s } } }\n`, '  s: { nodes: [n1] }\n  c: { nodes: [n2] }\n')))).toEqual(['WANT_INVALID barclamps/b/barclamp.yaml:7:20'])
  })

  test('a role that somebody else runs provides by value', () => {
    const files = site(`${SERVER}  c: { wants: { w: { from: s, provide: address, many: true }, one: { from: s, provide: address } } }\n`, '  s: { external: { addresses: [192.0.2.1, 192.0.2.2] } }\n  c: { nodes: [n2] }\n')
    expect(wants(files, 'd/c@n2')).toEqual({ w: ['192.0.2.1', '192.0.2.2'], one: '192.0.2.1' })
    expect(compiled(files).plan.steps.some((step) => step.role === 's')).toBe(false)
  })

  test('what only a step of ours would tell is nothing of a role that somebody else runs, where the want is optional', () => {
    const files = site(`${SERVER}  c: { wants: { w: { from: s, provide: token, many: true, optional: true }, one: { from: s, provide: token, optional: true } } }\n`, '  s: { external: { addresses: [192.0.2.1] } }\n  c: { nodes: [n2] }\n')
    expect(wants(files, 'd/c@n2')).toEqual({ w: [], one: null })
    const asked = site(`${SERVER}  c: { wants: { one: { from: s, provide: token } } }\n`, '  s: { external: { addresses: [192.0.2.1] } }\n  c: { nodes: [n2] }\n')
    expect(codes(compileTexts(asked))).toMatchObject([expect.stringContaining('WANT_UNMET')])
  })

  test('what an attribute makes of a deferred value is deferred and sensitive, with what it reads', () => {
    const files = { ...site(`${SERVER}  c: { wants: { t: { from: s, provide: token } } }\n`, '  s: { nodes: [n1], attributes: { b: { port: 81 } } }\n  c: { nodes: [n2], attributes: { b: { line: "${node.name}:${wants.t}:${attributes.port}", again: "${attributes.line}!" } } }\n') }
    const inner = { deferred: { type: 'string', expression: '${node.name}:${wants.t}:${attributes.port}', scope: { node: { name: 'n2' }, attributes: { port: 80 } }, inputs: { 'wants.t': { step: 'd/s@n1', provide: 'token' } }, sensitive: true } }
    expect(documentOf(compiled(files).plan, 'd/c@n2')['b']).toEqual({
      port: 80,
      line: inner,
      again: { deferred: { type: 'string', expression: '${attributes.line}!', scope: { attributes: { line: inner } }, inputs: {}, sensitive: true } },
    })
  })

  test('a deferred value of another type than the schema asks for is an error', () => {
    const files = site('  s: { provides: { n: { type: string } } }\n  c: { wants: { n: { from: s, provide: n } } }\n', '  s: { nodes: [n1] }\n  c: { nodes: [n2], attributes: { b: { port: "${wants.n}" } } }\n')
    expect(codes(compileTexts(files))).toEqual(['ATTRIBUTE_INVALID d.yaml:5:46'])
  })

  test('a provided value of another type than declared is an error in the barclamp', () => {
    const files = site('  s: { provides: { n: { type: string, value: "${attributes.port}" } } }\n  c: { wants: { n: { from: s, provide: n } } }\n', '  s: { nodes: [n1] }\n  c: { nodes: [n2] }\n')
    expect(codes(compileTexts(files))).toEqual(['WANT_TYPE barclamps/b/barclamp.yaml:6:46'])
  })

  test('many run-time values go through one barrier', () => {
    const files = site('  s: { provides: { t: { type: string } } }\n  c: { wants: { t: { from: s, provide: t, many: true } } }\n', '  s: { nodes: [n1, n2] }\n  c: { nodes: [n3] }\n')
    const { plan } = compiled(files)
    expect(stepOf(plan, 'd/c@n3').needs.map((need) => [need.step, need.kind])).toEqual([['barrier/d/s', 'data'], ['install@n3', 'lifecycle']])
    expect(stepOf(plan, 'barrier/d/s').needs.map((need) => need.step)).toEqual(['d/s@n1', 'd/s@n2'])
    expect((wants(files, 'd/c@n3') as { readonly t: readonly Json[] }).t).toHaveLength(2)
  })

  test('another barclamp’s attribute is read where it is, and ambiguity is an error', () => {
    const ntp = barclamp('attributes: { type: object, properties: { servers: { type: array, default: [a] } } }\nroles: { ntp: {} }\n', 'ntp')
    const roles = '  c: { wants: { servers: { attribute: ntp.servers } } }\n'
    expect(wants(site(roles, '  c: { nodes: [n1] }\n', ntp), 'd/c@n1')).toEqual({ servers: ['a'] })
    expect(wants(site(roles, '  c: { nodes: [n1] }\n  ntp: { nodes: [n1], attributes: { ntp: { servers: [b] } } }\n', ntp), 'd/c@n1')).toEqual({ servers: ['b'] })
    const two = { ...ntp, 'e.yaml': 'kind: deployment\nname: e\nroles: { ntp: { nodes: [n2] } }\nattributes: { ntp: { servers: [e] } }\n---\nkind: deployment\nname: f\nroles: { ntp: { nodes: [n3] } }\nattributes: { ntp: { servers: [f] } }\n' }
    expect(codes(compileTexts(site(roles, '  c: { nodes: [n1] }\n', two)))).toEqual(['WANT_AMBIGUOUS barclamps/b/barclamp.yaml:6:26'])
  })

  test('wants look in deployments that come before, nearest first', () => {
    const before = (name: string, node: string, after = '') => `kind: deployment\nname: ${name}\n${after}roles: { s: { nodes: [${node}] } }\n`
    const files = { ...site(`${SERVER}  c: { wants: { u: { from: s, provide: url } } }\n`, '  c: { nodes: [n1] }\n'), 'e.yaml': `${before('near', 'n2', 'after: [far]\n')}---\n${before('far', 'n3')}` }
    files['d.yaml'] = files['d.yaml'].replace('roles:', 'after: [near]\nroles:')
    expect(wants(files, 'd/c@n1')).toEqual({ u: 'http://n2:80' })
  })

  test('two deployments that share a role have to agree about its attributes', () => {
    const files = { ...site('  r: {}\n', '  r: { nodes: [n1] }\n'), 'e.yaml': 'kind: deployment\nname: e\nroles: { r: { nodes: [n1] } }\nattributes: { b: { port: 9 } }\n' }
    expect(codes(compileTexts(files))).toEqual(['ATTRIBUTE_DIFFERS e.yaml:3:23'])
  })
})

test('a mistake that many nodes share is told once', () => {
  const files = { 'n.yaml': 'kind: nodes\nname: "n[01-40]"\nos: debian-12\nmachine: { where: "true" }\n', ...barclamp('attributes: { type: object }\nroles: { r: { os: [rhel] }, s: {} }\n') }
  expect(codes(compileTexts({ ...files, ...deployment('roles: { s: { nodes: ["n[01-40]"] } }\nattributes: { b: { v: "${node.address(\'x\')}" } }\n') }))).toEqual(['EXPRESSION_FAILED d.yaml:4:26'])
  expect(codes(compileTexts({ ...files, ...deployment('roles: { r: { nodes: ["n[01-40]"] } }\n') }))).toEqual(['ROLE_OS d.yaml:3:23'])
  expect(codes(compileTexts({ ...files, 'n.yaml': 'kind: nodes\nname: "n[01-40]"\nos: debian-12\n' }))).toHaveLength(1)
})

test('what hangs on a mistake is not complained about again', () => {
  const files = { 'n.yaml': NODES, ...barclamp('roles:\n  x: { wants: { y: { from: y, provide: u } }, provides: { u: { type: string, value: "${wants.y}x" } } }\n  y: { wants: { x: { from: x, provide: u } }, provides: { u: { type: string, value: "${wants.x}y" } } }\n') }
  const circle = compileTexts({ ...files, ...deployment('roles: { x: { nodes: [n1] }, y: { nodes: [n2] } }\n') })
  expect(codes(circle)).toEqual(['ATTRIBUTE_CYCLE barclamps/b/barclamp.yaml:5:20'])
  expect(circle.diagnostics[0]?.related.map(({ message, range }) => `${message} ${range.start.line}`)).toEqual(['u of y 6', 'wants.x of y 6', 'u of x 5'])
})

test('a want that the role does not have is an error, with a suggestion', () => {
  const files = { 'n.yaml': NODES, ...barclamp('attributes: { type: object }\nroles:\n  x: { wants: { token: { from: x, provide: t, many: true } }, provides: { t: { type: string, value: a } } }\n') }
  const result = compileTexts({ ...files, ...deployment('roles: { x: { nodes: [n1] } }\nattributes: { b: { v: "${wants.tokn}" } }\n') })
  expect(codes(result)).toEqual(['EXPRESSION_INVALID d.yaml:4:26'])
  expect(compileTexts({ ...files, ...deployment('roles: { x: { nodes: [n1] } }\nattributes: { b: { v: "${has(wants.tokn) ? wants.tokn : 0}" } }\n') }).diagnostics).toEqual([])
  expect(result.diagnostics[0]).toMatchObject({ summary: 'The role x wants nothing called tokn.', fix: 'Did you mean token?' })
})
