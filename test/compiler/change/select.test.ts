import { describe, expect, test } from 'vitest'
import { change } from '../../../compiler/change/change.ts'
import { selectChanges, unmatched } from '../../../compiler/change/select.ts'
import { digest } from '../../../schemas/canonical.ts'
import type { Changes } from '../../../schemas/changes.ts'
import { EMPTY_LEDGER } from '../../../schemas/ledger.ts'
import { applied } from '../../builders/ledger.ts'
import { rollingSite } from '../../builders/rolling-site.ts'
import { compiled, lockFile } from '../compiling.ts'
import fc from '../../property.ts'

const texts = rollingSite({ nodes: ['w1', 'w2', 'w3', 'w4'], deployment: 'rollout: { web: { batches: [1] } }\n', documents: 'kind: deployment\nname: late\nafter: [app]\nroles: { plain: { nodes: [w1, w2] } }\n' })
const first = compiled(texts)
const fresh = change(EMPTY_LEDGER, first.plan)
const select = (options: Parameters<typeof selectChanges>[2], from = fresh, plan = first.plan): Changes => selectChanges(from, plan, options)
const ids = ({ changes }: Changes): readonly string[] => changes.map(({ step }) => step.id)

describe('--target', () => {
  test('leaves what it names and what that needs, and says what was pulled in by what', () => {
    const selected = select({ target: ['app/base@w2'] })
    expect(ids(selected)).toEqual(['discover@w2', 'install@w2', 'app/base@w2'])
    expect(selected.selection).toEqual({ target: ['app/base@w2'], exclude: [], pulledIn: [{ step: 'discover@w2', by: 'install@w2' }, { step: 'install@w2', by: 'app/base@w2' }], deferred: [], excluded: fresh.changes.length - 3 })
  })

  test('takes a node with everything on it, and what that needs elsewhere', () => {
    const selected = select({ target: ['w1'] })
    expect(ids(selected)).toContain('late/plain@w1')
    expect(ids(selected)).not.toContain('late/plain@w2')
    // The deployment before it has to be whole first.
    expect(ids(selected)).toContain('app/web@w4')
    expect(selected.selection?.pulledIn.find(({ step }) => step === 'barrier/app')).toEqual({ step: 'barrier/app', by: 'late/plain@w1' })
  })

  test('pulls in nothing that is done already', () => {
    const edited = compiled({ ...texts, 'site.yaml': texts['site.yaml']?.replace('port: 80', 'port: 81') ?? '', ...lockFile(first.lock) })
    const changes = change(applied(first.plan), edited.plan)
    const selected = select({ target: ['app/base@w2'] }, changes, edited.plan)
    expect(ids(selected)).toEqual(['app/base@w2'])
    expect(selected.selection?.pulledIn).toEqual([])
  })

  test('makes waves of the nodes that are left', () => {
    expect(fresh.rollouts[0]?.batches).toEqual([['w1'], ['w2'], ['w3'], ['w4']])
    expect(select({ target: ['app/*@w3', 'app/*@w4'] }).rollouts).toMatchObject([{ batches: [['w3'], ['w4']], steps: ['app/web@w3', 'app/web@w4'] }])
    expect(select({ target: ['app/base@*'] }).rollouts).toEqual([])
  })
})

describe('--exclude', () => {
  test('defers what needs what it names, and says on account of what', () => {
    const selected = select({ exclude: ['app/base@w1'] })
    expect(ids(selected)).not.toContain('app/web@w1')
    expect(selected.selection?.deferred).toEqual([
      { step: 'app/web@w1', by: 'app/base@w1' },
      { step: 'barrier/app', by: 'app/base@w1' },
      { step: 'late/plain@w1', by: 'barrier/app' },
      { step: 'late/plain@w2', by: 'barrier/app' },
    ])
    expect(selected.selection?.excluded).toBe(1)
  })

  test('wins over --target, which then gets nothing that it needs for nothing', () => {
    const selected = select({ target: ['late/plain@w1'], exclude: ['app/web@w4'] })
    expect(ids(selected)).toEqual([])
    expect(selected.selection?.deferred).toEqual([{ step: 'late/plain@w1', by: 'barrier/app' }])
  })

  test('of a removal defers what comes after it', () => {
    const without = compiled({ ...texts, 'site.yaml': texts['site.yaml']?.replace('port: 80', 'port: 81') ?? '', 'more.yaml': '', ...lockFile(first.lock) })
    const changes = change(applied(first.plan), without.plan)
    const selected = select({ exclude: ['*#remove'] }, changes, without.plan)
    expect(selected.changes.filter(({ step }) => step.node === 'w1')).toEqual([])
    expect(selected.selection?.deferred).toContainEqual({ step: 'app/base@w1', by: 'late/plain@w1#remove' })
  })
})

test('whatever is selected: nothing is left whose needs are not, and everything is accounted for', () => {
  const names = [...new Set(fresh.changes.flatMap(({ step }) => [step.id, step.node ?? step.id]))]
  const globs = fc.option(fc.array(fc.constantFrom(...names, 'w*', 'app/*', '*@w1', '*/plain*'), { maxLength: 3 }), { nil: undefined })
  fc.assert(fc.property(globs, globs, (target, exclude) => {
    const selected = select({ target, exclude })
    const left = new Set(ids(selected))
    const all = new Set(ids(fresh))
    for (const { step } of selected.changes) for (const need of step.needs) if (all.has(need.step)) expect(left.has(need.step)).toBe(true)
    const { deferred = [], excluded = 0, pulledIn = [] } = selected.selection ?? {}
    expect(left.size + deferred.length + excluded).toBe(all.size)
    for (const { step, by } of pulledIn) expect([left.has(step), left.has(by)]).toEqual([true, true])
    for (const { step, by } of deferred) expect([left.has(step), left.has(by)]).toEqual([false, false])
    const { id, ...rest } = selected
    expect(id).toBe(digest(rest as never))
  }))
})

test('a glob that stands for nothing is found, with the nearest name', () => {
  const operations = compiled(rollingSite({ documents: '{ kind: operation, name: kernel, do: [reboot], role: web }\n' }))
  const look = (...globs: string[]) => unmatched(globs, { plan: operations.plan, changes: change(EMPTY_LEDGER, operations.plan) })
  expect(look('w1', 'operation/kernel/*', '*@w2')).toBeUndefined()
  expect(look('app/wbe@w1')).toEqual({ glob: 'app/wbe@w1', near: 'app/web@w1' })
})
