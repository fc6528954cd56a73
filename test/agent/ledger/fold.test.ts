import { describe, expect, it } from 'vitest'
import { foldLedger } from '../../../agent/ledger/fold.ts'
import { incarnation } from '../../../schemas/incarnation.ts'
import { readLedger, writeLedger } from '../../../schemas/ledger-tree.ts'
import { EMPTY_LEDGER } from '../../../schemas/ledger.ts'
import { removalId } from '../../../schemas/removal-id.ts'
import { applied, disk, folded, machine, ran, stepOf, wasSent } from '../../builders/ledger.ts'
import { buildPlan } from '../../builders/plan.ts'
import fc from '../../property.ts'

const plan = buildPlan({
  nodes: { db1: {}, db2: {} },
  roles: [
    { role: 'database', on: ['db1', 'db2'], cluster: true },
    { role: 'format', on: ['db1'], destructive: true },
  ],
})
const all = applied(plan)
const steps = (ledger: typeof all, node: string): readonly string[] => Object.keys(ledger.nodes[node]?.steps ?? {}).toSorted()

describe('folding the ledger', () => {
  it('starts an incarnation with an install', () => {
    expect(all.nodes['db1']?.incarnation).toBe(incarnation({ node: 'db1', once: stepOf(plan, 'install@db1').once, attempt: '1/install@db1/1' }))
    expect(all.nodes['db1']?.machine).toBe('m-db1')
    expect(all.nodes['db1']?.attempted).toStrictEqual({})
    expect(steps(all, 'db1')).toStrictEqual(['base/database@db1', 'base/format@db1', 'discover@db1', 'install@db1'])
    expect(steps(all, '_admin')).toStrictEqual(['barrier/base/database', 'stage/rootfs-debian-12'])
  })

  it('drops what an install destroys as soon as it is sent', () => {
    const sent = folded(all, [wasSent(stepOf(plan, 'install@db1'), plan)])
    expect(steps(sent, 'db1')).toStrictEqual(['discover@db1'])
    expect(sent.nodes['db1']?.incarnation).toBe(null)
    expect(sent.nodes['db1']?.attempted).toStrictEqual({ 'install@db1': stepOf(plan, 'install@db1').once })
    expect(steps(sent, 'db2')).toStrictEqual(steps(all, 'db2'))
  })

  it('has again what an install would have destroyed, when the node says that it wrote nothing', () => {
    const install = stepOf(plan, 'install@db1')
    const untouched = { type: 'step.untouched' as const, step: 'install@db1', node: 'db1' }
    const alone = folded(all, [wasSent(stepOf(plan, 'install@db2'), plan)])
    expect(folded(alone, [wasSent(install, plan)]).roles).toStrictEqual({})
    const refused = folded(alone, [wasSent(install, plan), untouched])
    expect(refused.nodes).toStrictEqual(alone.nodes)
    expect(refused.roles).toStrictEqual(alone.roles)
    expect(readLedger(writeLedger(folded(all, [wasSent(install, plan)])))).not.toHaveProperty('ledger.voided')
    // The attempt before it may have written something: then nothing is whole again.
    const half = folded(all, [wasSent(install, plan), wasSent(install, plan), untouched])
    expect(half.nodes['db1']).toMatchObject({ incarnation: null, attempted: { 'install@db1': install.once } })
    expect(folded(all, [...ran(install, plan), untouched]).nodes['db1']?.steps).toHaveProperty(['install@db1'])
  })

  it('drops the entry of a destructive role when it is sent, and that of no other', () => {
    const format = stepOf(plan, 'base/format@db1')
    const sent = folded(all, [wasSent(format, plan)])
    expect(steps(sent, 'db1')).toStrictEqual(['base/database@db1', 'discover@db1', 'install@db1'])
    expect(sent.nodes['db1']?.attempted).toStrictEqual({ 'base/format@db1': `destructive:${format.once}` })
  })

  it('keeps the entry of any other role that is sent, and remembers what was sent', () => {
    const database = stepOf(plan, 'base/database@db1')
    const sent = folded(all, [wasSent(database, plan)])
    expect(sent.nodes['db1']?.steps).toStrictEqual(all.nodes['db1']?.steps)
    expect(sent.nodes['db1']?.attempted).toStrictEqual({ 'base/database@db1': database.digest })
    expect(folded(sent, ran(database, plan)).nodes['db1']).toStrictEqual(all.nodes['db1'])
  })

  it('never takes what was sent twice, as two things, for either of them', () => {
    const database = stepOf(plan, 'base/database@db1')
    const other = { ...database, digest: 'sha256:other' }
    const attempts = (events: readonly Parameters<typeof folded>[1][number][]) => folded(all, events).nodes['db1']?.attempted['base/database@db1']
    const both = attempts([wasSent(other, plan), wasSent(database, plan)])
    expect(both).toMatch(/^sha256:/)
    expect([database.digest, 'sha256:other']).not.toContain(both)
    expect(attempts([wasSent(other, plan), wasSent(other, plan)])).toBe('sha256:other')
    // That one of them destroys is remembered.
    expect(attempts([wasSent({ ...other, destructive: true, once: 'sha256:key' }, plan), wasSent(database, plan)])).toMatch(/^destructive:sha256:/)
    expect(attempts([wasSent(other, plan), ...ran(database, plan)])).toBeUndefined()
  })

  it('drops an entry when its removal is done, and not before', () => {
    const undo = { ...stepOf(plan, 'base/database@db1'), id: removalId('base/database@db1'), action: 'remove' as const, digest: 'sha256:undo' }
    const sent = folded(all, [wasSent(undo, plan)])
    expect(steps(sent, 'db1')).toContain('base/database@db1')
    expect(sent.nodes['db1']?.attempted).toStrictEqual({ 'base/database@db1': 'sha256:undo' })
    const done = folded(sent, ran(undo, plan))
    expect(steps(done, 'db1')).toStrictEqual(['base/format@db1', 'discover@db1', 'install@db1'])
    expect(done.nodes['db1']?.attempted).toStrictEqual({})
  })

  it('forgets a released node', () => {
    const release = { ...stepOf(plan, 'discover@db1'), id: 'release@db1', kind: 'release' as const }
    const done = folded(all, ran(release, plan))
    expect(Object.keys(done.nodes).toSorted()).toStrictEqual(['_admin', 'db2'])
  })

  it('takes a disk for blank no longer once something was sent to write it', () => {
    const seen = folded(all, [{ type: 'machine.seen', machine: machine('m-db1', [disk('d0'), disk('d1')]) }])
    const sent = folded(seen, [{ type: 'step.sent', step: stepOf(plan, 'install@db1'), index: null, machine: 'm-db1', disks: ['d0'] }])
    expect(sent.machines['m-db1']?.disks.map(({ id, blank }) => ({ id, blank }))).toStrictEqual([
      { id: 'd0', blank: false },
      { id: 'd1', blank: true },
    ])
    expect(seen.machines['m-db1']?.disks[0]?.blank).toBe(true)
    const again = folded(sent, [{ type: 'machine.seen', machine: machine('m-db1', [disk('d0', 'ext4')]) }])
    expect(again.machines['m-db1']?.disks).toStrictEqual([disk('d0', 'ext4')])
  })

  it('keeps the machine that a node is installed on until an install elsewhere is sent', () => {
    const moved = buildPlan({ nodes: { db1: { machine: 'm9' }, db2: {} }, roles: [] })
    const found = folded(all, ran(stepOf(moved, 'discover@db1'), moved))
    expect(found.nodes['db1']?.machine).toBe('m-db1')
    expect(folded(found, [wasSent(stepOf(moved, 'install@db1'), moved)]).nodes['db1']?.machine).toBe('m9')
  })

  it('records runs and the last event', () => {
    expect(all.run).toMatchObject({ run: 118, state: 'complete', commit: 'c0ffee00', plan: plan.id, time: '2026-03-01T10:10:00.000Z' })
    expect(foldLedger(all, { type: 'machine.seen', machine: machine('m1', []), seq: 7777 }).run?.seq).toBe(7777)
  })

  it('keeps where a node is protected until a step of it succeeds under a plan without that, and never of an admin node', () => {
    const sketch = (protect: boolean) => buildPlan({ nodes: { db1: { protect, at: 'db1.yaml:3:1' }, adm: { admin: true, protect } }, roles: [{ role: 'clock', on: ['adm', 'db1'] }] })
    const shielded = folded(EMPTY_LEDGER, sketch(true).steps.flatMap((step) => ran(step, sketch(true))))
    expect([shielded.nodes['db1']?.protect, shielded.nodes['adm']?.protect]).toStrictEqual(['db1.yaml:3:1', undefined])
    const discover = stepOf(sketch(false), 'discover@db1')
    expect(folded(shielded, [wasSent(discover, sketch(false))]).nodes['db1']?.protect).toBe('db1.yaml:3:1')
    expect(Object.keys(folded(shielded, ran(discover, sketch(false))).nodes['db1'] ?? {})).not.toContain('protect')
  })

  it('never changes the ledger that it was given', () => {
    const event = fc.constantFrom(...plan.steps).chain((step) => fc.constantFrom(wasSent(step, plan), ...ran(step, plan)))
    fc.assert(
      fc.property(fc.array(event, { maxLength: 30 }), (events) => {
        const copy = JSON.stringify(all)
        folded(all, events)
        expect(JSON.stringify(all)).toBe(copy)
      }),
      { numRuns: 50 },
    )
  })

  it('gives the same ledger event by event as all at once', () => {
    const events = plan.steps.flatMap((step) => ran(step, plan))
    const oneByOne = events.reduce((ledger, event, index) => foldLedger(ledger, { ...event, seq: index + 1 }), EMPTY_LEDGER)
    expect(oneByOne).toStrictEqual(folded(EMPTY_LEDGER, events))
  })
})

describe('a role is bootstrapped', () => {
  const founded = (node: string, founder: string | null) => [wasSent(stepOf(plan, `base/database@${node}`), plan), { ...ran(stepOf(plan, `base/database@${node}`), plan)[1], founder }] as Parameters<typeof folded>[1]

  it('when its founder succeeded, not when another member did', () => {
    expect(folded(EMPTY_LEDGER, founded('db2', 'db1')).roles).toStrictEqual({})
    expect(folded(EMPTY_LEDGER, founded('db1', 'db1')).roles).toStrictEqual({ 'base/database': { bootstrapped: true } })
  })

  it('for as long as one member is left, so that a replaced founder joins', () => {
    const one = folded(all, [wasSent(stepOf(plan, 'install@db1'), plan)])
    expect(one.roles).toHaveProperty('base/database')
    const none = folded(one, [wasSent(stepOf(plan, 'install@db2'), plan)])
    expect(none.roles).not.toHaveProperty('base/database')
  })
})
