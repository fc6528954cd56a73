import { describe, expect, test } from 'vitest'
import { explain } from '../../../compiler/explain/explain.ts'
import { planText } from '../../../compiler/print/plan-text.ts'
import { expectGolden } from '../../builders/golden.ts'
import { planGolden } from '../../builders/plan-golden.ts'
import { compileTree, documentOf, exampleTree, lacks, stepOf, success, withFiles } from '../compiling.ts'
import { SEEN_MACHINES } from '../seen-machines.ts'

const AUSTIN = exampleTree('austin')
const GOLDEN = new URL('../../../site-examples/austin/golden/', import.meta.url)

describe('austin', () => {
  test('is written in eighty lines', () => {
    const lines = [...AUSTIN.files].filter(([path]) => /^[a-z]+\.(?:yaml|csv)$/.test(path)).map(([, file]) => new TextDecoder().decode(file.bytes()).trimEnd().split('\n').length)
    expect(lines.reduce((sum, count) => sum + count, 0)).toBeLessThanOrEqual(80)
  })

  test('has a plan before any machine has been seen', () => {
    const { plan, diagnostics } = success(compileTree(AUSTIN))
    expect(diagnostics.map(({ code }) => code)).toContain('ROLE_COUNT')
    expectGolden(planText(plan, { full: true }), new URL('plan.txt', GOLDEN))
  })

  test('lacks but locked packages once all its machines have been seen', () => {
    const { plan, diagnostics, ordered } = success(compileTree(withFiles(AUSTIN, SEEN_MACHINES['austin'] ?? {})))
    expect(diagnostics.filter(({ code }) => code !== 'UNSUPPORTED')).toEqual([])
    expect([plan.complete, lacks(plan)]).toEqual([false, []])
    expect(plan.nodes['storage-12']).toMatchObject({ machine: 'm15', os: 'debian-13', tags: ['storage'] })
    expect(documentOf(plan, 'install@storage-12')['install']).toMatchObject({ targets: [{ entry: 'system', serial: 'ssd-11' }] })
    expect(plan.nodes['compute-40']?.attachments.map(({ network, ports, bond, vlan, bridge }) => ({ network, ports, mode: (bond as { mode?: string } | null)?.mode, vlan, bridge }))).toEqual([
      { network: 'admin', ports: ['52:54:00:00:01:37'], mode: undefined, vlan: 0, bridge: null },
      { network: 'storage', ports: ['52:54:00:00:02:37', '52:54:00:00:03:37'], mode: '802.3ad', vlan: 120, bridge: null },
      { network: 'tenant', ports: ['52:54:00:00:02:37', '52:54:00:00:03:37'], mode: '802.3ad', vlan: 130, bridge: 'br-tenant' },
    ])
    expect(documentOf(plan, 'cloud/hypervisor@compute-01')).toEqual({ hypervisor: { threads: 4 }, wants: { database: 'mysql://192.168.124.170:3306', stores: Array.from({ length: 12 }, (_, i) => `10.1.0.${50 + i}`) } })
    expect(stepOf(plan, 'cloud/database-server@control-1').needs.map(({ step }) => step)).toContain('base/ntp-client@control-1')
    const explained = explain(ordered.injected, { node: 'compute-01', path: 'hypervisor.threads' })
    expect('roles' in explained ? explained.roles[0]?.values[0]?.inputs : explained).toEqual([{ path: 'node.facts.cpu.threads', value: 4, deferred: false }])
    expectGolden(planText(plan, { full: true }), new URL('plan-with-machines.txt', GOLDEN))
    expectGolden(planGolden(plan).text, new URL('plan-with-machines-digests.txt', GOLDEN))
  })

  test('names that no network says come from whoever provides them', () => {
    const { plan } = success(compileTree(AUSTIN))
    expect(plan.networks['storage']?.subnets.map(({ dns }) => dns)).toEqual([['10.1.1.53', '10.1.2.53']])
    expect(plan.nodes['control-1']?.attachments[0]?.addresses[0]?.dns).toEqual(['10.1.1.53', '10.1.2.53'])
  })
})
