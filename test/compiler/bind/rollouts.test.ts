import { describe, expect, test } from 'vitest'
import { rollingSite, toolsOn } from '../../builders/rolling-site.ts'
import type { RollingSite } from '../../builders/rolling-site.ts'
import { codes, compiled, compileTexts } from '../compiling.ts'

const said = (site: RollingSite): readonly string[] => codes(compileTexts(rollingSite(site)))
const web = (rollout: string): RollingSite => ({ deployment: `rollout:\n  web: ${rollout}\n` })

describe('a rollout that could not be carried out is refused, where it says so:', () => {
  test.each<[string, RollingSite, readonly string[]]>([
    ['a role that the deployment does not have', { deployment: 'rollout: { wbe: {} }\n' }, ['REFERENCE_UNKNOWN app.yaml:4:12']],
    ['a batch of nothing', web('{ batches: [0, 2] }'), ['VALUE_INVALID app.yaml:5:20']],
    ['a batch of no share', web('{ batches: [0%] }'), ['VALUE_INVALID app.yaml:5:20']],
    ['a batch of more than all', web('{ batches: [110%] }'), ['VALUE_INVALID app.yaml:5:20']],
    ['no batches', web('{ batches: [] }'), ['VALUE_INVALID app.yaml:5:19']],
    ['a label that no node has', web('{ spreadBy: rak }'), ['ROLLOUT_LABEL app.yaml:5:20']],
    ['a label that some nodes lack', { ...web('{ spreadBy: row }'), node: { w1: 'attributes: {}\n---\n{ kind: rule, name: r, when: "machine.id == \'mw1\'", set: { labels: { row: x } } }\n' } }, ['ROLLOUT_LABEL app.yaml:5:20']],
    ['a gate whose role is not there', web('{ gate: { check: wbe } }'), ['ROLLOUT_GATE app.yaml:5:25']],
    ['a gate whose role has no check', web('{ gate: { check: base } }'), ['ROLLOUT_GATE app.yaml:5:25']],
    ['a gate of an install whose role is not there', { site: 'rollout: { install: { gate: { check: plain } } }\n' }, ['ROLLOUT_GATE site.yaml:7:38']],
    ['a gate whose role two deployments bind', { documents: 'kind: deployment\nname: two\nroles: { web: { nodes: [w1] }, base: { nodes: [w1] } }\n---\nkind: operation\nname: o\ndo: [reboot]\nnodes: [w1]\nrollout: { gate: { check: web } }\n' }, ['ROLLOUT_GATE more.yaml:9:27']],
    ['a pause that is none', web('{ pause: always }'), ['VALUE_INVALID app.yaml:5:17']],
  ])('%s', (_, site, expected) => {
    expect(said(site)).toEqual(expected)
  })
})

test('a gate may name a role whose nodes are still to come', () => {
  const roles = `{ web: { where: "'shop' in node.tags" }, base: { where: "'shop' in node.tags" }, checked: { where: "'late' in node.tags" } }`
  const { plan } = compiled({
    ...rollingSite({ roles, site: 'rollout: { install: { gate: { check: checked } } }\n', deployment: 'rollout: { web: { gate: { check: checked } } }\n' }),
    'barclamps/late/barclamp.yaml': 'kind: barclamp\nname: late\nversion: 1.0.0\nroles: { checked: { jig: noop, check: check.sh } }\n',
    'barclamps/late/check.sh': 'check',
  })
  expect(plan.rollouts.map(({ id, gate }) => [id, gate?.role])).toEqual([['rollout/install', 'app/checked'], ['rollout/app/web', 'app/checked']])
})

test('what is declared is in the plan, with what goes without saying', () => {
  const { plan } = compiled(rollingSite({
    site: 'rollout: { install: { batches: [1, 10%], maxFailures: 5%, spreadBy: rack }, reboot: { batches: [2] } }\n',
    deployment: 'rollout:\n  web: { gate: { check: web, timeout: 2m }, pause: after-first }\n',
    documents: toolsOn('w1') + ['packages', 'reboot'].map((action) => `{ kind: operation, name: ${action}, do: [${action}], role: web }\n`).join('---\n'),
  }))
  expect(plan.rollouts).toEqual([
    { id: 'rollout/install', batches: ['1', '10%'], maxFailures: '5%', spreadBy: 'rack', gate: null, pause: 'never', at: 'site.yaml:7:21' },
    { id: 'rollout/reboot', batches: ['2'], maxFailures: '0', spreadBy: null, gate: null, pause: 'never', at: 'site.yaml:7:85' },
    { id: 'rollout/app/web', batches: ['100%'], maxFailures: '0', spreadBy: null, gate: { role: 'app/web', timeout: 120 }, pause: 'after-first', at: 'app.yaml:5:8' },
    { id: 'operation/packages', batches: ['1'], maxFailures: '0', spreadBy: null, gate: null, pause: 'never', at: 'more.yaml:3:26' },
    // An operation that reboots and says nothing of its own goes as the site has it for reboots.
    { id: 'operation/reboot', batches: ['2'], maxFailures: '0', spreadBy: null, gate: null, pause: 'never', at: 'site.yaml:7:85' },
  ])
})

test('a rollout is no part of what a step is: another one runs nothing again', () => {
  const digests = (rollout: string): readonly string[] => compiled(rollingSite(web(rollout))).plan.steps.map((step) => step.digest)
  expect(digests('{ batches: [1] }')).toEqual(digests('{ batches: [2, 50%], pause: after-each, gate: { check: web } }'))
})
