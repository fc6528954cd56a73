import { describe, expect, it } from 'vitest'
import { change } from '../../../compiler/change/change.ts'
import type { Changes } from '../../../schemas/changes.ts'
import { CONSEQUENCES } from '../../../schemas/documents/words.ts'
import type { DiskState, MachineState } from '../../../schemas/inventory.ts'
import type { Ledger } from '../../../schemas/ledger.ts'
import type { Plan } from '../../../schemas/plan.ts'
import type { Json } from '../../../schemas/shape.ts'
import { applied, disk, folded, machine, stepOf, wasSent } from '../../builders/ledger.ts'
import { buildPlan } from '../../builders/plan.ts'
import type { NodeSketch, PlanSketch, RoleSketch } from '../../builders/plan.ts'

const secret = (version: number): Json => ({
  deferred: { type: 'string', expression: '${wants.password}', scope: {}, inputs: { 'wants.password': { secret: 'database/root', version: String(version) } }, sensitive: true },
})
const told: Json = {
  deferred: { type: 'string', expression: '${wants.token}', scope: {}, inputs: { 'wants.token': { step: 'app/server@n1', provide: 'token' } }, sensitive: false },
}

const database: RoleSketch = {
  role: 'database',
  deployment: 'app',
  on: ['n1', 'n2'],
  attributes: { port: 3306, datadir: '/var/lib/mysql', tuning: { cache: 1, pages: { size: 4 } } },
  wants: { password: secret(3) },
  files: { 'run.sh': 'install it', 'remove.sh': 'stop it', 'conf.template': 'a' },
  onChange: { default: 'run', port: 'restart', datadir: 'wipe', 'tuning.pages': 'reboot', wants: 'restart' },
  removal: { entry: 'remove.sh', deletesData: false },
  cluster: true,
}
const server: RoleSketch = { role: 'server', deployment: 'app', on: ['n1'], provides: { token: { type: 'string', sensitive: false } }, needs: ['database'] }
const client: RoleSketch = { role: 'client', deployment: 'app', on: ['n2'], wants: { token: told }, needs: ['app/server@n1'], onChange: { 'wants.token': 'restart' } }
/** Its page hangs on a value that hangs on what it is told. */
const reader: RoleSketch = { ...client, role: 'reader', wants: {}, attributes: { page: { deferred: { type: 'string', expression: '${attributes.url}', scope: { attributes: { url: told } }, inputs: {}, sensitive: false } } }, onChange: { page: 'wipe' } }
const leaver: RoleSketch = { role: 'leaver', on: ['n2'], removal: { entry: 'remove.sh', deletesData: true } }
const silent: RoleSketch = { role: 'silent', on: ['n2'] }
const formatter: RoleSketch = { role: 'formatter', on: ['n1'], destructive: true }

const NODES: { readonly [name: string]: NodeSketch } = { n1: {}, n2: {}, j1: { method: 'joined' } }
const probe: RoleSketch = { role: 'probe', on: ['j1'], removal: { entry: 'remove.sh', deletesData: false } }
const ROLES: readonly RoleSketch[] = [probe, database, server, client, leaver, silent, formatter, { role: 'ntp', on: ['n1', 'n2', 'j1'], attributes: { servers: ['a'] } }]
const BASE: PlanSketch = { nodes: NODES, roles: ROLES }
const base = buildPlan(BASE)

const USED = 'gpt: efi, ext4 /'
const MACHINES: readonly MachineState[] = [
  machine('m-n1', [disk('d0', USED), disk('d1', 'lvm: scratch')]),
  machine('m-n2', [disk('d0', USED)]),
  machine('m-j1', []),
  machine('m-new', [disk('d0', 'mdraid')]),
  machine('m-blank', [disk('d0'), disk('d1', 'luks')]),
]
const ledger = applied(base, { machines: MACHINES })

const nodes = (changes: { readonly [name: string]: NodeSketch }): PlanSketch => ({ ...BASE, nodes: { ...NODES, ...changes } })
const role = (name: string, changes: Partial<RoleSketch> | null): PlanSketch => ({
  ...BASE,
  roles: ROLES.flatMap((one) => (one.role === name ? (changes === null ? [] : [{ ...one, ...changes }]) : [one])),
})
const attributes = (changes: { readonly [key: string]: Json }): PlanSketch => role('database', { attributes: { ...database.attributes, ...changes } })
/** A ledger in which a step of a sketch was sent after everything in the base, and not heard of again. */
const interrupted = (id: string, sketch: PlanSketch = BASE): Ledger => {
  const plan = buildPlan(sketch)
  return folded(ledger, [wasSent(stepOf(plan, id), plan)])
}
/** The machine of n2 as it was seen after its install was sent. */
const seenAfter = (from: Ledger, changes: Partial<DiskState>): Ledger => folded(from, [{ type: 'machine.seen', machine: machine('m-n2', [disk('d0', 'gpt: half', changes)]) }])
const blankN2 = folded(ledger, [{ type: 'machine.seen', machine: machine('m-n2', [disk('d0')]) }])
const sentBlank = folded(blankN2, [wasSent(stepOf(base, 'install@n2'), base)])
/** A ledger in which the database was never done on n2, but was sent with these attributes. */
const never = (changed: { readonly [key: string]: Json }): Ledger => {
  const plan = buildPlan(attributes(changed))
  return folded(applied(plan, { machines: MACHINES, only: (step) => step.id !== 'app/database@n2' }), [wasSent(stepOf(plan, 'app/database@n2'), plan)])
}
const packaged: RoleSketch = { role: 'packaged', on: ['j1'], packages: ['nano'], onChange: { default: 'restart' } }
const lines = (changes: Changes): readonly string[] => changes.changes.map((one) => `${one.certain ? '' : 'may '}${one.consequence} ${one.step.id}`)

/** What is left out of an expectation: steps whose consequence is `none`, and roles that only follow an install. */
const expectation = (changes: Changes): readonly string[] =>
  lines({ ...changes, changes: changes.changes.filter((one) => one.consequence !== 'none' && !(one.consequence === 'run' && one.causes.some((cause) => cause.kind === 'reinstalled'))) })

interface Row {
  readonly edit: string
  readonly to: PlanSketch
  readonly from?: Ledger
  readonly gives: readonly string[]
}

const ROWS: readonly Row[] = [
  { edit: 'nothing', to: BASE, gives: [] },
  { edit: 'another os', to: nodes({ n1: { os: 'debian-13' } }), gives: ['wipe install@n1', 'wipe base/formatter@n1', 'may restart app/client@n2'] },
  { edit: 'another layout', to: nodes({ n2: { layout: [{ on: 'system', mount: '/', fs: 'xfs', size: 'rest' }] } }), gives: ['wipe install@n2'] },
  { edit: 'another target disk', to: nodes({ n1: { targets: ['d1'] } }), gives: ['wipe install@n1', 'wipe base/formatter@n1', 'may restart app/client@n2'] },
  { edit: 'a target disk that nobody has seen', to: nodes({ n2: { targets: ['d7'] } }), gives: ['may wipe install@n2'] },
  { edit: 'a second target disk, seen and in use', to: nodes({ n1: { targets: ['d0', 'd1'] } }), gives: ['wipe install@n1', 'wipe base/formatter@n1', 'may restart app/client@n2'] },
  { edit: 'generation + 1', to: nodes({ n2: { generation: 1 } }), gives: ['wipe install@n2'] },
  { edit: 'another machine, in use', to: nodes({ n2: { machine: 'm-new' } }), gives: ['wipe install@n2'] },
  { edit: 'another machine, blank', to: nodes({ n2: { machine: 'm-blank' } }), gives: ['reinstall install@n2'] },
  { edit: 'another machine, never seen', to: nodes({ n2: { machine: 'm-unseen' } }), gives: ['may wipe install@n2'] },
  { edit: 'a machine that is partly blank', to: nodes({ n2: { machine: 'm-blank', targets: ['d0', 'd1'] } }), gives: ['wipe install@n2'] },
  { edit: 'two nodes swap machines', to: nodes({ n1: { machine: 'm-n2' }, n2: { machine: 'm-n1' } }), gives: ['wipe install@n1', 'wipe install@n2', 'wipe base/formatter@n1'] },
  { edit: 'the claim is lost', to: nodes({ n2: { machine: null } }), gives: ['may wipe install@n2'] },
  { edit: 'a new node on a blank machine', to: nodes({ n3: { machine: 'm-blank' } }), gives: ['reinstall install@n3'] },
  { edit: 'a new node on a machine in use', to: nodes({ n3: { machine: 'm-new' } }), gives: ['wipe install@n3'] },
  { edit: 'a new node without a machine', to: nodes({ n3: { machine: null } }), gives: ['may wipe install@n3'] },
  { edit: 'a new node that has an os', to: nodes({ j2: { method: 'joined' } }), gives: ['run install@j2'] },
  { edit: 'a node renamed', to: { nodes: { n1: {}, x2: { machine: 'm-n2', index: 9 }, j1: { method: 'joined' } }, roles: [] }, from: applied(buildPlan({ nodes: NODES }), { machines: MACHINES }), gives: ['release release@n2', 'wipe install@x2'] },
  { edit: 'a node that left', to: { nodes: { n1: {}, n2: {} }, roles: ROLES.map((one) => ({ ...one, on: one.on.filter((name) => name !== 'j1') })) }, gives: ['release release@j1'] },
  { edit: 'joined becomes imaged', to: nodes({ j1: { targets: ['d0'] } }), gives: ['may wipe install@j1'] },
  { edit: 'a joined node names another os', to: nodes({ j1: { method: 'joined', os: 'debian-13' } }), gives: ['run install@j1'] },
  { edit: 'a role removed that has a remove', to: role('database', null), gives: ['remove app/database@n1#remove', 'remove app/database@n2#remove'] },
  { edit: 'a role removed from one node', to: role('database', { on: ['n1'] }), gives: ['remove app/database@n2#remove'] },
  { edit: 'a role removed whose remove deletes data', to: role('leaver', null), gives: ['wipe base/leaver@n2#remove'] },
  { edit: 'a role removed that has no remove', to: role('silent', null), gives: [] },
  { edit: 'a role removed from a joined node that names another os', to: { ...role('probe', null), nodes: { ...NODES, j1: { method: 'joined', os: 'debian-13' } } }, gives: ['remove base/probe@j1#remove', 'run install@j1'] },
  { edit: 'a role removed from a node that gets another os', to: { ...role('database', null), nodes: { ...NODES, n2: { os: 'debian-13' } } }, gives: ['remove app/database@n1#remove', 'wipe install@n2'] },
  { edit: 'a role moved to another deployment', to: role('leaver', { deployment: 'other' }), gives: ['wipe base/leaver@n2#remove', 'run other/leaver@n2'] },
  { edit: 'a new role', to: { ...BASE, roles: [...ROLES, { role: 'web', on: ['j1'] }] }, gives: ['run base/web@j1'] },
  { edit: 'a new destructive role', to: { ...BASE, roles: [...ROLES, { role: 'mkfs', on: ['j1'], destructive: true }] }, gives: ['wipe base/mkfs@j1'] },
  { edit: 'a member added to a cluster', to: role('database', { on: ['n1', 'n2', 'j1'] }), gives: ['run app/database@j1'] },
  { edit: 'an attribute that needs a restart', to: attributes({ port: 3307 }), gives: ['restart app/database@n1', 'restart app/database@n2'] },
  { edit: 'an attribute whose change deletes data', to: attributes({ datadir: '/srv' }), gives: ['wipe app/database@n1', 'wipe app/database@n2'] },
  { edit: 'an attribute whose change deletes data is unset', to: role('database', { attributes: { port: 3306, tuning: { cache: 1, pages: { size: 4 } } } }), gives: ['wipe app/database@n1', 'wipe app/database@n2'] },
  { edit: 'an attribute that nothing is declared for', to: attributes({ tuning: { cache: 2, pages: { size: 4 } } }), gives: ['run app/database@n1', 'run app/database@n2'] },
  { edit: 'an attribute below a declared one', to: attributes({ tuning: { cache: 1, pages: { size: 8 } } }), gives: ['reboot app/database@n1', 'reboot app/database@n2'] },
  { edit: 'a map replaced that holds a declared one', to: attributes({ tuning: 'auto' }), gives: ['reboot app/database@n1', 'reboot app/database@n2'] },
  { edit: 'two attributes, the worse one counts', to: attributes({ port: 3307, tuning: 'auto' }), gives: ['reboot app/database@n1', 'reboot app/database@n2'] },
  { edit: 'an attribute on one node only', to: role('database', { perNode: { n2: { port: 1 } } }), gives: ['restart app/database@n2'] },
  { edit: 'an attribute of another barclamp that it wants', to: role('database', { otherParts: { ntp: { servers: ['b'] } } }), gives: ['run app/database@n1', 'run app/database@n2'] },
  { edit: 'a secret rotated', to: role('database', { wants: { password: secret(4) } }), gives: ['restart app/database@n1', 'restart app/database@n2'] },
  { edit: 'a secret re-encrypted', to: role('database', { wants: { password: secret(3) } }), gives: [] },
  { edit: 'a template edited', to: role('database', { files: { ...database.files, 'conf.template': 'b' } }), gives: ['run app/database@n1', 'run app/database@n2'] },
  { edit: 'a template edited of a role that restarts by default', to: role('database', { files: { ...database.files, 'conf.template': 'b' }, onChange: { default: 'restart' } }), gives: ['restart app/database@n1', 'restart app/database@n2'] },
  { edit: 'onChange alone edited', to: role('database', { onChange: { default: 'wipe' } }), gives: [] },
  { edit: 'a role edited that tells others a value', to: role('server', { attributes: { name: 'x' } }), gives: ['run app/server@n1', 'may restart app/client@n2'] },
  { edit: 'a role edited that tells a value on which another one hangs', to: { ...role('server', { attributes: { name: 'x' } }), roles: [database, { ...server, attributes: { name: 'x' } }, reader] }, from: applied(buildPlan({ nodes: NODES, roles: [database, server, reader] }), { machines: MACHINES }), gives: ['may wipe app/reader@n2', 'run app/server@n1'] },
  { edit: 'an attribute of a destructive role', to: role('formatter', { attributes: { fs: 'xfs' } }), gives: [] },
  { edit: 'nothing, after an install failed half-way', to: BASE, from: interrupted('install@n1'), gives: ['wipe install@n1', 'wipe base/formatter@n1', 'may restart app/client@n2'] },
  { edit: 'nothing, after an install failed half-way on a blank disk', to: BASE, from: sentBlank, gives: ['reinstall install@n2'] },
  { edit: 'another os, after an install failed half-way on a blank disk', to: nodes({ n2: { os: 'debian-13' } }), from: sentBlank, gives: ['wipe install@n2'] },
  { edit: 'nothing, after an install failed half-way and its stamp was seen', to: BASE, from: seenAfter(interrupted('install@n2'), { stamp: 's' }), gives: ['reinstall install@n2'] },
  { edit: 'another layout, after an install failed half-way and its stamp was seen', to: nodes({ n2: { layout: [] } }), from: seenAfter(interrupted('install@n2'), { stamp: 's' }), gives: ['wipe install@n2'] },
  { edit: 'nothing, after an install failed half-way and something else is on the disk', to: BASE, from: seenAfter(sentBlank, {}), gives: ['wipe install@n2'] },
  { edit: 'an os, on a disk with a stamp that no attempt is known for', to: nodes({ n2: { os: 'debian-13' } }), from: seenAfter(ledger, { stamp: 's' }), gives: ['wipe install@n2'] },
  { edit: 'the os taken back, after its install failed half-way', to: BASE, from: interrupted('install@n2', nodes({ n2: { os: 'debian-13' } })), gives: ['wipe install@n2'] },
  { edit: 'nothing, after a destructive role failed', to: BASE, from: interrupted('base/formatter@n1'), gives: ['wipe base/formatter@n1'] },
  { edit: 'nothing, after a role failed', to: BASE, from: interrupted('app/database@n2'), gives: ['run app/database@n2'] },
  { edit: 'an attribute taken back, after the role failed with it', to: BASE, from: interrupted('app/database@n2', attributes({ port: 1 })), gives: ['may wipe app/database@n2'] },
  { edit: 'the same attribute again, after the role failed with it', to: attributes({ port: 1 }), from: interrupted('app/database@n2', attributes({ port: 1 })), gives: ['restart app/database@n1', 'restart app/database@n2'] },
  { edit: 'nothing, after a role failed that never succeeded', to: attributes({ datadir: '/a' }), from: never({ datadir: '/a' }), gives: ['run app/database@n2'] },
  { edit: 'an attribute whose change deletes data, after the role failed and never succeeded', to: attributes({ datadir: '/srv' }), from: never({ datadir: '/a' }), gives: ['may wipe app/database@n2', 'wipe app/database@n1'] },
  { edit: 'an os, after a role failed that never succeeded', to: nodes({ n2: { os: 'debian-13' } }), from: never({ datadir: '/var/lib/mysql', port: 1 }), gives: ['restart app/database@n1', 'wipe install@n2'] },
  { edit: 'packages from elsewhere, of a role that restarts by default', to: { nodes: { j1: { method: 'joined', os: 'debian-13' } }, roles: [packaged] }, from: applied(buildPlan({ nodes: { j1: { method: 'joined' } }, roles: [packaged] }), { machines: MACHINES }), gives: ['restart base/packaged@j1', 'run install@j1'] },
  { edit: 'a role put back, after its removal failed', to: BASE, from: folded(ledger, [{ ...wasSent(stepOf(base, 'base/leaver@n2'), base), step: change(ledger, buildPlan(role('leaver', null))).changes[0]?.step } as Parameters<typeof folded>[1][number]]), gives: ['run base/leaver@n2'] },
  { edit: 'nothing, after half of the first run', to: BASE, from: applied(base, { machines: MACHINES, only: (step) => step.node !== 'n2' && step.node !== null }), gives: ['wipe install@n2'] },
  { edit: 'the values of the ledger are gone', to: attributes({ port: 3307 }), from: { ...ledger, values: {} }, gives: ['may wipe app/database@n1', 'may wipe app/database@n2'] },
]

describe('an edit of the site', () => {
  for (const row of ROWS) {
    it(`gives what it should: ${row.edit}`, () => {
      expect([...expectation(change(row.from ?? ledger, buildPlan(row.to)))].toSorted()).toStrictEqual([...row.gives].toSorted())
    })
  }
})

describe('whatever the edit', () => {
  /** What a step would do to disks, worked out from nothing but the two plans' install documents and what was seen. */
  const writesUsedDisk = (plan: Plan, from: Ledger, id: string): boolean => {
    const step = stepOf(plan, id)
    if (step.kind !== 'install' || !step.destructive) return false
    const parts = step.attributes === null ? undefined : (plan.values[step.attributes] as { parts: { install: string } }).parts
    if (parts === undefined) return true
    const install = plan.values[parts.install] as unknown as { machine: string; targets: { id: string }[] }
    const seen = from.machines[install.machine]?.disks ?? []
    return !install.targets.every((target) => seen.some((one) => one.id === target.id && (one.blank || (one.stamp !== null && from.nodes[step.node ?? '']?.attempted[id] === step.once))))
  }

  it('nothing that wipes or reinstalls is ever classed lower', () => {
    let judged = 0
    for (const row of ROWS) {
      const from = row.from ?? ledger
      const plan = buildPlan(row.to)
      for (const one of change(from, plan).changes) {
        if (!one.step.destructive) continue
        judged++
        const least = one.step.kind === 'install' && !writesUsedDisk(plan, from, one.step.id) ? 'reinstall' : 'wipe'
        expect(CONSEQUENCES.indexOf(one.consequence), `${row.edit}: ${one.step.id}`).toBeLessThanOrEqual(CONSEQUENCES.indexOf(least))
      }
    }
    expect(judged).toBeGreaterThan(25)
  })

  it('exactly what wipes needs an approval', () => {
    for (const row of ROWS) {
      for (const one of change(row.from ?? ledger, buildPlan(row.to)).changes) expect(one.needsApproval, one.step.id).toBe(one.consequence === 'wipe')
    }
  })

  it('every role of a node that is installed anew runs again, and nothing else that stands', () => {
    for (const row of ROWS) {
      const plan = buildPlan(row.to)
      const { changes } = change(row.from ?? ledger, plan)
      const anew = new Set(changes.filter((one) => one.step.kind === 'install').map((one) => one.step.node))
      const ids = new Set(changes.map((one) => one.step.id))
      for (const step of plan.steps) if (step.kind === 'role' && anew.has(step.node)) expect(ids.has(step.id), `${row.edit}: ${step.id}`).toBe(true)
    }
  })

  it('a second look after all of it was done finds nothing to do', () => {
    for (const row of ROWS) {
      const plan = buildPlan(row.to)
      if (Object.values(plan.nodes).some((node) => node.machine === null)) continue
      const from = row.from ?? ledger
      const { changes } = change(from, plan)
      const after = changes.reduce((now, one) => applied({ ...plan, steps: [one.step] }, { onto: now }), from)
      const missing = change(after, plan).changes.map((one) => one.step.id)
      expect(missing, row.edit).toStrictEqual([])
    }
  })

  it('every change has a cause', () => {
    for (const row of ROWS) {
      for (const one of change(row.from ?? ledger, buildPlan(row.to)).changes) expect(one.causes.length, `${row.edit}: ${one.step.id}`).toBeGreaterThan(0)
    }
  })
})
