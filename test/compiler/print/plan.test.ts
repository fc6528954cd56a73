import { describe, expect, it } from 'vitest'
import { planDot } from '../../../compiler/print/plan-dot.ts'
import { planText } from '../../../compiler/print/plan-text.ts'
import { expectGolden } from '../../builders/golden.ts'
import { buildPlan } from '../../builders/plan.ts'
import { reviewedSite } from '../../builders/reviewed-site.ts'

const golden = (name: string): URL => new URL(`golden/${name}`, import.meta.url)
const small = buildPlan({
  nodes: { web: {}, store: { machine: null }, adm: { admin: true } },
  roles: [
    { role: 'server', on: ['web'], cluster: true },
    { role: 'client', on: ['store'], needs: ['barrier/base/server'] },
    { role: 'dns', on: ['adm'] },
  ],
  missing: [{ what: 'machine', for: 'store', because: 'no machine with this MAC has been seen' }],
})

describe('a plan', () => {
  it('is told by nodes and cohorts, with what each step comes after', () => {
    expectGolden(planText(small), golden('plan-small.txt'))
  })

  it('of many nodes folds them, and stays within 80 columns', () => {
    const text = planText(reviewedSite.after)
    expectGolden(text, golden('plan-large.txt'))
    for (const line of text.split('\n')) expect(line.length, line).toBeLessThanOrEqual(80)
  })

  it('is a graph with an edge for each need', () => {
    const lines = planDot(small).split('\n')
    expect(lines.filter((line) => line.includes(' -> ')).length).toBe(small.steps.reduce((sum, step) => sum + step.needs.length, 0))
    expect(lines).toContain('  "install@web" [shape=box3d, color=red];')
    expect(lines).toContain('  "base/server@web" -> "barrier/base/server" [label="cluster"];')
  })
})
