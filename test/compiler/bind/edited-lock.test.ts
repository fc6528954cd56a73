import { describe, expect, test } from 'vitest'
import { lockText } from '../../../compiler/allocate/lock-text.ts'
import type { Lock } from '../../../schemas/lock.ts'
import { codes, compiled, compileTexts, lockFile, machine, SITE } from '../compiling.ts'

const FILES = {
  'n.yaml': 'kind: nodes\nname: "n[1-2]"\nos: debian-12\nmachine: { where: "true" }\n---\nkind: deployment\nname: d\nroles: { a: { nodes: ["n[1-2]"] } }\n',
  'barclamps/a/barclamp.yaml': 'kind: barclamp\nname: a\nversion: 1.0.0\nroles: { a: {} }\n',
  ...machine('m1'),
  ...machine('m2', { macs: ['52:54:00:00:00:02'] }),
}
const { lock: LOCK } = compiled(FILES)

function edited(edit: Partial<Lock>): ReturnType<typeof compileTexts> {
  return compileTexts({ ...FILES, ...lockFile({ ...LOCK, ...edit }) })
}

const address = (text: string): Partial<Lock> => ({ addresses: { ...LOCK.addresses, 'admin/n1': text } })
const binding = (edit: Partial<Lock['bindings'][string]>): Partial<Lock> => ({ bindings: { 'd/a': { members: { n1: 0, n2: 1 }, next: 2, founder: 'n1', ...edit } } })

describe('a lock that was edited by hand', () => {
  test('is good as Crowbar wrote it', () => {
    expect(LOCK.bindings).toStrictEqual(binding({}).bindings)
    expect(compiled({ ...FILES, ...lockFile(LOCK) }).lockChanged).toBe(false)
  })

  test.each<[string, Partial<Lock>, string]>([
    ['an address that is none', address('10.0.0'), 'LOCK_INVALID site.lock.json:18:17'],
    ['an address of the other version', address('2001:db8::1'), 'LOCK_INVALID site.lock.json:18:17'],
    ['an address that Crowbar writes in another way', { addresses: { ...LOCK.addresses, 'admin/n1/6': '2001:DB8::1' } }, 'LOCK_INVALID site.lock.json:19:19'],
    ['the gateway', address('10.0.0.1'), 'LOCK_INVALID site.lock.json:18:17'],
    ['the broadcast address', address('10.0.0.255'), 'LOCK_INVALID site.lock.json:18:17'],
    ['an address of the range dhcp', address('10.0.0.20'), 'LOCK_INVALID site.lock.json:18:17'],
    ['a next index that is taken', binding({ next: 1 }), 'LOCK_INVALID site.lock.json:14:61'],
    ['a founder that is no member', binding({ founder: 'n3' }), 'LOCK_INVALID site.lock.json:14:23'],
    ['one index for two nodes', { nodes: { ...LOCK.nodes, n2: { index: 1 } } }, 'LOCK_CONFLICT site.lock.json:11:20'],
  ])('is refused at the line: %s', (_, edit, code) => {
    const result = edited(edit)
    expect(codes(result)).toEqual([code])
    expect(result.diagnostics[0]?.fix).toBeDefined()
  })

  test.each<[string, (text: string) => string, readonly string[]]>([
    ['half of it', (text) => text.slice(0, text.length / 2), ['YAML_INDENT', 'YAML_SYNTAX']],
    ['nothing', () => '', ['LOCK_INVALID']],
    ['another kind', (text) => text.replace('"lock"', '"site"'), ['LOCK_INVALID']],
    ['a field that Crowbar does not know', (text) => text.replace('"version": 1,', '"version": 1, "extra": {},'), ['LOCK_INVALID']],
    ['a section that is gone', (text) => text.replace('"barclamps": {},', ''), ['LOCK_INVALID']],
    ['a list for a map', (text) => text.replace('"barclamps": {}', '"barclamps": []'), ['LOCK_INVALID']],
    ['an entry twice', (text) => text.replace('"claims": {', '"claims": {\n    "n1": "m9",'), ['LOCK_CONFLICT']],
    ['a section twice', (text) => text.replace('"claims": {', '"claims": {}, "claims": {'), ['LOCK_CONFLICT']],
    ['the marks of a merge', (text) => text.replace('    "n1"', '<<<<<<< a\n    "n1"').replace('    "n2"', '=======\n    "n2"').replace('  },', '>>>>>>> b\n  },'), ['LOCK_CONFLICT']],
  ])('is refused with one clear diagnostic: %s', (_, edit, allowed) => {
    const result = compileTexts({ ...FILES, 'site.lock.json': edit(lockText(LOCK)) })
    expect(result.plan).toBeNull()
    expect(result.diagnostics).toHaveLength(1)
    expect(allowed).toContain(result.diagnostics[0]?.code)
    expect(result.diagnostics[0]?.range?.path).toBe('site.lock.json')
    expect(result.diagnostics[0]?.fix).toBeDefined()
  })

  test.each<[string, (text: string) => string]>([
    ['line ends of another system', (text) => text.replaceAll('\n', '\r\n')],
    ['a byte order mark', (text) => `\uFEFF${text}`],
    ['all on one line', (text) => text.replaceAll('\n', ' ')],
    ['another order of lines', (text) => JSON.stringify(Object.fromEntries(Object.entries(JSON.parse(text) as object).toReversed()))],
  ])('says the same with %s', (_, edit) => {
    const same = compiled({ ...FILES, 'site.lock.json': edit(lockText(LOCK)) })
    expect([same.lockChanged, codes(same)]).toEqual([false, []])
  })

  test('may have lines of nodes, machines and networks that are not there', () => {
    const more = { claims: { ...LOCK.claims, gone: 'm9' }, addresses: { ...LOCK.addresses, 'admin/gone': '10.0.0.99', 'gone/n1': '10.9.0.1' }, nodes: { ...LOCK.nodes, gone: { index: 9 } } }
    expect(codes(edited(more))).toEqual([])
  })

  test('lets another address be given where the network moved, and says so', () => {
    const moved = compiled({ ...FILES, ...lockFile(LOCK), 'site.yaml': SITE.replaceAll('10.0.0.', '10.7.0.') })
    expect(codes(moved)).toEqual(['ADDRESS_MOVED n.yaml:2:7', 'ADDRESS_MOVED n.yaml:2:7'])
    expect(moved.diagnostics[0]?.summary).toBe('n1 had 10.0.0.50, which is not in the network admin any more, and gets 10.7.0.50.')
    expect(moved.plan.nodes['n1']?.addresses).toEqual({ admin: '10.7.0.50' })
  })
})
