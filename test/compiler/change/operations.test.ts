import { describe, expect, test } from 'vitest'
import { change } from '../../../compiler/change/change.ts'
import { ledgerOfPlan } from '../../../compiler/change/ledger-of-plan.ts'
import type { Changes } from '../../../schemas/changes.ts'
import type { Ledger } from '../../../schemas/ledger.ts'
import type { Plan, Step } from '../../../schemas/plan.ts'
import { applied, folded, ran, wasSent } from '../../builders/ledger.ts'
import { rollingSite, toolsOn } from '../../builders/rolling-site.ts'
import type { RollingSite } from '../../builders/rolling-site.ts'
import { compiled, lockFile } from '../compiling.ts'

const KERNEL = "kind: operation\nname: kernel\ndo: [drain, reboot, resume]\nwhere: \"'shop' in node.tags\"\n"
const NODES = ['w1', 'w2', 'w3']
const first = compiled(rollingSite({ nodes: NODES }))
const done = applied(first.plan)
/** A later commit: the lock of the first one, and these lines. */
const planOf = (site: RollingSite, lock = first.lock): Plan => compiled({ ...rollingSite({ nodes: NODES, ...site }), ...lockFile(lock) }).plan
const kernel = planOf({ documents: KERNEL })
const ids = ({ changes }: Changes): readonly string[] => changes.map(({ step }) => step.id.replace('operation/', ''))
const stepsOf = (plan: Plan): readonly Step[] => plan.operations.flatMap((operation) => operation.steps)
/** A ledger in which these steps of operations have run besides. */
const after = (plan: Plan, which: (step: Step) => boolean, onto: Ledger = done): Ledger => folded(onto, stepsOf(plan).filter(which).flatMap((step) => ran(step, plan)))
const onNodes = (...names: string[]) => (step: Step): boolean => names.includes(step.node ?? '')

describe('an operation', () => {
  test('is done on every node, each action classed as what it does, for the reason that it is in the site', () => {
    const changes = change(done, kernel)
    expect(ids(changes)).toEqual(NODES.flatMap((node) => ['drain', 'reboot', 'resume'].map((action) => `kernel/${action}@${node}`)))
    expect(changes.changes.map((one) => one.consequence).slice(0, 3)).toEqual(['run', 'reboot', 'run'])
    expect(changes.changes[0]?.causes).toEqual([{ kind: 'operation', path: 'kernel', before: null, after: null, at: 'more.yaml:2:7' }])
    expect(changes.unchanged).toBe(kernel.steps.length)
  })

  test('comes after everything else when a cluster is new, and a second look finds nothing to do', () => {
    const order = change({ ...done, nodes: {} }, kernel).changes.map(({ step }) => step.id)
    expect(order.slice(-9)).toEqual(stepsOf(kernel).map(({ id }) => id))
    expect(change(after(kernel, () => true), kernel).changes).toEqual([])
  })

  test('goes on where it stopped, and runs no step twice', () => {
    const half = after(kernel, (step) => step.node === 'w1' || step.id === 'operation/kernel/drain@w2')
    expect(ids(change(half, kernel))).toEqual(['kernel/reboot@w2', 'kernel/resume@w2', 'kernel/drain@w3', 'kernel/reboot@w3', 'kernel/resume@w3'])
    const [, reboot] = stepsOf(kernel).filter(onNodes('w2'))
    const failed = folded(half, [wasSent(reboot as Step, kernel)])
    expect(change(failed, kernel).changes[0]).toMatchObject({ step: { id: 'operation/kernel/reboot@w2' }, causes: [{ kind: 'operation' }, { kind: 'unfinished' }] })
  })

  test('that has ended on a node never runs there again, whatever becomes of its document', () => {
    const ended = after(kernel, () => true)
    for (const lines of ['do: [reboot]', 'do: [reboot, resume, drain]', 'do: [drain, packages, reboot, resume]', 'do: [drain, drain]']) {
      const edited = planOf({ documents: toolsOn('w3') + KERNEL.replace('do: [drain, reboot, resume]', lines) })
      const changes = change(ended, edited)
      expect(changes.changes.filter(({ step }) => step.kind === 'operation'), lines).toEqual([])
      const more = lines.includes('packages') || lines.includes('drain, drain')
      expect(changes.violations.map(({ policy, level, at }) => [policy, level, at]), lines).toEqual(more ? [['operations', 'warn', 'more.yaml:4:7']] : [])
    }
    expect(change(ended, planOf({ port: 81, documents: KERNEL })).changes.map((one) => one.step.kind)).toEqual(['role', 'role', 'role', 'role', 'role', 'role'])
  })

  test('under another name is another one', () => {
    expect(ids(change(after(kernel, () => true), planOf({ documents: KERNEL.replace('kernel', 'again') })))).toHaveLength(9)
  })

  test('taken out of the site does nothing, and is missed where it stopped half-way', () => {
    expect(change(after(kernel, () => true), first.plan)).toMatchObject({ changes: [], missing: [] })
    const half = after(kernel, (step) => step.node === 'w1' || step.id === 'operation/kernel/drain@w2')
    expect(change(half, first.plan)).toMatchObject({ changes: [], missing: [{ what: 'its end', for: 'operation/kernel on w2' }] })
  })

  test('is not for nodes that come when it has ended everywhere, and is for those that come before', () => {
    const grown = (from: Ledger): readonly string[] => ids(change(from, planOf({ nodes: [...NODES, 'w4'], documents: KERNEL }))).filter((id) => id.startsWith('kernel/'))
    expect(grown(after(kernel, () => true))).toEqual([])
    expect(grown(after(kernel, onNodes('w1', 'w2')))).toEqual(['w3', 'w4'].flatMap((node) => ['drain', 'reboot', 'resume'].map((action) => `kernel/${action}@${node}`)))
    // w3 never came to its end, and has left the site since.
    const lesser = ids(change(after(kernel, onNodes('w1', 'w2')), planOf({ nodes: ['w1', 'w2', 'w4'], documents: KERNEL })))
    expect(lesser.filter((id) => id.startsWith('kernel/'))).toEqual([])
  })

  test('outlives the installation of its node: a machine replaced gets no operation of the past', () => {
    const ended = after(kernel, () => true)
    const replaced = planOf({ documents: KERNEL }, { ...first.lock, nodes: { ...first.lock.nodes, w1: { index: 1, generation: 1 } } })
    expect(ids(change(ended, replaced)).filter((id) => id.startsWith('kernel/'))).toEqual([])
  })

  test('that another commit has already is no change against that commit', () => {
    const { ledger, options } = ledgerOfPlan(kernel)
    expect(change(ledger, kernel, options).changes).toEqual([])
    expect(ids(change(ledgerOfPlan(first.plan).ledger, kernel, options))).toHaveLength(9)
  })
})

describe('an operation that installs nodes again', () => {
  const documents = '{ kind: operation, name: again, do: [drain, reinstall, resume], nodes: [w1, w2] }\n'
  const asked = { ...first.lock, nodes: { ...first.lock.nodes, w1: { index: 1, generation: 1 }, w2: { index: 2, generation: 1 } } }
  const plan = planOf({ documents }, asked)

  test('has the installation in its midst, node after node', () => {
    const { changes, rollouts, violations } = change(done, plan)
    const install = changes.find(({ step }) => step.id === 'install@w1')
    expect(install?.step.needs.map((need) => need.step)).toContain('operation/again/drain@w1')
    expect(rollouts).toMatchObject([{ id: 'operation/again', batches: [['w1'], ['w2']], steps: expect.arrayContaining(['install@w1', 'install@w2', 'operation/again/resume@w2']) }])
    expect(violations).toEqual([])
  })

  test('is refused once the lock does not ask for it any more, and goes on where it stopped', () => {
    const installed = applied(planOf({}, asked), { onto: done })
    expect(change(installed, plan).violations).toMatchObject([{ policy: 'operations', level: 'deny', at: 'more.yaml:1:26' }])
    const drained = after(plan, (step) => step.id.includes('/drain@'), installed)
    expect(change(drained, plan)).toMatchObject({ violations: [], changes: [{ step: { id: 'operation/again/reinstall@w1' } }, {}, {}, {}] })
  })

  test('is refused for a protected node', () => {
    const guarded = planOf({ documents, node: { w1: 'protect: true\n' } }, asked)
    const refused = change(done, guarded).changes.filter((one) => one.protectedBy !== null).map(({ step }) => step.id)
    expect(refused).toContain('operation/again/reinstall@w1')
    expect(refused.every((id) => id.endsWith('@w1'))).toBe(true)
  })
})
