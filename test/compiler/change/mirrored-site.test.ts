import { describe, expect, it } from 'vitest'
import { change } from '../../../compiler/change/change.ts'
import { lockText } from '../../../compiler/allocate/lock-text.ts'
import { diskId } from '../../../schemas/inventory.ts'
import type { DiskFact } from '../../../schemas/inventory.ts'
import type { Ledger } from '../../../schemas/ledger.ts'
import type { Lock } from '../../../schemas/lock.ts'
import { applied } from '../../builders/ledger.ts'
import { success } from '../compiling.ts'
import { compileTexts, consequences } from './editing.ts'
import type { Edit } from './editing.ts'

const disk = (serial: string, place: number, more: Partial<DiskFact> = {}): DiskFact => ({ bytes: 6_000_000_000, rotational: false, model: 'm', serial, wwn: '', bus: 'nvme', path: `p${place}`, ...more })
const slow = (serial: string, place: number): DiskFact => disk(serial, place, { bytes: 8_000_000_000, rotational: true, bus: 'sata' })
/** x1 has a third SSD that nothing chose, the first of x2 is named by its WWN alone, those of x3 by nothing but their place. */
const DISKS = {
  x1: [disk('x1-s1', 0), disk('x1-s2', 1), disk('x1-s3', 2), slow('x1-h1', 3), slow('x1-h2', 4)],
  x2: [disk('', 0, { wwn: 'eui.x2' }), disk('x2-s2', 1), slow('x2-h1', 3), slow('x2-h2', 4)],
  x3: [disk('', 0), disk('', 1), slow('', 3), slow('', 4)],
  x4: [disk('x4-s1', 0), disk('x4-s2', 1), slow('x4-h1', 3), slow('x4-h2', 4)],
} as const
type Machine = keyof typeof DISKS

function seen(id: Machine, disks: readonly DiskFact[] = DISKS[id], { serial = `SER-${id}`, mac = `52:54:00:00:01:0${id.slice(1)}` } = {}): Edit {
  const facts = { architecture: 'amd64', firmware: { kind: 'bios' }, dmi: { vendor: '', product: '', serial, uuid: `00000000-0000-0000-0000-00000000000${id.slice(1)}`, asset: '' }, cpu: { model: '', cores: 2, threads: 4 }, memory: { bytes: 1_000_000_000 }, disks, nics: [{ mac, driver: '', bus: '0000:00:10.0', speed: 1000 }] }
  return { [`inventory/${id}.json`]: JSON.stringify({ kind: 'machine', id, facts }) }
}
const facts = (id: Machine, edit: (disk: DiskFact) => DiskFact): Edit => seen(id, DISKS[id].map(edit))
const first = (edit: Partial<DiskFact>) => (one: DiskFact): DiskFact => (one.path === 'p0' ? { ...one, ...edit } : one)

const SITE: Readonly<Record<string, string>> = {
  'site.yaml': 'kind: site\nname: f\ndomain: f.example.com\nadmin: { network: admin, address: 10.0.0.2 }\nbarclamps: [builtin, { path: barclamps }]\n',
  'net.yaml': 'kind: network\nname: admin\nsubnets: [{ cidr: 10.0.0.0/24, gateway: 10.0.0.1, ranges: { admin: 10.0.0.2-10.0.0.9, host: 10.0.0.50-10.0.0.99 } }]\n',
  'adm.yaml': 'kind: node\nname: adm\nadmin: true\n',
  'hw.yaml': `kind: hardware
name: store
disks:
  system: { choose: { rotational: false, count: 2 }, raid: 1, onInstall: wipe }
  data: { choose: { rotational: true, count: 2 }, onInstall: keep }
layout:
  - { on: system, mount: swap, fs: swap, size: 1GiB }
  - { on: system, mount: /, fs: ext4, size: rest }
`,
  'a.yaml': 'kind: node\nname: a\nos: debian-12\nhardware: store\nmachine: { serial: SER-x1 }\n',
  'b.yaml': 'kind: node\nname: b\nos: debian-12\nhardware: store\nmachine: { mac: "52:54:00:00:01:02" }\n',
  'c.yaml': 'kind: node\nname: c\nos: debian-12\nhardware: store\nmachine: { serial: SER-x3 }\nprotect: true\n',
  'dep.yaml': 'kind: deployment\nname: d\nroles:\n  osd: { nodes: [a, b] }\n  mon: { nodes: [a] }\n  cli: { nodes: [b] }\n  prep: { nodes: [a] }\n  tune: { nodes: [c] }\n',
  'barclamps/st/barclamp.yaml': `kind: barclamp
name: st
version: 1.0.0
attributes: { type: object, properties: { dev: { type: string, default: sdc }, level: { type: integer, default: 1 }, pools: { type: object, default: { one: { size: 1 } } } } }
roles:
  osd: { jig: script, run: run.sh, remove: { run: rm.sh, deletesData: true }, onChange: { dev: wipe, pools: restart, pools.one: wipe } }
  mon: { jig: script, run: run.sh, remove: { run: rm.sh, deletesData: false }, provides: { key: { type: string } } }
  cli: { jig: script, run: run.sh, wants: { key: { from: mon, provide: key } }, onChange: { wants.key: restart } }
  prep: { jig: script, run: run.sh, flags: [discovery], onChange: { dev: wipe } }
  tune: { jig: script, run: run.sh, onChange: { default: reboot } }
`,
  'barclamps/st/run.sh': 'run\n',
  'barclamps/st/rm.sh': 'rm\n',
  ...(Object.assign({}, ...(['x1', 'x2', 'x3', 'x4'] as const).map((id) => seen(id))) as Record<string, string>),
}

const BARCLAMP = 'barclamps/st/barclamp.yaml'
function edited(path: string, ...pairs: readonly (readonly [string, string])[]): Edit {
  let text = SITE[path] ?? ''
  for (const [from, to] of pairs) {
    if (!text.includes(from)) throw new Error(`${path} has no ${from}`)
    text = text.replaceAll(from, to)
  }
  return { [path]: text }
}
const hardware = (...pairs: readonly (readonly [string, string])[]): Edit => edited('hw.yaml', ...pairs)
const attributes = (text: string): Edit => edited('dep.yaml', ['name: d\n', `name: d\nattributes: { st: { ${text} } }\n`])
const FORKED: Edit = Object.fromEntries(Object.entries(SITE).flatMap(([path, text]) => (path.startsWith('barclamps/') ? [[path, undefined], [path.replace('/st/', '/fork/'), text]] : [])))

const compiled = (edit: Edit, lock: Lock | null): ReturnType<typeof success> =>
  success(compileTexts(Object.fromEntries(Object.entries({ ...SITE, ...(lock === null ? {} : { 'site.lock.json': lockText(lock) }), ...edit }).flatMap(([path, text]) => (text === undefined ? [] : [[path, text]])))))
const { plan: base, lock } = compiled({}, null)
const machines = (blank: (one: DiskFact) => boolean = () => false) => Object.entries(DISKS).map(([id, disks]) => ({ id, seen: '2026-03-01T09:00:00.000Z', disks: disks.map((one) => ({ id: diskId(one), serial: one.serial, model: 'm', bytes: one.bytes, blank: blank(one), signature: blank(one) ? 'blank' : `${id} ${one.path}`, summary: blank(one) ? 'blank' : 'in use', stamp: null })) }))
const complete = applied(base, { machines: machines() })
/** What the SSDs hold is known to be nothing, as after an erasure that was made by hand. */
const emptied = applied(base, { machines: machines(({ rotational }) => !rotational) })
const withNode = (node: string, more: Partial<Ledger['nodes'][string]>): Ledger => ({ ...complete, nodes: Object.fromEntries(Object.entries(complete.nodes).map(([name, one]) => [name, name === node ? { ...one, ...more } : one])) })
const withoutNode = (node: string): Ledger => ({ ...complete, nodes: Object.fromEntries(Object.entries(complete.nodes).filter(([name]) => name !== node)) })

const ALL = ['may restart d/cli@b', 'wipe (refused) install@c', 'wipe install@a', 'wipe install@b']
const AGAIN = ['may restart d/cli@b', 'wipe install@a']
const CONTENT = ['may restart d/cli@b', 'reboot d/tune@c', 'run d/mon@a', 'run d/osd@a', 'run d/osd@b']
const DEV = ['may restart d/cli@b', 'reboot d/tune@c', 'run d/mon@a', 'wipe d/osd@a', 'wipe d/osd@b']

interface Row {
  readonly gives: readonly string[]
  readonly onto?: Ledger
  readonly lock?: Lock
}

/** On a ledger that is complete, if it does not say another. */
const ROWS: readonly (readonly [string, Edit, readonly string[] | Row])[] = [
  // Facts.
  ['a disk of the mirror says that it is rotational', facts('x1', first({ rotational: true })), AGAIN],
  ['all disks with serial numbers in other slots', facts('x1', (one) => ({ ...one, path: `q${one.path}` })), []],
  ['all disks without serial numbers in other slots', facts('x3', (one) => ({ ...one, path: `q${one.path}` })), ['may wipe (refused) install@c']],
  ['a disk shows a WWN beside its serial number', facts('x1', first({ wwn: 'eui.1' })), []],
  ['a disk shows a serial number beside its WWN', facts('x2', first({ serial: 'new' })), []],
  ['a disk shows no serial number any more', facts('x1', first({ serial: '' })), []],
  ['disks that had no name get serial numbers', facts('x3', (one) => ({ ...one, serial: `s${one.path}` })), ['may wipe (refused) install@c']],
  ['disks listed in another order', seen('x1', DISKS.x1.toReversed()), []],
  ['a disk that comes before those of the mirror', seen('x1', [disk('x1-new', 9, { path: 'a0' }), ...DISKS.x1]), []],
  ['a disk of the mirror is in another machine', { ...seen('x1', DISKS.x1.slice(1)), ...seen('x4', [...DISKS.x4, DISKS.x1[0]]) }, []],
  ['two machines have swapped their disks', { ...seen('x1', DISKS.x4), ...seen('x4', DISKS.x1) }, ['may restart d/cli@b', 'may wipe install@a']],
  ['two machines have swapped their boards', { ...seen('x1', DISKS.x1, { serial: 'SER-x4' }), ...seen('x4', DISKS.x4, { serial: 'SER-x1' }) }, ['may restart d/cli@b', 'run d/prep@a', 'wipe install@a']],
  ['the pinned card is in another machine', { ...seen('x2', DISKS.x2, { mac: '52:54:00:00:01:09' }), ...seen('x4', DISKS.x4, { mac: '52:54:00:00:01:02' }) }, ['wipe install@b']],
  ['the pinned card is in two machines', seen('x4', DISKS.x4, { mac: '52:54:00:00:01:02' }), []],
  // Hardware documents.
  ['a bound that all chosen disks are within', hardware(['rotational: false', 'rotational: false, minBytes: 5000000000']), []],
  ['the same disks by their bus', hardware(['rotational: false', 'bus: nvme']), []],
  ['the kept disks by their size, for the system', hardware(['rotational: false', 'minBytes: 7000000000'], ['rotational: true', 'rotational: false']), ALL],
  ['what is kept and what is wiped swapped', hardware(['rotational: false', 'rotational: X'], ['rotational: true', 'rotational: false'], ['rotational: X', 'rotational: true']), ALL],
  ['the kept disks wiped, too', hardware(['keep', 'wipe']), ALL],
  ['the kept disks not named any more', hardware(['  data: { choose: { rotational: true, count: 2 }, onInstall: keep }\n', '']), []],
  ['the kept disks under another name', hardware(['  data:', '  bulk:']), []],
  ['an array of the kept disks', hardware(['onInstall: keep', 'raid: 1, onInstall: keep']), []],
  ['no mirror any more', hardware(['count: 2 }, raid: 1', 'count: 1 }']), ALL],
  ['a partition that grows', hardware(['1GiB', '2GiB']), ALL],
  ['a partition of the same size in another unit', hardware(['1GiB', '1024MiB']), []],
  ['another filesystem', hardware(['ext4', 'xfs']), ALL],
  ['rows of the layout in another order', hardware(['  - { on: system, mount: swap, fs: swap, size: 1GiB }\n', ''], ['size: rest }\n', 'size: rest }\n  - { on: system, mount: swap, fs: swap, size: 1GiB }\n']), ALL],
  ['the same document under another name', { ...edited('a.yaml', ['store', 'other']), 'other.yaml': SITE['hw.yaml']?.replace('name: store', 'name: other') }, []],
  ['a protected node without its hardware document', edited('c.yaml', ['hardware: store\n', '']), ['wipe (refused) install@c']],
  // Nodes.
  ['a protected node freed and taken out', { 'c.yaml': undefined, ...edited('dep.yaml', ['  tune: { nodes: [c] }\n', '']) }, ['release (refused) release@c']],
  ['a protected node freed and moved to another machine', edited('c.yaml', ['SER-x3', 'SER-x4'], ['protect: true\n', '']), ['wipe (refused) install@c']],
  ['a protected node freed, renamed and given another os', { ...edited('c.yaml', ['name: c', 'name: e\nmoved: { from: c }'], ['protect: true\n', ''], ['debian-12', 'debian-13']), ...edited('dep.yaml', ['[c]', '[e]']) }, ['wipe (refused) install@e']],
  ['two nodes swap names without a word of it', { ...edited('a.yaml', ['name: a', 'name: b']), ...edited('b.yaml', ['name: b', 'name: a']) }, ['run d/prep@a', 'wipe install@a', 'wipe install@b']],
  ['three nodes change machines in a circle', { ...edited('a.yaml', ['{ serial: SER-x1 }', '{ mac: "52:54:00:00:01:02" }']), ...edited('b.yaml', ['{ mac: "52:54:00:00:01:02" }', '{ serial: SER-x3 }']), ...edited('c.yaml', ['SER-x3', 'SER-x1']) }, ['run d/prep@a', 'wipe (refused) install@c', 'wipe install@a', 'wipe install@b']],
  // Roles and barclamps.
  ['a role that deletes data moved on by one node', edited('dep.yaml', ['osd: { nodes: [a, b] }', 'osd: { nodes: [b, c] }']), ['run d/osd@c', 'wipe d/osd@a#remove']],
  ['a role that deletes data renamed', { ...edited(BARCLAMP, ['  osd:', '  ceph:']), ...edited('dep.yaml', ['  osd:', '  ceph:']) }, ['may restart d/cli@b', 'reboot d/tune@c', 'run d/ceph@a', 'run d/ceph@b', 'run d/mon@a', 'wipe d/osd@a#remove', 'wipe d/osd@b#remove']],
  ['who needs whom turned round', edited(BARCLAMP, ['provides: { key: { type: string } }', 'wants: { key: { from: cli, provide: key } }'], ['run: run.sh, wants: { key: { from: mon, provide: key } }, onChange: { wants.key: restart }', 'run: run.sh, provides: { key: { type: string } }']), ['reboot d/tune@c', 'restart d/cli@b', 'run d/mon@a', 'run d/osd@a', 'run d/osd@b']],
  ['a fork of the barclamp, as it is', FORKED, []],
  ['a fork of the barclamp, with another script', { ...FORKED, 'barclamps/fork/run.sh': 'other\n' }, CONTENT],
  ['other ends of lines in documents', Object.fromEntries(Object.entries(SITE).flatMap(([path, text]) => (path.endsWith('.yaml') && path !== BARCLAMP ? [[path, text.replaceAll('\n', '\r\n')]] : []))), []],
  ['an attribute that wipes, by its default', edited(BARCLAMP, ['default: sdc', 'default: sdd']), DEV],
  ['an attribute that wipes, under another name', edited(BARCLAMP, ['dev', 'disk']), DEV],
  ['below a map: what wipes', attributes('pools: { one: { size: 2 } }'), DEV],
  ['below a map: beside what wipes', attributes('pools: { two: { size: 1 } }'), ['may restart d/cli@b', 'reboot d/tune@c', 'restart d/osd@a', 'restart d/osd@b', 'run d/mon@a']],
  ['a role of the discovery image becomes one of the node', edited(BARCLAMP, ['flags: [discovery], ', '']), [...CONTENT, 'run d/prep@a']],
  ['a role of the discovery image becomes a destructive one of the node', edited(BARCLAMP, ['[discovery]', '[destructive]']), [...CONTENT, 'wipe d/prep@a']],
  ['another os on disks that are blank', edited('a.yaml', ['debian-12', 'debian-13']), { onto: emptied, gives: ['may restart d/cli@b', 'reinstall install@a'] }],
  ['another os on blank disks, and what a role of the discovery image wipes for', { ...edited('a.yaml', ['debian-12', 'debian-13']), ...attributes('dev: sdd') }, { onto: emptied, gives: [...DEV.filter((one) => one !== 'run d/mon@a'), 'reinstall install@a', 'wipe d/prep@a'] }],
  ['another os on blank disks, and what that role does not wipe for', { ...edited('a.yaml', ['debian-12', 'debian-13']), ...attributes('level: 2') }, { onto: emptied, gives: ['may restart d/cli@b', 'reboot d/tune@c', 'reinstall install@a', 'run d/osd@b', 'run d/prep@a'] }],
  // Lock and ledger.
  ...(['claims', 'nodes', 'bindings', 'addresses', 'disks'] as const).map((part) => [`a merge lost ${part} of the lock`, {}, { lock: { ...lock, [part]: {} }, gives: [] }] as const),
  ['ends of lines in the lock', { 'site.lock.json': lockText(lock).replaceAll('\n', '\r\n') }, []],
  ['a node lost from the ledger', {}, { onto: withoutNode('a'), gives: ['may restart d/cli@b', 'run d/prep@a', 'wipe install@a'] }],
  ['a protected node lost from the ledger', {}, { onto: withoutNode('c'), gives: ['wipe install@c'] }],
  ['an installation lost from the ledger', {}, { onto: withNode('a', { incarnation: null }), gives: AGAIN }],
  ['two nodes on one machine in the ledger', {}, { onto: withNode('c', { machine: 'x1' }), gives: ['wipe (refused) install@c'] }],
  ['all values lost from the ledger, and a role taken out', edited('dep.yaml', ['  osd: { nodes: [a, b] }\n', '']), { onto: { ...complete, values: {} }, gives: ['wipe d/osd@a#remove', 'wipe d/osd@b#remove'] }],
  ['all values lost from the ledger, and an attribute that wipes', attributes('dev: sdd'), { onto: { ...complete, values: {} }, gives: DEV.map((one) => `may ${one.replace('may ', '')}`) }],
]

describe('a cluster on mirrors', () => {
  for (const [what, edit, expected] of ROWS) {
    it(`is done to as it should: ${what}`, () => {
      const row: Row = 'gives' in expected ? expected : { gives: expected }
      const changes = change(row.onto ?? complete, compiled(edit, row.lock ?? lock).plan)
      expect(consequences(changes)).toStrictEqual(row.gives.toSorted())
      for (const { consequence, needsApproval } of changes.changes) expect(needsApproval).toBe(consequence === 'wipe')
    })
  }

  it('stays as it is when entries that wipe stand in another order and choose the same disks', () => {
    const wiped = hardware(['keep', 'wipe'])
    const turned = { 'hw.yaml': (wiped['hw.yaml'] ?? '').replace(/( {2}system: .*\n)( {2}data: .*\n)/, '$2$1') }
    expect(turned).not.toStrictEqual(wiped)
    const before = compiled(wiped, null)
    const ledger = applied(before.plan, { machines: machines() })
    expect(consequences(change(ledger, compiled(turned, before.lock).plan))).toStrictEqual([])
    const swapped = hardware(['keep', 'wipe'], ['rotational: false', 'rotational: X'], ['rotational: true', 'rotational: false'], ['rotational: X', 'rotational: true'])
    expect(consequences(change(ledger, compiled(swapped, null).plan))).toContain('wipe install@a')
  })

  it('shows every disk of the machine as one that a role of the discovery image may write, when it wipes for what changed', () => {
    const { changes } = change(emptied, compiled({ ...edited('a.yaml', ['debian-12', 'debian-13']), ...attributes('dev: sdd') }, lock).plan)
    expect(changes.find(({ step }) => step.id === 'd/prep@a')?.disks.map(({ id, fate }) => `${id} ${fate}`)).toStrictEqual(DISKS.x1.map((one) => `${diskId(one)} wiped`).toSorted())
  })
})
