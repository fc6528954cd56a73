import { describe, expect, test } from 'vitest'
import { codes, compileTexts, compiled, documentOf, lacks, lockFile, machine } from '../compiling.ts'

const barclamp = (roles: string) => ({ 'barclamps/b/barclamp.yaml': `kind: barclamp\nname: b\nversion: 1.0.0\nroles:\n${roles}` })
const NODES = 'kind: nodes\nname: "n[1-4]"\nos: debian-12\nmachine: { where: "true" }\n'
const deployment = (roles: string, name = 'd', after = '') => `kind: deployment\nname: ${name}\n${after}roles:\n${roles}`

describe('bindings', () => {
  test('names, ranges and conditions bind; who was bound keeps the index, and an index is never given again', () => {
    const files = { ...barclamp('  r: {}\n'), 'n.yaml': NODES }
    const first = compiled({ ...files, 'd.yaml': deployment('  r: { nodes: ["n[2-3]"] }\n') })
    expect(first.plan.roles['d/r']).toMatchObject({ members: [{ node: 'n2', index: 0 }, { node: 'n3', index: 1 }], founder: 'n2' })
    const second = compiled({ ...files, 'd.yaml': deployment('  r: { nodes: [n3, n1] }\n'), ...lockFile(first.lock) })
    expect(second.plan.roles['d/r']).toMatchObject({ members: [{ node: 'n3', index: 1 }, { node: 'n1', index: 2 }], founder: 'n3' })
    const third = compiled({ ...files, 'd.yaml': deployment('  r: { nodes: ["n[1-3]"] }\n'), ...lockFile(second.lock) })
    expect(third.plan.roles['d/r']?.members).toEqual([{ node: 'n3', index: 1 }, { node: 'n1', index: 2 }, { node: 'n2', index: 3 }])
    expect(third.plan.roles['d/r']?.founder).toBe('n3')
  })

  test('a role that comes along by itself has its members in the order of nodes, whatever order the document has', () => {
    const roles = ['  a: { nodes: [n4, n2] }\n', '  z: { nodes: [n1, n2, n3] }\n']
    for (const order of [roles, roles.toReversed()]) {
      const { plan } = compiled({ ...barclamp('  a: { requires: [base] }\n  z: { requires: [base] }\n  base: { flags: [implicit], requires: [under] }\n  under: { flags: [implicit] }\n'), 'n.yaml': NODES, 'd.yaml': deployment(order.join('')) })
      for (const role of ['d/base', 'd/under']) expect(plan.roles[role]).toMatchObject({ members: ['n1', 'n2', 'n3', 'n4'].map((node, index) => ({ node, index })), founder: 'n1' })
    }
  })

  test('a range with many nodes that are not there is one mistake', () => {
    const result = compileTexts({ ...barclamp('  r: {}\n'), 'n.yaml': NODES, 'd.yaml': deployment('  r: { nodes: ["n[1-2000]", m1] }\n') })
    expect(codes(result)).toEqual(['REFERENCE_UNKNOWN d.yaml:4:16', 'REFERENCE_UNKNOWN d.yaml:4:29'])
    expect(result.diagnostics.map(({ summary, fix }) => [summary, fix])).toEqual([['There are no nodes n[5-2000].', 'Name nodes that are there, or add these.'], ['There is no node m1.', 'Did you mean n1?']])
  })

  test('a role that goes and comes back starts behind the indexes that it had', () => {
    const files = { ...barclamp('  r: {}\n  s: {}\n'), 'n.yaml': NODES }
    const first = compiled({ ...files, 'd.yaml': deployment('  r: { nodes: [n1] }\n  s: { nodes: [n1] }\n') })
    const without = compiled({ ...files, 'd.yaml': deployment('  s: { nodes: [n1] }\n'), ...lockFile(first.lock) })
    const back = compiled({ ...files, 'd.yaml': deployment('  r: { nodes: [n1] }\n  s: { nodes: [n1] }\n'), ...lockFile(without.lock) })
    expect(back.plan.roles['d/r']?.members).toEqual([{ node: 'n1', index: 1 }])
  })

  test('a node that no longer matches stays bound, with a warning', () => {
    const files = { ...barclamp('  r: {}\n'), 'd.yaml': deployment('  r: { where: "\'t\' in node.tags" }\n') }
    const first = compiled({ ...files, 'n.yaml': `${NODES}tags: [t]\n` })
    expect(first.plan.roles['d/r']?.members.length).toBe(4)
    const second = compiled({ ...files, 'n.yaml': `${NODES}---\nkind: node\nname: n2\ntags: [t]\n`, ...lockFile(first.lock) })
    expect(second.plan.roles['d/r']?.members.length).toBe(4)
    expect(codes(second)).toEqual(Array.from({ length: 3 }, () => 'BINDING_STALE d.yaml:4:15'))
    expect(second.diagnostics.map((found) => found.summary)).toContain('n1 stays bound to d/r, although it no longer matches.')
  })

  test('of more nodes that match than there may be the first by name are bound, and stay when others come before them', () => {
    const files = { ...barclamp('  r: {}\n'), 'd.yaml': deployment('  r: { where: "\'t\' in node.tags", count: { min: 1, max: 2 } }\n') }
    const first = compiled({ ...files, 'n.yaml': `${NODES}tags: [t]\n` })
    expect(first.plan.roles['d/r']?.members.map(({ node }) => node)).toEqual(['n1', 'n2'])
    const second = compiled({ ...files, 'n.yaml': `${NODES}tags: [t]\n---\nkind: node\nname: a1\nos: debian-12\nmachine: { serial: s }\ntags: [t]\n`, ...lockFile(first.lock) })
    expect(second.plan.roles['d/r']?.members.map(({ node }) => node)).toEqual(['n1', 'n2'])
    const fewer = compileTexts({ ...files, 'd.yaml': (files['d.yaml']).replace('max: 2', 'max: 1'), 'n.yaml': `${NODES}tags: [t]\n`, ...lockFile(first.lock) })
    expect([codes(fewer), fewer.diagnostics[0]?.fix]).toEqual([['ROLE_COUNT d.yaml:4:3'], '`crowbar lock --rebind d/r` lets the last ones leave.'])
    const none = compiled({ ...files, 'n.yaml': NODES })
    expect(codes(none)).toEqual(['ROLE_COUNT d.yaml:4:3'])
    expect(none.plan.missing).toContainEqual({ what: 'members', for: 'role/d/r', because: 'd/r is bound to 0 nodes, and needs 1' })
  })

  test('who stays bound by a condition over facts is not stale because its machine is not seen any more', () => {
    const files = { ...barclamp('  r: {}\n'), 'd.yaml': deployment('  r: { where: node.facts.memory.bytes > 5 }\n'), 'n.yaml': NODES }
    const { lock } = compiled({ ...files, ...machine('m1') })
    const lost = compiled({ ...files, ...lockFile(lock) })
    expect([lost.plan.roles['d/r']?.members, codes(lost)]).toEqual([[{ node: 'n1', index: 0 }], []])
  })

  test('a condition over facts waits until the machine is seen', () => {
    const files = { ...barclamp('  r: {}\n'), 'd.yaml': deployment('  r: { where: node.facts.memory.bytes > 5 }\n'), 'n.yaml': NODES }
    expect(compiled({ ...files, ...machine('m1') }).plan.roles['d/r']?.members).toEqual([{ node: 'n1', index: 0 }])
  })

  test('an implicit role comes along to the same node, and its own requirements too', () => {
    const files = { ...barclamp('  r: { requires: [i] }\n  i: { flags: [implicit], requires: [j] }\n  j: { flags: [implicit] }\n'), 'n.yaml': NODES }
    const { plan } = compiled({ ...files, 'd.yaml': deployment('  r: { nodes: [n1] }\n') })
    expect(plan.steps.filter((step) => step.kind === 'role').map((step) => step.id)).toEqual(['d/j@n1', 'd/i@n1', 'd/r@n1'])
  })

  test('a second deployment shares a role that a node has already', () => {
    const files = { ...barclamp('  r: { requires: [i] }\n  i: {}\n'), 'n.yaml': NODES }
    const { plan } = compiled({ ...files, 'd.yaml': `${deployment('  i: { nodes: [n1] }\n', 'base')}---\n${deployment('  i: { nodes: [n1] }\n  r: { nodes: [n1] }\n', 'late')}` })
    expect(plan.steps.filter((step) => step.kind === 'role').map((step) => step.id)).toEqual(['base/i@n1', 'late/r@n1'])
    expect(plan.steps.find((step) => step.id === 'late/r@n1')?.needs.map((need) => need.step)).toContain('base/i@n1')
  })

  test('what excludes each other, does not run there, or is bound too often or nowhere is an error with a place', () => {
    const files = { 'n.yaml': NODES }
    expect(codes(compileTexts({ ...files, ...barclamp('  r: { conflicts: [s] }\n  s: {}\n'), 'd.yaml': deployment('  r: { nodes: [n1] }\n  s: { nodes: [n1] }\n') }))).toEqual(['ROLE_CONFLICT d.yaml:4:16'])
    expect(codes(compileTexts({ ...files, ...barclamp('  r: { os: [rhel] }\n'), 'd.yaml': deployment('  r: { nodes: [n1] }\n') }))).toEqual(['ROLE_OS d.yaml:4:16'])
    expect(codes(compileTexts({ ...files, ...barclamp('  r: { count: { max: 1 } }\n'), 'd.yaml': deployment('  r: { nodes: [n1, n2] }\n') }))).toEqual(['ROLE_COUNT d.yaml:4:3'])
    expect(codes(compileTexts({ ...files, ...barclamp('  r: { count: { odd: true } }\n'), 'd.yaml': deployment('  r: { nodes: [n1, n2] }\n') }))).toEqual(['ROLE_COUNT d.yaml:4:3'])
    const advised = (nodes: string) => compileTexts({ ...files, ...barclamp('  r: { count: { odd: advise } }\n'), 'd.yaml': deployment(`  r: { nodes: [${nodes}] }\n`) }).diagnostics.map(({ code, severity }) => `${severity} ${code}`)
    expect([advised('n1, n2'), advised('n1, n2, n3'), advised('n1')]).toEqual([['warning ROLE_COUNT'], [], []])
    expect(codes(compileTexts({ ...files, ...barclamp('  r: {}\n'), 'd.yaml': deployment('  r: {}\n') }))).toEqual(['ROLE_COUNT d.yaml:4:3'])
    expect(codes(compileTexts({ ...files, ...barclamp('  r: { requires: [s] }\n  s: {}\n'), 'd.yaml': deployment('  r: { nodes: [n1] }\n') }))).toEqual(['REQUIREMENT_UNMET d.yaml:4:16'])
  })

  test('fewer nodes than a role needs are missing when a condition may still bring more', () => {
    const { plan } = compiled({ ...barclamp('  r: { count: { min: 9 } }\n'), 'n.yaml': NODES, 'd.yaml': deployment('  r: { where: "true" }\n') })
    expect(lacks(plan).at(-1)).toEqual({ what: 'members', for: 'role/d/r', because: 'd/r is bound to 4 nodes, and needs 9' })
    expect(plan.roles['d/r']?.min).toBe(9)
  })
})

describe('roles that act as others', () => {
  const WITH = `  db: { actsAs: [sql], provides: { url: { type: string, value: "\${node.name}" } } }\n  lite: { actsAs: [sql], flags: [implicit], provides: { url: { type: string, value: lite } } }\n  app: { requires: [sql], wants: { url: { from: sql, provide: url } } }\n`
  const bound = (roles: string, more = '') => compileTexts({ ...barclamp(WITH + more), 'n.yaml': NODES, 'd.yaml': deployment(roles) })

  test('are what those who require and want that name get, in the order', () => {
    const result = bound('  db: { nodes: [n1] }\n  app: { nodes: [n1] }\n')
    expect(codes(result)).toEqual([])
    if (result.plan === null) throw new Error('no plan')
    expect(result.plan.steps.filter(({ kind }) => kind === 'role').map(({ id }) => id)).toEqual(['d/db@n1', 'd/app@n1'])
    expect(documentOf(result.plan, 'd/app@n1')['wants']).toEqual({ url: 'n1' })
    expect(result.plan.steps.find(({ id }) => id === 'd/app@n1')?.needs.find(({ step }) => step === 'd/db@n1')?.kind).toBe('requires')
  })

  test('come along when only one of them is implicit, and none is there', () => {
    expect(bound('  app: { nodes: [n1] }\n').plan?.steps.filter(({ kind }) => kind === 'role').map(({ id }) => id)).toEqual(['d/lite@n1', 'd/app@n1'])
    expect(codes(bound('  app: { nodes: [n1] }\n', '  other: { actsAs: [sql], flags: [implicit] }\n'))).toEqual(['REQUIREMENT_UNMET d.yaml:4:18'])
  })

  test('exclude each other on a node, and all of them conflict with what conflicts with the name', () => {
    expect(codes(bound('  db: { nodes: [n1] }\n  lite: { nodes: [n1] }\n'))).toEqual(['ROLE_CONFLICT d.yaml:4:17'])
    expect(codes(bound('  db: { nodes: [n1] }\n  bare: { nodes: [n1] }\n', '  bare: { conflicts: [sql] }\n'))).toEqual(['ROLE_CONFLICT d.yaml:5:19'])
  })

  test('must provide what is wanted of the name, and be one', () => {
    const two = codes(bound('  db: { nodes: [n1] }\n  lite: { nodes: [n2] }\n  app: { nodes: [n1] }\n'))
    expect(two).toEqual(['WANT_AMBIGUOUS barclamps/b/barclamp.yaml:7:41'])
    const bare = bound('  bare: { nodes: [n1] }\n  app: { nodes: [n1] }\n', '  bare: { actsAs: [sql] }\n')
    expect(codes(bare)).toEqual(['WANT_UNMET barclamps/b/barclamp.yaml:7:41'])
  })
})

describe('every violation', () => {
  test('is told, once each: two at one place are two, and a conflict that both declare is one', () => {
    const roles = '  r: { requires: [s, t], conflicts: [u], os: [rhel] }\n  s: {}\n  t: {}\n  u: { conflicts: [r], count: { min: 2, odd: true } }\n'
    const result = compileTexts({ ...barclamp(roles), 'n.yaml': NODES, 'd.yaml': deployment('  r: { nodes: ["n[1-4]"] }\n  u: { nodes: [n1] }\n') })
    expect(codes(result)).toEqual(['REQUIREMENT_UNMET d.yaml:4:16', 'REQUIREMENT_UNMET d.yaml:4:16', 'ROLE_CONFLICT d.yaml:4:16', 'ROLE_OS d.yaml:4:16', 'ROLE_COUNT d.yaml:5:3'])
  })
})

describe('milestones', () => {
  test('are waited for by all who require them, wherever they are', () => {
    const roles = '  work: {}\n  done: { flags: [milestone], requires: [work] }\n  after: { requires: [done] }\n'
    const { plan } = compiled({ ...barclamp(roles), ...machine('m1'), 'n.yaml': NODES, 'd.yaml': deployment('  work: { nodes: [n1] }\n  done: { nodes: [n1] }\n  after: { nodes: [n2] }\n') })
    expect(plan.steps.find(({ id }) => id === 'd/after@n2')?.needs.map(({ step }) => step)).toContain('barrier/d/done')
    expect(plan.steps.find(({ id }) => id === 'barrier/d/done')?.needs.map(({ step }) => step)).toEqual(['d/done@n1'])
  })
})

describe('roles that go somewhere by themselves', () => {
  test('are on admin nodes and on nodes that are installed here, where the deployment names no others', () => {
    const files = { ...barclamp('  b: { flags: [bootstrap] }\n  d: { flags: [discovery] }\n  i: { flags: [bootstrap] }\n'), 'n.yaml': NODES }
    const result = compileTexts({ ...files, 'd.yaml': deployment('  b: {}\n  d: {}\n  i: { nodes: [n1] }\n') })
    const members = (role: string) => result.plan?.roles[`d/${role}`]?.members.map(({ node }) => node)
    expect([members('b'), members('d'), members('i')]).toEqual([['adm'], ['n1', 'n2', 'n3', 'n4'], ['n1']])
  })
})
