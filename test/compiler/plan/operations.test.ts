import { describe, expect, test } from 'vitest'
import { canonical } from '../../../schemas/canonical.ts'
import type { OperationPart } from '../../../schemas/operation.ts'
import { operationPartShape } from '../../../schemas/operation.ts'
import type { Plan, Step } from '../../../schemas/plan.ts'
import type { Json } from '../../../schemas/shape.ts'
import { stepDocument } from '../../../schemas/step-values.ts'
import { checkValue } from '../../../compiler/validate/check-value.ts'
import { rollingSite, toolsOn } from '../../builders/rolling-site.ts'
import { compiled, lockFile } from '../compiling.ts'

const KERNEL = `${toolsOn('w6')}kind: operation\nname: kernel\ndo: [drain, packages, reboot, check, resume]\nnodes: [w1, w2]\n`
const planOf = (documents: string, more: Parameters<typeof rollingSite>[0] = {}): Plan => compiled(rollingSite({ documents, ...more })).plan
const steps = (plan: Plan): readonly Step[] => plan.operations.flatMap((operation) => operation.steps)
const part = (plan: Plan, step: Step | undefined): OperationPart => stepDocument(step as Step, plan.values)?.['operation'] as unknown as OperationPart

describe('an operation', () => {
  const plan = planOf(KERNEL)

  test('is a step of each node and action, one after another, and no part of the desired state', () => {
    expect(steps(plan).map((step) => step.id)).toEqual(['w1', 'w2'].flatMap((node) => ['drain', 'packages', 'reboot', 'check', 'resume'].map((action) => `operation/kernel/${action}@${node}`)))
    expect(plan.steps.filter((step) => step.kind === 'operation')).toEqual([])
    const without = planOf(toolsOn('w6'))
    expect(plan.steps).toEqual(without.steps)
    for (const [i, step] of steps(plan).entries()) {
      const before = i % 5 === 0 ? ['app/base', 'app/web', 'install'].map((work) => `${work}@${step.node}`) : [steps(plan)[i - 1]?.id ?? '', ...(i % 5 === 1 ? ['stage/packages-here'] : [])]
      expect(step.needs.map((need) => need.step).toSorted()).toEqual(before)
      expect(step.needs.every((need) => need.kind === (need.step.startsWith('stage/') ? 'lifecycle' : 'fence') && need.at.startsWith('more.yaml:5:'))).toBe(true)
      const cohorts = new Map([...plan.steps, ...steps(plan)].map(({ id, cohort }) => [id, cohort]))
      for (const need of step.needs) expect(cohorts.get(need.step)).toBeLessThan(step.cohort)
    }
  })

  test('says what its roles run: drained from the last to the first, resumed from the first to the last', () => {
    const [drain, packages, reboot, check, resume] = steps(plan)
    const runs = (step: Step | undefined): readonly string[] => part(plan, step).roles.map(({ step: id, entry }) => `${id} ${entry}`)
    expect(runs(drain)).toEqual(['app/web@w1 drain.sh', 'app/base@w1 drain.sh'])
    expect(runs(resume)).toEqual(['app/base@w1 resume.sh', 'app/web@w1 resume.sh'])
    expect(runs(check)).toEqual(['app/web@w1 check.sh'])
    expect([runs(packages), runs(reboot)]).toEqual([[], []])
    expect(drain?.timeout).toBe(180)
    const role = plan.steps.find((step) => step.id === 'app/web@w1')
    expect(part(plan, check).roles[0]).toEqual({ step: 'app/web@w1', barclamp: 'shop', content: role?.content, jig: 'script', entry: 'check.sh', attributes: role?.attributes, timeout: 60 })
  })

  test('says where it is on its node, and all its nodes, in a document of the schema', () => {
    expect(steps(plan).slice(0, 5).map((step) => [part(plan, step).place, part(plan, step).of, part(plan, step).do])).toEqual([[1, 5, 'drain'], [2, 5, 'packages'], [3, 5, 'reboot'], [4, 5, 'check'], [5, 5, 'resume']])
    for (const step of steps(plan)) {
      expect(checkValue(operationPartShape.json, part(plan, step) as unknown as Json, 'a document')).toEqual([])
      expect(stepDocument(step, plan.values)?.['members']).toEqual(['w1', 'w2'])
    }
  })

  test('runs the one role that it names, and an action that comes twice has two steps', () => {
    const twice = planOf('{ kind: operation, name: o, do: [drain, run, drain], role: web, nodes: [w3] }')
    expect(steps(twice).map(({ id }) => id)).toEqual(['operation/o/drain@w3', 'operation/o/run@w3', 'operation/o/drain-2@w3'])
    expect(steps(twice).map((step) => part(twice, step).roles.map(({ step: id }) => id))).toEqual([['app/web@w3'], ['app/web@w3'], ['app/web@w3']])
  })

  test('does not move with the order of documents', () => {
    const other = '{ kind: operation, name: a, do: [reboot], role: web }\n'
    expect(canonical(planOf(`${KERNEL}---\n${other}`).operations as unknown as Json).replaceAll(/more.yaml:[0-9]+:[0-9]+/g, '')).toBe(canonical(planOf(`${other}---\n${KERNEL}`).operations as unknown as Json).replaceAll(/more.yaml:[0-9]+:[0-9]+/g, ''))
  })

  test('that installs nodes again waits with that for the installation and the roles, and not with what comes before', () => {
    const site = rollingSite({ documents: '{ kind: operation, name: o, do: [drain, reinstall, resume], nodes: [w1] }' })
    const { lock } = compiled(rollingSite())
    const again = compiled({ ...site, ...lockFile({ ...lock, nodes: { ...lock.nodes, w1: { index: 1, generation: 1 } } }) }).plan
    expect(steps(again).map((step) => [step.id, step.needs.map((need) => need.step)])).toEqual([
      ['operation/o/drain@w1', []],
      ['operation/o/reinstall@w1', ['operation/o/drain@w1', 'install@w1', 'app/base@w1', 'app/web@w1']],
      ['operation/o/resume@w1', ['operation/o/reinstall@w1']],
    ])
  })
})
