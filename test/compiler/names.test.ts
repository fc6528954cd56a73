import { describe, expect, test } from 'vitest'
import { change } from '../../compiler/change/change.ts'
import { ledgerOfPlan } from '../../compiler/change/ledger-of-plan.ts'
import { diffText } from '../../compiler/print/diff-text.ts'
import { planText } from '../../compiler/print/plan-text.ts'
import { EMPTY_LEDGER } from '../../schemas/ledger.ts'
import { compiled, documentOf, lockFile, machine } from './compiling.ts'

/** Every thing has a name that is also one of every object of JavaScript. */
const NAMED = {
  'n.yaml': `kind: node
name: constructor
os: debian-12
machine: { mac: "52:54:00:00:00:01" }
networks: { constructor: {} }
labels: { constructor: a }
attributes: { constructor: { constructor: { toString: 1 } } }
---
kind: network
name: constructor
subnets: [{ cidr: 10.1.0.0/24, ranges: { host: 10.1.0.10-10.1.0.20, constructor: 10.1.0.30-10.1.0.40 } }]
---
kind: deployment
name: constructor
addresses: { constructor: { network: constructor, range: constructor } }
roles: { constructor: { nodes: [constructor] } }
`,
  'barclamps/constructor/barclamp.yaml': `kind: barclamp
name: constructor
version: 1.0.0
attributes: { type: object }
roles:
  constructor:
    wants: { constructor: { from: constructor, provide: constructor } }
    provides: { constructor: { type: string, value: "\${node.addresses.constructor}" } }
`,
  ...machine('constructor'),
}

describe('names that JavaScript objects have', () => {
  test('are names as any other, with and without a lock', () => {
    const first = compiled(NAMED)
    expect(first.plan.nodes['constructor']).toMatchObject({ machine: 'constructor', addresses: { admin: '10.0.0.50', constructor: '10.1.0.10' }, index: 1 })
    expect(first.lock.addresses['constructor/constructor:constructor']).toBe('10.1.0.30')
    expect(documentOf(first.plan, 'constructor/constructor@constructor')).toMatchObject({ constructor: { constructor: { toString: 1 } }, wants: { constructor: '10.1.0.10' } })
    const again = compiled({ ...NAMED, ...lockFile(first.lock) })
    expect(again.lockChanged).toBe(false)
    expect(planText(again.plan)).toContain('constructor')
  })

  test('are told apart from what every object has when plans are compared', () => {
    const { plan } = compiled(NAMED)
    const without = compiled({})
    const news = change(EMPTY_LEDGER, plan)
    expect(news.changes.map((one) => one.step.id)).toContain('install@constructor')
    expect(diffText(news, plan)).toContain('constructor')
    expect(change(ledgerOfPlan(plan).ledger, plan, ledgerOfPlan(plan).options).changes).toStrictEqual([])
    expect(change(ledgerOfPlan(plan).ledger, without.plan, ledgerOfPlan(plan).options).changes.map((one) => one.step.id)).toContain('release@constructor')
    expect(change(ledgerOfPlan(without.plan).ledger, plan, ledgerOfPlan(without.plan).options).changes.map((one) => one.step.id)).toContain('constructor/constructor@constructor')
  })
})
