import { readFileSync } from 'node:fs'
import { describe, expect, it } from 'vitest'
import { readLedger, writeLedger } from '../../schemas/ledger-tree.ts'
import type { LedgerProblem } from '../../schemas/ledger-tree.ts'
import { EMPTY_LEDGER } from '../../schemas/ledger.ts'
import type { Plan } from '../../schemas/plan.ts'
import { applied, disk, machine, wasSent, folded, stepOf } from '../builders/ledger.ts'
import { buildPlan } from '../builders/plan.ts'

const plan = buildPlan({ nodes: { db1: {}, db2: {} }, roles: [{ role: 'database', on: ['db1', 'db2'], attributes: { port: 3306 }, wants: { peers: ['10.20.0.20'] }, cluster: true }] })
const ledger = applied(plan, { machines: [machine('m-db1', [disk('d0')]), machine('m-db2', [disk('d0', 'gpt: ext4 /')])] })

const problemsOf = (files: ReadonlyMap<string, string>): readonly Pick<LedgerProblem, 'code' | 'path'>[] => {
  const read = readLedger(files)
  return read.ok ? [] : read.problems.map(({ code, path }) => ({ code, path }))
}

describe('the files of a ledger', () => {
  it('are one per node, machine and value, roles and run', () => {
    const paths = [...writeLedger(ledger).keys()].map((path) => path.replace(/[0-9a-f]{64}/, '<hex>'))
    expect([...new Set(paths)].toSorted()).toStrictEqual(['nodes/_admin.json', 'nodes/db1.json', 'nodes/db2.json', 'machines/m-db1.json', 'machines/m-db2.json', 'content/<hex>.json', 'values/<hex>.json', 'roles.json', 'run.json'].toSorted())
  })

  it('give the same ledger back', () => {
    const read = readLedger(writeLedger(ledger))
    expect(read).toStrictEqual({ ok: true, ledger })
    const half = folded(ledger, [wasSent(stepOf(plan, 'install@db1'), plan)])
    const again = readLedger(writeLedger(half))
    expect(again.ok && again.ledger.nodes).toStrictEqual(half.nodes)
    expect(readLedger(writeLedger(EMPTY_LEDGER))).toStrictEqual({ ok: true, ledger: EMPTY_LEDGER })
  })

  it('say what is protected', () => {
    const shielded = applied(buildPlan({ nodes: { db1: { protect: true, at: 'db1.yaml:3:1' }, db2: {} }, roles: [] }))
    expect(shielded.nodes['db1']?.protect).toBe('db1.yaml:3:1')
    const again = readLedger(writeLedger(shielded))
    expect(again.ok && again.ledger.nodes).toStrictEqual(shielded.nodes)
  })

  it('are the same bytes whatever the order of keys in memory', () => {
    const reversed = { ...ledger, nodes: Object.fromEntries(Object.entries(ledger.nodes).toReversed()) }
    expect([...writeLedger(reversed)]).toStrictEqual([...writeLedger(ledger)])
  })

  it('have one step a line, so that git shows which one changed', () => {
    const other = applied(buildPlan({ nodes: { db1: {}, db2: {} }, roles: [{ role: 'database', on: ['db1', 'db2'], attributes: { port: 3307 }, cluster: true }] }), { onto: ledger })
    const before = writeLedger(ledger).get('nodes/db1.json')?.split('\n') ?? []
    const after = writeLedger(other).get('nodes/db1.json')?.split('\n') ?? []
    expect(after.filter((line) => !before.includes(line)).map((line) => line.slice(0, line.indexOf(':')))).toStrictEqual(['"base/database@db1"'])
  })

  it('keep values and listings that entries refer to and drop all others', () => {
    const entry = ledger.nodes['db1']?.steps['base/database@db1']
    const files = writeLedger({ ...ledger, values: { ...ledger.values, [`sha256:${'0'.repeat(64)}`]: 'nobody needs it' } })
    expect(files.has(`values/${entry?.step.attributes?.slice(7)}.json`)).toBe(true)
    expect(files.has(`content/${entry?.step.content?.slice(7)}.json`)).toBe(true)
    expect(files.has(`values/${'0'.repeat(64)}.json`)).toBe(false)
  })

  it('leave files alone that are somebody else’s', () => {
    const files = writeLedger(ledger).set('content/abc', 'x').set('README.md', '#').set('nodes/sub/x.json', '{')
    expect(readLedger(files)).toStrictEqual({ ok: true, ledger })
  })
})

describe('a ledger is refused whole', () => {
  it('when a later Crowbar wrote a file', () => {
    const files = writeLedger(ledger)
    files.set('nodes/db1.json', (files.get('nodes/db1.json') ?? '').replace(/"version":1}\n$/, '"version":2,"more":true}\n'))
    files.set('run.json', '{"version":3}')
    expect(problemsOf(files)).toStrictEqual([
      { code: 'NEWER', path: 'nodes/db1.json' },
      { code: 'NEWER', path: 'run.json' },
    ])
  })

  it('when a value is not what its name says', () => {
    const files = writeLedger(ledger)
    const path = [...files.keys()].find((one) => one.startsWith('values/')) ?? ''
    files.set(path, '{"port":1}\n')
    expect(problemsOf(files)).toStrictEqual([{ code: 'DIGEST', path }])
  })

  it('when a listing is none', () => {
    const files = writeLedger(ledger)
    const path = [...files.keys()].find((one) => one.startsWith('content/')) ?? ''
    files.set(path, '{"run.sh":{"sha256":7}}\n')
    expect(problemsOf(files)).toStrictEqual([{ code: 'SHAPE', path }])
  })

  it('when a file is not JSON, misses a field, or is about another node', () => {
    const files = writeLedger(ledger)
    files.set('machines/m-db1.json', '<<<<<<< ours')
    files.set('nodes/db3.json', files.get('nodes/db1.json') ?? '')
    files.set('run.json', '{"version":1}')
    expect(problemsOf(files)).toStrictEqual([
      { code: 'NOT_JSON', path: 'machines/m-db1.json' },
      { code: 'NAME', path: 'nodes/db3.json' },
      { code: 'SHAPE', path: 'run.json' },
    ])
  })
})

describe('the ledger of a compiled plan', () => {
  it('comes back as it was', () => {
    const compiled = JSON.parse(readFileSync(new URL('../../site-examples/first-light/golden/plan-with-machines.json', import.meta.url), 'utf8')) as Plan
    const done = applied(compiled)
    expect(readLedger(writeLedger(done))).toStrictEqual({ ok: true, ledger: done })
  })
})
