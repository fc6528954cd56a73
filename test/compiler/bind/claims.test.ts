import { describe, expect, test } from 'vitest'
import { codes, compileTexts, compiled, lacks, lockFile, machine } from '../compiling.ts'

const PINNED = 'kind: node\nname: a\nos: debian-12\nmachine: { mac: "52:54:00:00:00:0A" }\n'
const ANY = (name: string) => `kind: node\nname: ${name}\nos: debian-12\nmachine: { where: "machine.memory.bytes > 1" }\n`

describe('claims', () => {
  test('a pin names its machine, whatever the case of the MAC', () => {
    const { plan, lock } = compiled({ 'a.yaml': PINNED, ...machine('m1', { macs: ['52:54:00:00:00:0b'] }), ...machine('m2', { macs: ['52:54:00:00:00:0a'] }) })
    expect(plan.nodes['a']?.machine).toBe('m2')
    expect(lock.claims).toEqual({ a: 'm2' })
    expect(plan.nodes['a']?.selector).toBe('mac 52:54:00:00:00:0a')
    expect(lacks(plan)).toEqual([])
  })

  test('a machine that has not been seen is missing, and not an error', () => {
    const { plan, lock } = compiled({ 'a.yaml': PINNED })
    expect(lacks(plan)).toEqual([{ what: 'machine', for: 'node/a', because: 'no machine with mac 52:54:00:00:00:0a has been seen' }])
    expect(plan.complete).toBe(false)
    expect(plan.nodes['a']?.machine).toBeNull()
    expect(lock.claims).toEqual({})
  })

  test('a condition takes the free machine with the lowest id, and leaves pinned ones alone', () => {
    const { plan } = compiled({ 'a.yaml': PINNED, 'b.yaml': ANY('b'), ...machine('m1', { macs: ['52:54:00:00:00:0a'] }), ...machine('m3'), ...machine('m2') })
    expect([plan.nodes['a']?.machine, plan.nodes['b']?.machine]).toEqual(['m1', 'm2'])
  })

  test('the nodes of one document take machines in order of name', () => {
    const { plan } = compiled({ 'n.yaml': 'kind: nodes\nname: "n[1-3]"\nos: debian-12\nmachine: { where: "true" }\n', ...machine('m2'), ...machine('m1') })
    expect(['n1', 'n2', 'n3'].map((name) => plan.nodes[name]?.machine)).toEqual(['m1', 'm2', null])
  })

  test('two documents that can claim one machine are an error at both', () => {
    const result = compileTexts({ 'b.yaml': ANY('b'), 'c.yaml': ANY('c'), ...machine('m1') })
    expect(codes(result)).toEqual(['CLAIM_AMBIGUOUS c.yaml:4:10'])
    expect(result.diagnostics[0]?.related[0]?.range).toMatchObject({ path: 'b.yaml', start: { line: 4, column: 10 } })
  })

  test('two nodes with one MAC are an error at both, also before the machine is seen', () => {
    const result = compileTexts({ 'a.yaml': PINNED, 'b.yaml': 'kind: node\nname: b\nos: debian-12\nmachine: { mac: "52:54:00:00:00:0a" }\n' })
    expect(codes(result)).toEqual(['MAC_CONFLICT b.yaml:4:17'])
    expect(result.diagnostics[0]?.related[0]?.range.path).toBe('a.yaml')
  })

  test('a node that could claim anything is refused', () => {
    expect(codes(compileTexts({ 'a.yaml': 'kind: node\nname: a\nos: debian-12\n' }))).toEqual(['CLAIM_UNBOUNDED a.yaml:2:7'])
    expect(codes(compileTexts({ 'a.yaml': 'kind: node\nname: a\nos: debian-12\nmachine: {}\n' }))).toEqual(['CLAIM_UNBOUNDED a.yaml:4:10'])
  })

  test('the lock keeps a claim when a lower machine appears and when facts stop matching, with a warning', () => {
    const site = { 'b.yaml': 'kind: node\nname: b\nos: debian-12\nmachine: { where: "machine.memory.bytes > 1073741823" }\n' }
    const first = compiled({ ...site, ...machine('m5') })
    expect(first.lockChanged).toBe(true)
    const again = compiled({ ...site, ...lockFile(first.lock), ...machine('m1'), ...machine('m5') })
    expect(again.plan.nodes['b']?.machine).toBe('m5')
    expect(again.lockChanged).toBe(false)
    const shrunk = compiled({ ...site, ...lockFile(first.lock), ...machine('m1'), ...machine('m5', { memory: 5 }) })
    expect(shrunk.plan.nodes['b']?.machine).toBe('m5')
    expect(codes(shrunk)).toEqual(['CLAIM_STALE b.yaml:4:10'])
  })

  test('a node that is pinned to another machine keeps the one that it has until that is seen, and waits for it', () => {
    const pinned = (serial: string) => ({ 'b.yaml': `kind: node\nname: b\nos: debian-12\nmachine: { serial: ${serial} }\n` })
    const first = compiled({ ...pinned('serial-m1'), ...machine('m1') })
    expect(lacks(first.plan)).toEqual([])
    const waiting = compiled({ ...pinned('serial-m2'), ...lockFile(first.lock), ...machine('m1') })
    expect([waiting.plan.nodes['b']?.machine, codes(waiting), lacks(waiting.plan)]).toEqual(['m1', ['CLAIM_STALE b.yaml:4:10'], [{ what: 'machine', for: 'node/b', because: 'no machine with serial serial-m2 has been seen, and until one is it keeps m1' }]])
    const there = compiled({ ...pinned('serial-m2'), ...lockFile(waiting.lock), ...machine('m1'), ...machine('m2') })
    expect([there.plan.nodes['b']?.machine, codes(there), lacks(there.plan)]).toEqual(['m2', [], []])
  })

  test('a retired machine is never claimed and lets its node go', () => {
    const site = { 'b.yaml': ANY('b') }
    const { lock } = compiled({ ...site, ...machine('m1') })
    const retired = { 'dead.yaml': 'kind: machine\nserial: serial-m1\nstate: retired\n' }
    const after = compiled({ ...site, ...retired, ...lockFile(lock), ...machine('m1'), ...machine('m2') })
    expect([after.plan.nodes['b']?.machine, codes(after), after.diagnostics[0]?.related[0]?.range.path]).toEqual(['m2', ['MACHINE_RETIRED b.yaml:4:10'], 'dead.yaml'])
  })

  test('a node that is pinned to a retired machine has none, and is told why', () => {
    const found = compiled({ 'a.yaml': PINNED, 'dead.yaml': 'kind: machine\nserial: serial-m1\nstate: retired\n', ...machine('m1', { macs: ['52:54:00:00:00:0a'] }) })
    expect([found.plan.nodes['a']?.machine, codes(found)]).toEqual([null, ['MACHINE_RETIRED a.yaml:4:10']])
    expect(found.plan.missing[0]?.because).toBe('machine m1, which it is pinned to, is retired')
  })

  test('two lock lines with one machine are a conflict at both', () => {
    const { lock } = compiled({ 'n.yaml': 'kind: nodes\nname: "n[1-2]"\nos: debian-12\nmachine: { where: "true" }\n', ...machine('m1') })
    const result = compileTexts({ 'n.yaml': 'kind: nodes\nname: "n[1-2]"\nos: debian-12\nmachine: { where: "true" }\n', ...lockFile({ ...lock, claims: { n1: 'm1', n2: 'm1' } }), ...machine('m1') })
    expect(codes(result)).toContain('LOCK_CONFLICT site.lock.json:6:11')
    expect(result.diagnostics.find((found) => found.code === 'LOCK_CONFLICT')?.related[0]?.range.start.line).toBe(5)
  })

  test('a typo in a condition is an error with a caret inside the string', () => {
    const result = compileTexts({ 'b.yaml': 'kind: node\nname: b\nos: debian-12\nmachine: { where: "machine.memry.bytes > 1" }\n' })
    expect(codes(result)).toEqual(['EXPRESSION_INVALID b.yaml:4:28'])
    expect(result.diagnostics[0]?.fix).toBe('Did you mean memory?')
  })

  test('tags of machine documents and of rules can be claimed by', () => {
    const files = { 'b.yaml': 'kind: node\nname: b\nos: debian-12\nmachine: { tags: [big, spare] }\n', 'r.yaml': 'kind: rule\nname: r\nwhen: machine.memory.bytes > 1\nset: { tags: [big] }\n---\nkind: machine\nserial: serial-m2\ntags: [spare]\n' }
    expect(compiled({ ...files, ...machine('m1'), ...machine('m2') }).plan.nodes['b']?.machine).toBe('m2')
  })
})
