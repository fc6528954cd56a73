import { expect, test } from 'vitest'
import { needsThrough } from '../../../compiler/change/needs-through.ts'
import type { Plan, Step } from '../../../schemas/plan.ts'
import { buildPlan } from '../../builders/plan.ts'
import fc from '../../property.ts'

/** Everything among `ids` that a step comes after, by way of needs among them only. */
function before(id: string, needs: ReadonlyMap<string, readonly string[]>): ReadonlySet<string> {
  const found = new Set<string>()
  const look = [...(needs.get(id) ?? [])]
  for (let next = look.pop(); next !== undefined; next = look.pop()) {
    if (found.has(next) || !needs.has(next)) continue
    found.add(next)
    look.push(...(needs.get(next) ?? []))
  }
  return found
}

const made = buildPlan({ nodes: { n: { machine: 'm' } }, roles: [{ role: 'r', on: ['n'] }] })
const role = made.steps.find(({ kind }) => kind === 'role') as Step

/** Step i needs some of the steps before it; some of them run. */
const dags = fc.array(fc.record({ needs: fc.array(fc.nat(30), { maxLength: 4 }), runs: fc.boolean() }), { minLength: 1, maxLength: 30 })

test('among the steps that run, the order is the plan’s, whatever stands between them', () => {
  fc.assert(fc.property(dags, (dag) => {
    const ids = dag.map((_, i) => `d/r@n${i}`)
    const needsOf = (i: number): string[] => [...new Set((dag[i]?.needs ?? []).filter((need) => need < i).map((need) => ids[need] as string))]
    const plan: Plan = { ...made, steps: dag.map((_, i) => ({ ...role, id: ids[i] as string, node: `n${i}`, needs: needsOf(i).map((need) => ({ step: need, kind: 'requires', at: '' })) })) }
    const running = new Set(ids.filter((_, i) => dag[i]?.runs))
    const through = needsThrough(plan, (id) => running.has(id))
    const whole = new Map(ids.map((id, i) => [id, needsOf(i)]))
    const reduced = new Map(plan.steps.filter(({ id }) => running.has(id)).map((one: Step) => [one.id, [...one.needs, ...through(one)].map((need) => need.step).filter((need) => running.has(need))]))
    for (const id of running) expect(before(id, reduced)).toEqual(new Set([...before(id, whole)].filter((one) => running.has(one))))
    for (const one of plan.steps) expect(new Set([...one.needs, ...through(one)].map((need) => need.step)).size).toBe(one.needs.length + through(one).length)
  }), { numRuns: 300, seed: 11 })
})
