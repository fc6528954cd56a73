import { readFileSync } from 'node:fs'
import { describe, expect, it } from 'vitest'
import { change } from '../../../compiler/change/change.ts'
import { ledgerOfPlan } from '../../../compiler/change/ledger-of-plan.ts'
import { diffText } from '../../../compiler/print/diff-text.ts'
import { digest } from '../../../schemas/canonical.ts'
import type { Change, Changes } from '../../../schemas/changes.ts'
import { EMPTY_LEDGER } from '../../../schemas/ledger.ts'
import type { Plan } from '../../../schemas/plan.ts'
import type { Json } from '../../../schemas/shape.ts'
import { stepDocument } from '../../../schemas/step-values.ts'
import { applied, disk, folded, machine, stepOf, wasSent } from '../../builders/ledger.ts'
import { buildPlan } from '../../builders/plan.ts'
import type { PlanSketch, RoleSketch } from '../../builders/plan.ts'
import fc from '../../property.ts'

const ids = (changes: Changes): readonly string[] => changes.changes.map((one) => one.step.id)
const of = (changes: Changes, id: string): Change => {
  const found = changes.changes.find((one) => one.step.id === id)
  if (found === undefined) throw new Error(`${id} is not among ${ids(changes).join(', ')}`)
  return found
}
const causes = (changes: Changes, id: string): readonly (readonly [string, string | null, Json, Json])[] =>
  of(changes, id).causes.map((cause) => [cause.kind, cause.path, cause.before, cause.after])

const web: RoleSketch = { role: 'web', on: ['n1'], attributes: { port: 80, names: ['a', 'b'] }, files: { 'run.sh': 'x', 'site.conf': 'y' } }
const SITE: PlanSketch = { nodes: { n1: {} }, roles: [web] }
const plan = buildPlan(SITE)
const ledger = applied(plan, { machines: [machine('m-n1', [disk('d0', 'gpt: efi, ext4 /'), disk('d1', 'lvm: scratch')])] })

describe('changes', () => {
  it('say what the base is, and when there is none', () => {
    expect(change(ledger, plan).base).toStrictEqual({ kind: 'ledger', commit: 'c0ffee00', run: 118, state: 'complete' })
    expect(change(EMPTY_LEDGER, plan).base).toStrictEqual({ kind: 'empty', commit: null, run: null, state: null })
  })

  it('are nothing for the plan that was carried out', () => {
    const none = change(ledger, plan)
    expect(none.changes).toStrictEqual([])
    expect(none.unchanged).toBe(plan.steps.length)
  })

  it('have an id over all that they say', () => {
    const { id, ...rest } = change(ledger, buildPlan({ ...SITE, roles: [] }))
    expect(id).toBe(digest(rest))
    expect(change(ledger, plan).id).not.toBe(id)
  })

  it('are all steps in plan order when nothing has run', () => {
    expect(ids(change(EMPTY_LEDGER, plan))).toStrictEqual(plan.steps.map((step) => step.id))
  })
})

describe('causes', () => {
  it('name the attributes that differ, with both values', () => {
    const after = buildPlan({ ...SITE, roles: [{ ...web, attributes: { port: 81, names: ['a'], tls: { on: true } } }] })
    expect(causes(change(ledger, after), 'base/web@n1')).toStrictEqual([
      ['attribute', 'web.names', ['a', 'b'], ['a']],
      ['attribute', 'web.port', 80, 81],
      ['attribute', 'web.tls', null, { on: true }],
    ])
  })

  it('name the files of a barclamp that differ', () => {
    const after = buildPlan({ ...SITE, roles: [{ ...web, files: { 'run.sh': 'x', 'site.conf': 'z', 'new.conf': '' } }] })
    expect(causes(change(ledger, after), 'base/web@n1').map(([kind, path]) => [kind, path])).toStrictEqual([
      ['content', 'new.conf'],
      ['content', 'site.conf'],
    ])
  })

  it('say what of an installation differs, where the node is written', () => {
    const after = buildPlan({ nodes: { n1: { os: 'debian-13', targets: ['d1'], at: 'nodes/n1.yaml:7:5' } }, roles: [web] })
    const changes = change(ledger, after)
    expect(causes(changes, 'install@n1')).toStrictEqual([
      ['os', 'os', 'debian-12', 'debian-13'],
      ['disks', 'disks', ['system: S-d0'], ['system: S-d1']],
    ])
    expect(of(changes, 'install@n1').causes[0]?.at).toBe('nodes/n1.yaml:7:5')
    expect(causes(changes, 'base/web@n1')).toStrictEqual([['reinstalled', null, null, 'install@n1']])
  })

  it('come with the place that the compiler knows', () => {
    const after = buildPlan({ ...SITE, roles: [{ ...web, attributes: { port: 81, names: ['a', 'b'] } }] })
    const changes = change(ledger, after, { at: (step, path) => (path === 'web.port' ? `${step} at site.yaml:9:3` : null) })
    expect(of(changes, 'base/web@n1').causes[0]?.at).toBe('base/web@n1 at site.yaml:9:3')
  })

  it('show secrets as versions and never what went into a value that is not known yet', () => {
    const canary = 'hunter2'
    const url = (version: number): Json => ({
      deferred: { type: 'string', expression: 'db://${wants.password}', scope: { salt: canary }, inputs: { 'wants.password': { secret: 'db/root', version: String(version) } }, sensitive: true },
    })
    const at = (version: number): PlanSketch => ({ nodes: { n1: {} }, roles: [{ ...web, attributes: { url: [url(version)] } }] })
    const changes = change(applied(buildPlan(at(3))), buildPlan(at(4)))
    const shown = (version: number): Json => [{ later: [{ secret: 'db/root', version: String(version) }], sensitive: true, expression: 'db://${wants.password}' }]
    expect(causes(changes, 'base/web@n1')).toStrictEqual([['attribute', 'web.url', shown(3), shown(4)]])
    expect(JSON.stringify(changes)).not.toContain(canary)
  })

  it('name the node that a machine is taken from', () => {
    const after = buildPlan({ nodes: { n2: { machine: 'm-n1', index: 1 } }, roles: [] })
    const changes = change(ledger, after)
    expect(causes(changes, 'install@n2')).toContainEqual(['machine', 'node', 'n1', 'n2'])
    expect(of(changes, 'install@n2').step.needs.map((need) => need.step)).toContain('release@n1')
  })
})

describe('disks', () => {
  it('are all named, those that are written first, with what was seen on them', () => {
    const changes = change(ledger, buildPlan({ nodes: { n1: { os: 'debian-13', targets: ['d0', 'd7'] } }, roles: [] }))
    expect(of(changes, 'install@n1').disks.map(({ serial, fate, blank, summary }) => [serial, fate, blank, summary])).toStrictEqual([
      ['S-d0', 'wiped', false, 'gpt: efi, ext4 /'],
      ['S-d7', 'wiped', null, 'not looked at yet'],
      ['S-d1', 'kept', false, 'lvm: scratch'],
    ])
  })

  it('are kept by a node that is only joined', () => {
    const changes = change({ ...ledger, nodes: {} }, buildPlan({ nodes: { n1: { method: 'joined' } }, roles: [] }))
    expect(of(changes, 'install@n1').disks.map(({ fate }) => fate)).toStrictEqual(['kept', 'kept'])
    expect(of(changes, 'install@n1').needsApproval).toBe(false)
  })
})

describe('removals', () => {
  const chain: PlanSketch = {
    nodes: { n1: {}, n2: {} },
    roles: [
      { role: 'low', on: ['n1', 'n2'], removal: { entry: 'remove.sh', deletesData: false }, cluster: true, attributes: { secretless: 1 } },
      { role: 'mid', on: ['n1'], needs: ['low'], removal: { entry: 'remove.sh', deletesData: true } },
      { role: 'top', on: ['n2'], needs: ['barrier/base/low', 'base/mid@n1'] },
    ],
  }
  const before = buildPlan(chain)
  const had = applied(before)

  it('undo dependants before what they needed, also through barriers', () => {
    const changes = change(had, buildPlan({ ...chain, roles: [] }))
    expect(ids(changes)).toStrictEqual(['base/top@n2#remove', 'base/low@n2#remove', 'base/mid@n1#remove', 'base/low@n1#remove'])
    expect(of(changes, 'base/low@n1#remove').step.needs.map((need) => need.step)).toStrictEqual(['base/mid@n1#remove', 'base/top@n2#remove'])
    expect(of(changes, 'base/mid@n1#remove').step.needs.map((need) => need.step)).toStrictEqual(['base/top@n2#remove'])
    expect(of(changes, 'base/low@n2#remove').step.needs.map((need) => need.step)).toStrictEqual(['base/top@n2#remove'])
  })

  it('carry the values and the listing that the plan no longer has', () => {
    const changes = change(had, buildPlan({ ...chain, roles: [] }))
    const { step } = of(changes, 'base/low@n1#remove')
    expect(stepDocument(step, changes.values)).toStrictEqual({ low: { secretless: 1 } })
    expect(changes.values[step.content ?? '']).toStrictEqual(before.contents[step.content ?? ''])
    expect({ entry: step.entry, action: step.action, once: step.once }).toStrictEqual({ entry: 'remove.sh', action: 'remove', once: null })
  })

  it('whose values or listing the ledger lost are said to be impossible', () => {
    const { attributes, content } = had.nodes['n1']?.steps['base/low@n1']?.step ?? {}
    for (const lost of [attributes, content]) {
      const values = Object.fromEntries(Object.entries(had.values).filter(([digest]) => digest !== lost))
      expect(change({ ...had, values }, buildPlan({ ...chain, roles: [] })).missing.filter(({ for: step }) => step === 'base/low@n1#remove')).toStrictEqual([{ what: 'how to undo it', for: 'base/low@n1#remove', because: 'what it was given is not in the ledger any more' }])
    }
    expect(change(had, buildPlan({ ...chain, roles: [] })).missing).toStrictEqual([])
  })

  it('that delete data have a key, are destructive and never retried', () => {
    const { step, consequence } = of(change(had, buildPlan({ ...chain, roles: [] })), 'base/mid@n1#remove')
    expect(consequence).toBe('wipe')
    expect(step.destructive).toBe(true)
    expect(step.once).toMatch(/^sha256:/)
    expect(step.retries.max).toBe(0)
  })

  it('say plainly when nothing is undone', () => {
    const one = of(change(had, buildPlan({ ...chain, roles: [] })), 'base/top@n2#remove')
    expect(one.consequence).toBe('none')
    expect({ entry: one.step.entry, jig: one.step.jig, content: one.step.content }).toStrictEqual({ entry: null, jig: 'noop', content: null })
    expect(stepDocument(one.step, change(had, buildPlan({ ...chain, roles: [] })).values)).toStrictEqual({})
    expect(one.causes[0]?.after).toBe('nothing is undone: the role has no `remove`')
  })

  it('come before whatever else runs on their node', () => {
    const after = buildPlan({ ...chain, roles: [{ role: 'other', on: ['n1', 'n2'] }] })
    const changes = change(had, after)
    expect(of(changes, 'base/other@n1').step.needs.map((need) => need.step)).toStrictEqual(['install@n1', 'base/mid@n1#remove', 'base/low@n1#remove'])
  })

  it('are in an order that their needs allow, whatever needed what when', () => {
    const names = ['a', 'b', 'c', 'd', 'e', 'f']
    const edges = fc.array(fc.tuple(fc.constantFrom(...names), fc.constantFrom(...names)), { maxLength: 14 })
    fc.assert(
      fc.property(edges, (pairs) => {
        const flat = buildPlan({ nodes: { n1: {} }, roles: names.map((role) => ({ role, on: ['n1'] })) })
        const steps = flat.steps.map((step) => ({ ...step, needs: [...step.needs, ...pairs.filter(([from]) => step.role === from).map(([, to]) => ({ step: `base/${to}@n1`, kind: 'requires' as const, at: '' }))] }))
        const changes = change(applied({ ...flat, steps }), buildPlan({ nodes: { n1: {} }, roles: [] }))
        expect(changes.changes.length).toBe(names.length)
        const done = new Set<string>()
        for (const { step } of changes.changes) {
          for (const need of step.needs) expect(done.has(need.step), `${step.id} needs ${need.step}`).toBe(true)
          done.add(step.id)
        }
      }),
      { numRuns: 200 },
    )
  })

  it('of a step that never succeeded cannot be built, and that is said', () => {
    const sent = folded(applied(before, { only: (step) => step.role === null }), [wasSent(stepOf(before, 'base/low@n1'), before)])
    const changes = change(sent, buildPlan({ ...chain, roles: [] }))
    expect(ids(changes)).toStrictEqual([])
    expect(changes.missing).toStrictEqual([{ what: 'how to undo it', for: 'base/low@n1', because: 'it was started, did not succeed and is no longer in the site' }])
  })
})

describe('a barrier', () => {
  const cluster = (on: readonly string[], port: number): PlanSketch => ({ nodes: { n1: {}, n2: {} }, roles: [{ role: 'db', on, attributes: { port }, cluster: true }] })

  it('runs again when a member does, so that what waits for it waits', () => {
    const changes = change(applied(buildPlan(cluster(['n1', 'n2'], 1))), buildPlan(cluster(['n1', 'n2'], 2)))
    expect(ids(changes)).toStrictEqual(['base/db@n1', 'base/db@n2', 'barrier/base/db'])
  })

  it('is forgotten with its role', () => {
    expect(ids(change(applied(buildPlan(cluster([], 1))), buildPlan({ nodes: { n1: {}, n2: {} } })))).toStrictEqual([])
  })
})

describe('protect', () => {
  it('lets a node be installed that never was, on blank disks or with an approval', () => {
    const never = buildPlan({ ...SITE, nodes: { n1: { protect: true, at: 'n1.yaml:3:1' } } })
    const seen = (disks: Parameters<typeof machine>[1]) => applied(never, { only: (step) => step.kind === 'discover', machines: [machine('m-n1', disks)] })
    expect(of(change(EMPTY_LEDGER, never), 'install@n1')).toMatchObject({ protectedBy: null, needsApproval: true })
    expect(of(change(seen([disk('d0', 'ext4')]), never), 'install@n1')).toMatchObject({ consequence: 'wipe', protectedBy: null, needsApproval: true })
    expect(of(change(folded(seen([disk('d0', 'ext4')]), [wasSent(stepOf(never, 'install@n1'), never)]), never), 'install@n1')).toMatchObject({ protectedBy: null, needsApproval: true })
  })

  it('is told at the line that says it', () => {
    const at = (step: string, path: string | null): string | null => (step === 'discover@n1' && path === 'protect' ? 'n1.yaml:7:10' : null)
    const again = buildPlan({ ...SITE, nodes: { n1: { os: 'debian-13', protect: true, at: 'n1.yaml:3:1' } } })
    expect(of(change(ledger, again, { at }), 'install@n1').protectedBy).toBe('n1.yaml:7:10')
  })

  const shielded = (sketch: PlanSketch): PlanSketch => ({ ...sketch, nodes: { ...sketch.nodes, n1: { ...sketch.nodes['n1'], protect: true, at: 'n1.yaml:3:1' } } })

  it('refuses wipe, reinstall and removal of its node, and nothing less', () => {
    const moved = shielded({ nodes: { n1: { os: 'debian-13' } }, roles: [web] })
    const changes = change(ledger, buildPlan(moved))
    expect(of(changes, 'install@n1').protectedBy).toBe('n1.yaml:3:1')
    expect(of(changes, 'base/web@n1').protectedBy).toBe(null)
    const blank = { ...ledger, machines: { 'm-n1': machine('m-n1', [disk('d0')]) } }
    expect(of(change(blank, buildPlan(moved)), 'install@n1')).toMatchObject({ consequence: 'reinstall', protectedBy: 'n1.yaml:3:1', needsApproval: false })
    const removable = buildPlan({ ...SITE, roles: [{ ...web, removal: { entry: 'x', deletesData: false } }] })
    expect(of(change(applied(removable), buildPlan(shielded({ ...SITE, roles: [] }))), 'base/web@n1#remove').protectedBy).toBe('n1.yaml:3:1')
  })

  it('is taken away by one change before another wipes: the ledger keeps it', () => {
    const kept = applied(buildPlan(shielded(SITE)))
    const both = change(kept, buildPlan({ nodes: { n1: { os: 'debian-13' } }, roles: [web] }))
    expect([of(both, 'install@n1').protectedBy, of(both, 'discover@n1').protectedBy]).toStrictEqual(['n1.yaml:3:1', null])
    expect(of(change(kept, buildPlan({ nodes: {} })), 'release@n1').protectedBy).toBe('n1.yaml:3:1')
    const only = change(kept, plan)
    expect(only.changes.map(({ step, consequence }) => [step.id, consequence])).toStrictEqual([['discover@n1', 'none']])
    expect(causes(only, 'discover@n1')).toStrictEqual([['attribute', 'protect', true, null]])
    const let_go = applied(plan, { onto: kept, only: (step) => step.kind === 'discover' })
    expect(of(change(let_go, buildPlan({ nodes: { n1: { os: 'debian-13' } }, roles: [web] })), 'install@n1').protectedBy).toBe(null)
  })

  it('counts when only the base had it, also for a node that left', () => {
    const old = ledgerOfPlan(buildPlan(shielded(SITE)))
    expect(of(change(old.ledger, buildPlan({ nodes: { n1: { os: 'debian-13' } }, roles: [web] }), old.options), 'install@n1').protectedBy).toBe('n1.yaml:3:1')
    expect(of(change(old.ledger, buildPlan({ nodes: {} }), old.options), 'release@n1').protectedBy).toBe('n1.yaml:3:1')
  })
})

describe('a machine that another node has', () => {
  const site = (machines: Readonly<Record<string, string | null>>) => buildPlan({ nodes: Object.fromEntries(Object.entries(machines).map(([name, machine]) => [name, { machine }])) })
  const there = applied(site({ a: 'm1', b: 'm2' }), { machines: [machine('m1', [disk('d0', 'ext4')]), machine('m2', [disk('d0', 'ext4')])] })
  const held = (changes: Changes) => Object.fromEntries(changes.changes.filter(({ step }) => step.kind === 'install').map(({ step, heldBy }) => [step.id, heldBy]))

  it('is refused to both when two nodes swap', () => {
    expect(held(change(there, site({ a: 'm2', b: 'm1' })))).toStrictEqual({ 'install@a': 'b', 'install@b': 'a' })
    const swapped = change(there, site({ a: 'm2', b: 'm1' }))
    expect(of(swapped, 'install@a')).toMatchObject({ consequence: 'wipe', needsApproval: true })
    expect(diffText(swapped, site({ a: 'm2', b: 'm1' }))).toContain('the machine is held: a by b, b by a')
  })

  it('is refused as long as the other one is there, and free once that has moved on', () => {
    const moved = site({ a: 'm2', b: 'm3' })
    expect(held(change(there, moved))).toStrictEqual({ 'install@a': 'b', 'install@b': undefined })
    const after = applied(moved, { onto: there, only: (step) => step.node === 'b' })
    expect(held(change(after, moved))).toStrictEqual({ 'install@a': undefined })
    expect(held(change(there, site({ a: 'm2', b: null })))).toMatchObject({ 'install@a': 'b' })
    const begun = folded(applied(site({ b: 'm2' }), { only: (step) => step.kind === 'discover' }), [wasSent(stepOf(site({ b: 'm2' }), 'install@b'), site({ b: 'm2' }))])
    expect(held(change(begun, site({ a: 'm2', b: null })))).toMatchObject({ 'install@a': 'b' })
  })

  it('waits for the release of a node that left, in the same changes', () => {
    const left = change(there, site({ a: 'm2' }))
    expect(held(left)).toStrictEqual({ 'install@a': undefined })
    expect(of(left, 'install@a').step.needs.map((need) => need.step)).toContain('release@b')
  })
})

describe('a plan as the base', () => {
  it('has nothing to do to become itself', () => {
    const { ledger: base, options } = ledgerOfPlan(plan)
    const changes = change(base, plan, options)
    expect(changes.changes).toStrictEqual([])
    expect(changes.base).toStrictEqual({ kind: 'commit', commit: 'c0ffee00', run: null, state: null })
  })

  const waiting: PlanSketch = { nodes: { n1: { machine: null }, n2: { machine: null } }, roles: [{ ...web, on: ['n1', 'n2'] }, { role: 'wipe', on: ['n1'], destructive: true }] }
  const between = (before: PlanSketch, after: PlanSketch): Changes => {
    const { ledger: base, options } = ledgerOfPlan(buildPlan(before))
    return change(base, buildPlan(after), options)
  }

  it('has nothing to do to become itself, also where no machine is known', () => {
    expect(between(waiting, waiting).changes).toStrictEqual([])
    expect(ids(change(EMPTY_LEDGER, buildPlan(waiting)))).toContain('install@n1')
  })

  it('differs on a node without a machine by what is meant for it', () => {
    const renamed = { ...waiting, nodes: { ...waiting.nodes, n1: { machine: null, os: 'debian-13' } } }
    const changes = between(waiting, renamed)
    expect(ids(changes)).toStrictEqual(['stage/rootfs-debian-13', 'install@n1', 'base/web@n1', 'base/wipe@n1'])
    expect(of(changes, 'install@n1')).toMatchObject({ consequence: 'wipe', certain: false })
    expect(ids(between(waiting, { ...waiting, roles: waiting.roles?.slice(0, 1) ?? [] }))).toStrictEqual(['base/wipe@n1#remove'])
  })

  it('installs a node whose machine has become known, and holds nothing of one that had none', () => {
    expect(of(between(waiting, { ...waiting, nodes: { ...waiting.nodes, n1: {} } }), 'install@n1').causes.map(({ kind }) => kind)).toContain('other')
    expect(of(between(waiting, { nodes: { n2: { machine: null } } }), 'release@n1').consequence).toBe('none')
  })
})

describe('a compiled site', () => {
  const compiled = JSON.parse(readFileSync(new URL('../../../site-examples/first-light/golden/plan-with-machines.json', import.meta.url), 'utf8')) as Plan

  it('has nothing to do when it was applied', () => {
    expect(change(applied(compiled), compiled).changes).toStrictEqual([])
  })

  it('runs the reader of a run-time value perhaps, when its teller runs again', () => {
    const server = stepOf(compiled, 'hello/hello-server@web')
    const changes = change(folded(applied(compiled), [wasSent(server, compiled)]), compiled)
    expect(changes.changes.map(({ step, certain }) => [step.id, certain])).toStrictEqual([
      ['hello/hello-server@web', true],
      ['hello/hello-client@client', false],
    ])
  })

  it('wipes every target of a node whose installation is asked for again, by serial', () => {
    const again = change(folded(applied(compiled), [wasSent(stepOf(compiled, 'install@client'), compiled)]), compiled)
    const one = of(again, 'install@client')
    expect([one.consequence, one.certain, one.disks.map(({ serial, fate }) => [serial, fate])]).toStrictEqual(['wipe', false, [['FL-CLIENT-1', 'wiped']]])
  })
})
