import { describe, expect, test } from 'vitest'
import { change } from '../../../compiler/change/change.ts'
import { rolloutsOf } from '../../../compiler/change/rollouts.ts'
import type { Changes } from '../../../schemas/changes.ts'
import { EMPTY_LEDGER } from '../../../schemas/ledger.ts'
import type { Plan } from '../../../schemas/plan.ts'
import { applied } from '../../builders/ledger.ts'
import { BARCLAMP, rollingSite } from '../../builders/rolling-site.ts'
import type { RollingSite } from '../../builders/rolling-site.ts'
import { compiled, lockFile } from '../compiling.ts'
import fc from '../../property.ts'

const web = (rollout: string): RollingSite => ({ deployment: `rollout:\n  web: ${rollout}\n` })
const names = (count: number): readonly string[] => Array.from({ length: count }, (_, i) => `w${String(i + 1).padStart(3, '0')}`)
/** Changes of a port on all nodes of a site that was applied. */
function ported(site: RollingSite): { readonly changes: Changes; readonly plan: Plan } {
  const before = compiled(rollingSite(site))
  const { plan } = compiled({ ...rollingSite({ ...site, port: 81 }), ...lockFile(before.lock) })
  return { changes: change(applied(before.plan), plan), plan }
}
const sizes = ({ changes }: { readonly changes: Changes }): readonly number[] => changes.rollouts[0]?.batches.map((batch) => batch.length) ?? []

describe('batches', () => {
  test.each<[string, readonly number[]]>([
    ['{ batches: [1] }', [1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1]],
    ['{ batches: [1, 10%] }', [1, 2, 2, 2, 2, 2]],
    ['{ batches: [1, 10%, 100%] }', [1, 2, 8]],
    ['{ batches: [50%, 2] }', [6, 2, 2, 1]],
    ['{ batches: [40] }', [11]],
    ['{ pause: after-first }', [11]],
  ])('%s of eleven nodes', (rollout, expected) => {
    expect(sizes(ported({ nodes: names(11), ...web(rollout) }))).toEqual(expected)
  })

  test('fifty-three nodes in waves of one, a tenth and the rest', () => {
    expect(sizes(ported({ nodes: names(53), ...web('{ batches: [1, 10%, 100%] }') }))).toEqual([1, 6, 46])
  })

  test('hold nodes with work and no others, by index', () => {
    const site: RollingSite = { ...web('{ batches: [2] }'), unseen: ['w5'] }
    const before = compiled(rollingSite(site))
    const edited: RollingSite = { ...site, node: { w4: 'attributes: { shop: { port: 90 } }\n', w2: 'attributes: { shop: { port: 90 } }\n', w6: 'attributes: { shop: { port: 90 } }\n', w5: 'attributes: { shop: { port: 90 } }\n' } }
    const { plan } = compiled({ ...rollingSite(edited), ...lockFile(before.lock) })
    expect(change(applied(before.plan), plan).rollouts).toMatchObject([{ id: 'rollout/app/web', batches: [['w2', 'w4'], ['w6']], steps: ['app/web@w2', 'app/web@w4', 'app/web@w6'] }])
  })

  test('take nodes from the values of a label in turn', () => {
    expect(ported({ nodes: names(7), ...web('{ batches: [3], spreadBy: rack }') }).changes.rollouts[0]?.batches).toEqual([['w001', 'w002', 'w003'], ['w004', 'w005', 'w006'], ['w007']])
    // One rack has all but two of them.
    const uneven = ported({ nodes: ['w1', 'w2', 'x1', 'x2', 'w3', 'w4'], ...web('{ batches: [2], spreadBy: rack }') })
    expect(rolloutsOf(uneven.changes.changes, { ...uneven.plan, nodes: Object.fromEntries(Object.entries(uneven.plan.nodes).map(([name, node]) => [name, { ...node, labels: { rack: name.startsWith('x') ? 'x' : 'w' } }])) })[0]?.batches).toEqual([['w1', 'x1'], ['w2', 'x2'], ['w3', 'w4']])
  })

  test('whatever the sizes: every node once, in batches of no more than was said, failures rounded down', () => {
    const { changes, plan } = ported({ nodes: names(23), ...web('{ batches: [1] }') })
    const size = fc.oneof(fc.integer({ min: 1, max: 30 }).map(String), fc.integer({ min: 1, max: 100 }).map((share) => `${share}%`))
    fc.assert(fc.property(fc.array(size, { minLength: 1, maxLength: 4 }), size, fc.constantFrom('rack', null), (batches, maxFailures, spreadBy) => {
      const [rollout] = rolloutsOf(changes.changes, { ...plan, rollouts: plan.rollouts.map((one) => ({ ...one, batches, maxFailures, spreadBy })) })
      const exact = (share: string): number => (share.endsWith('%') ? (Number(share.slice(0, -1)) * 23) / 100 : Number(share))
      expect(rollout?.batches.flat().toSorted()).toEqual(names(23))
      for (const [i, batch] of (rollout?.batches ?? []).entries()) {
        const most = Math.ceil(exact(batches[Math.min(i, batches.length - 1)] ?? ''))
        expect(batch.length).toBeGreaterThan(0)
        expect(batch.length).toBeLessThanOrEqual(most)
        if (i < (rollout?.batches.length ?? 0) - 1) expect(batch.length).toBe(most)
      }
      expect(rollout?.maxFailures).toBe(Math.floor(exact(maxFailures)))
    }))
  })
})

describe('a rollout', () => {
  test('of the site governs installs; one of a role its steps; nothing is governed twice', () => {
    const { plan } = compiled(rollingSite({ site: 'rollout: { install: { batches: [2] }, reboot: { batches: [1] } }\n', ...web('{ batches: [3] }'), unseen: ['w6'] }))
    const { rollouts } = change(EMPTY_LEDGER, plan)
    expect(rollouts.map(({ id, batches }) => [id, batches.map((batch) => batch.length)])).toEqual([['rollout/install', [2, 2, 1]], ['rollout/app/web', [3, 2]]])
    const governed = rollouts.flatMap(({ steps }) => steps)
    expect(new Set(governed).size).toBe(governed.length)
    expect(governed.some((step) => step.endsWith('@w6'))).toBe(false)
  })

  test('of reboots and of networks governs what no other does', () => {
    const site: RollingSite = { site: 'rollout: { reboot: { batches: [2] } }\n' }
    const texts = (port: number) => ({ ...rollingSite({ ...site, port }), 'barclamps/shop/barclamp.yaml': BARCLAMP.replace('port: restart', 'port: reboot') })
    const before = compiled(texts(80))
    const { plan } = compiled({ ...texts(81), ...lockFile(before.lock) })
    expect(change(applied(before.plan), plan).rollouts).toMatchObject([{ id: 'rollout/reboot', batches: [['w1', 'w2'], ['w3', 'w4'], ['w5', 'w6']], steps: ['w1', 'w2', 'w3', 'w4', 'w5', 'w6'].map((node) => `app/web@${node}`) }])
  })

  test('does not govern removals', () => {
    const site = web('{ batches: [1] }')
    const before = compiled(rollingSite(site))
    const { plan } = compiled({ ...rollingSite({ ...site, roles: '{ web: { nodes: [w1] }, base: { nodes: ["w[1-6]"] } }' }), ...lockFile({ ...before.lock, bindings: {} }) })
    const { changes, rollouts } = change(applied(before.plan), plan)
    expect(changes.filter(({ step }) => step.action === 'remove')).toHaveLength(5)
    expect(rollouts).toEqual([])
  })

  test('edited runs nothing again', () => {
    const before = compiled(rollingSite(web('{ batches: [1] }')))
    expect(change(applied(before.plan), compiled({ ...rollingSite(web('{ batches: [2], maxFailures: 1, pause: after-each }')), ...lockFile(before.lock) }).plan)).toMatchObject({ changes: [], rollouts: [] })
  })
})

describe('waves and needs', () => {
  test('a node whose step another one needs goes first, whatever its index', () => {
    const barclamp = `kind: barclamp
name: shop
version: 1.0.0
attributes: { type: object, properties: { port: { type: integer, default: 80 } } }
roles:
  web: { jig: script, run: run.sh, onChange: { port: reboot }, wants: { token: { from: base, provide: token } } }
  base: { jig: script, run: run.sh, onChange: { port: reboot }, provides: { token: { type: string } } }
`
    const texts = (port: number) => ({ ...rollingSite({ site: 'rollout: { reboot: { batches: [1] } }\n', roles: '{ web: { nodes: ["w[1-6]"] }, base: { nodes: [w3] } }', port }), 'barclamps/shop/barclamp.yaml': barclamp })
    const before = compiled(texts(80))
    const { rollouts, violations } = change(applied(before.plan), compiled({ ...texts(81), ...lockFile(before.lock) }).plan)
    expect(rollouts[0]?.batches.flat()).toEqual(['w3', 'w1', 'w2', 'w4', 'w5', 'w6'])
    expect(violations).toEqual([])
  })

  test('waves that could never go on are refused before anything runs', () => {
    // base waits for all members of web, and its first node alone is to be done before the second node gets web.
    const cluster = BARCLAMP.replace('requires: [base], ', 'flags: [cluster], ').replace('base: { ', 'base: { requires: [web], ')
    const knotted = { ...rollingSite(web('{ batches: [1], gate: { check: base } }')), 'barclamps/shop/barclamp.yaml': cluster.replace('base: { requires: [web], jig', 'base: { requires: [web], check: check.sh, jig') }
    const changes = change(EMPTY_LEDGER, compiled(knotted).plan)
    expect(changes.violations).toMatchObject([{ policy: 'rollout', level: 'deny', at: 'app.yaml:5:8', message: expect.stringContaining('rollout/app/web') }])
    const free = { ...knotted, ...rollingSite(web('{ batches: [1] }')), 'barclamps/shop/barclamp.yaml': knotted['barclamps/shop/barclamp.yaml'] }
    expect(change(EMPTY_LEDGER, compiled(free).plan).violations).toEqual([])
  })
})
