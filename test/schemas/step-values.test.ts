import { describe, expect, it } from 'vitest'
import { incarnation, outlivesInstallation } from '../../schemas/incarnation.ts'
import type { StepKind } from '../../schemas/plan.ts'
import { removalId, removedId } from '../../schemas/removal-id.ts'
import { stepDocument, stepParts, stepValueDigests, stepValues } from '../../schemas/step-values.ts'
import { stepOf } from '../builders/ledger.ts'
import { buildPlan } from '../builders/plan.ts'

const plan = buildPlan({ nodes: { n1: {}, n2: { machine: null } }, roles: [{ role: 'web', on: ['n1', 'n2'], attributes: { port: 80 }, wants: { peers: [] } }] })
const web = stepOf(plan, 'base/web@n1')

describe('the values of a step', () => {
  it('are its document, the parts of it, and the listing of its files', () => {
    const parts = stepParts(web, plan.values) ?? {}
    expect(Object.keys(parts).toSorted()).toStrictEqual(['wants', 'web'])
    expect(new Set(stepValueDigests(web, plan))).toStrictEqual(new Set([web.attributes, web.content, ...Object.values(parts)]))
    const values = stepValues(web, plan)
    expect(values[web.content ?? '']).toStrictEqual(plan.contents[web.content ?? ''])
    expect(stepDocument(web, values)).toStrictEqual({ web: { port: 80 }, wants: { peers: [] } })
  })

  it('make no document when one of them is missing, or nothing is known yet', () => {
    const { [(stepParts(web, plan.values) ?? {})['wants'] ?? '']: _, ...rest } = plan.values
    expect(stepDocument(web, rest)).toBe(null)
    expect(stepDocument(web, {})).toBe(null)
    expect(stepDocument(stepOf(plan, 'base/web@n2'), plan.values)).toBe(null)
    expect(stepDocument({ ...web, attributes: 'sha256:odd' }, { 'sha256:odd': { parts: { web: 7 } } })).toBe(null)
  })
})

describe('the id of a removal', () => {
  it('names the step that it undoes, and no other step does', () => {
    expect(removalId('app/web@n1')).toBe('app/web@n1#remove')
    expect(removedId('app/web@n1#remove')).toBe('app/web@n1')
    expect(removedId('app/web@n1')).toBe(null)
    expect(removedId('app/web@n1#check')).toBe(null)
  })
})

describe('an incarnation', () => {
  it('is another one for another node, another work to do, and each time that it is done', () => {
    const of = { node: 'n1', once: 'k', attempt: '1/install@n1/1' }
    const all = [of, { ...of, node: 'n2' }, { ...of, once: 'k2' }, { ...of, attempt: '1/install@n1/2' }, { ...of, attempt: null }].map(incarnation)
    expect(new Set(all).size).toBe(5)
    expect(incarnation({ attempt: '1/install@n1/1', once: 'k', node: 'n1' })).toBe(all[0])
  })

  it('is survived by what is about the machine, by what ran before it, and by history', () => {
    const survives = (kind: StepKind): boolean => outlivesInstallation({ kind, runsOn: 'node' })
    expect(outlivesInstallation({ kind: 'role', runsOn: 'discovery' })).toBe(true)
    expect((['discover', 'power', 'hardware', 'operation'] as const).every(survives)).toBe(true)
    expect((['install', 'network', 'packages', 'role', 'stage'] as const).some(survives)).toBe(false)
  })
})
