import { EDITED_SITE } from '../../builders/edited-site.ts'
import { secretFiles } from '../../builders/secrets.ts'
import { folded, wasSent } from '../../builders/ledger.ts'
import type { Ledger } from '../../../schemas/ledger.ts'
import { attributes, compiled, generation, lock, replaced, role, step } from './editing.ts'
import type { Edit, Row } from './editing.ts'

const text = (path: string): string => EDITED_SITE[path] ?? ''
const db = (from: string, to: string): Edit => replaced('barclamps/db/barclamp.yaml', from, to)
const misc = (from: string, to: string): Edit => replaced('barclamps/misc/barclamp.yaml', from, to)
const DESTRUCTIVE = ', flags: [destructive], onChange: { disk: wipe }'
const SAFE: Edit = misc(DESTRUCTIVE, '')
const DATADIR = attributes('datadir: /srv')
/** All roles of the barclamp misc run again, as its content is another one. */
const MISC = ['may restart app/user@n2', 'run app/cache@n2', 'run app/plain@n2', 'run app/token@n1', 'run base/probe@j1']
const MISC_FAILED = ['run app/db@n1', 'run app/token@n1', 'run base/probe@j1', 'wipe install@n2']
/** A run of a role that did not succeed, on top of what a ledger has. */
const begun = (edit: Edit, id: string) => (ledger: Ledger): Ledger => {
  const { plan } = compiled(edit, lock)
  return folded(ledger, [wasSent(step(plan, id), plan)])
}
const protectedBefore = (node: string) => (ledger: Ledger): Ledger => {
  const before = ledger.nodes[node]
  return before === undefined ? ledger : { ...ledger, nodes: { ...ledger.nodes, [node]: { ...before, protect: `nodes/${node}.yaml:5:1` } } }
}
/** Two nodes of the ledger say that they are on one machine. */
const heldTwice = (ledger: Ledger): Ledger => {
  const n2 = ledger.nodes['n2']
  return n2 === undefined ? ledger : { ...ledger, nodes: { ...ledger.nodes, a2: { ...n2, node: 'a2', index: 90 } } }
}
const without = (path: string, ...lines: readonly string[]): string => lines.reduce((left, one) => left.replace(one, ''), text(path))
const ALL_MISC = (more: readonly string[]): Pick<Row, 'gives' | 'failed'> => ({ gives: [...MISC, ...more].toSorted(), failed: [...MISC_FAILED, ...more].toSorted() })

/** What barclamps declare, edited together with what it is declared of; and edits that move things about. */
export const DECLARED_EDITS: readonly Row[] = [
  // What a role declares counts as it was and as it is.
  { edit: 'a consequence lowered with the edit that has it', to: { ...db('datadir: wipe', 'datadir: run'), ...DATADIR }, gives: ['wipe app/db@n1', 'wipe app/db@n2'], failed: ['wipe app/db@n1', 'wipe install@n2'] },
  { edit: 'all consequences taken away with the edit that has one', to: { ...db('onChange: { default: run, port: restart, datadir: wipe, wants.password: restart }', 'onChange: {}'), ...DATADIR }, gives: ['wipe app/db@n1', 'wipe app/db@n2'], failed: ['wipe app/db@n1', 'wipe install@n2'] },
  { edit: 'a consequence lowered alone', to: db('datadir: wipe', 'datadir: run'), gives: ['run app/db@n1', 'run app/db@n2'], failed: ['run app/db@n1', 'wipe install@n2'] },
  { edit: 'a consequence raised with the edit that has it', to: { ...db('port: restart', 'port: wipe'), ...attributes('port: 1') }, gives: ['wipe app/db@n1', 'wipe app/db@n2'], failed: ['wipe app/db@n1', 'wipe install@n2'] },
  { edit: 'what happens by default raised', to: db('default: run', 'default: wipe'), gives: ['wipe app/db@n1', 'wipe app/db@n2'], failed: ['wipe app/db@n1', 'wipe install@n2'] },
  { edit: 'an attribute named with and without its barclamp', to: { ...db('datadir: wipe', 'datadir: wipe, db.datadir: run'), ...DATADIR }, gives: ['wipe app/db@n1', 'wipe app/db@n2'], failed: ['wipe app/db@n1', 'wipe install@n2'] },
  { edit: 'a role that is not destructive any more', to: SAFE, ...ALL_MISC(['wipe app/format@n1']) },
  { edit: 'a role that is not destructive any more, and gets another disk', to: { ...SAFE, 'nodes/n1.yaml': `${text('nodes/n1.yaml')}attributes: { misc: { disk: sdc } }\n` }, ...ALL_MISC(['wipe app/format@n1']) },
  { edit: 'a role that is not destructive any more, whose last run failed', to: SAFE, onto: (ledger) => begun({}, 'app/format@n1')(ledger), ...ALL_MISC(['wipe app/format@n1']) },
  { edit: 'a role that is destructive now', to: misc('plain: { jig: script, run: run.sh }', 'plain: { jig: script, run: run.sh, flags: [destructive] }'), gives: ['may restart app/user@n2', 'run app/cache@n2', 'run app/token@n1', 'run base/probe@j1', 'wipe app/plain@n2'], failed: ['run app/db@n1', 'run app/token@n1', 'run base/probe@j1', 'wipe app/plain@n2', 'wipe install@n2'] },
  { edit: 'a `remove` taken away with the role', to: { ...db('    remove: { run: remove.sh, deletesData: false }\n', ''), ...role('  db: { nodes: [n1, n2] }\n', '') }, gives: ['remove app/db@n1#remove', 'remove app/db@n2#remove'], failed: ['remove app/db@n1#remove', 'wipe install@n2'] },
  { edit: 'a `remove` that is said to delete nothing by the commit that has it run', to: { ...misc('remove: remove.sh', 'remove: { run: remove.sh, deletesData: false }'), ...role('  cache: { nodes: [n2] }\n', '') }, gives: ['may restart app/user@n2', 'run app/plain@n2', 'run app/token@n1', 'run base/probe@j1', 'wipe app/cache@n2#remove'], failed: MISC_FAILED },
  { edit: 'a barclamp taken out with its role', to: { ...Object.fromEntries(['barclamp.yaml', 'run.sh', 'check.sh', 'remove.sh'].map((name) => [`barclamps/db/${name}`, undefined])), ...role('  db: { nodes: [n1, n2] }\n', '') }, gives: ['remove app/db@n1#remove', 'remove app/db@n2#remove'], failed: ['remove app/db@n1#remove', 'wipe install@n2'] },
  { edit: 'a barclamp in another folder', to: Object.fromEntries(Object.entries(EDITED_SITE).flatMap(([path, content]) => (path.startsWith('barclamps/db/') ? [[path, undefined], [path.replace('/db/', '/x/y/'), content]] : []))), gives: [] },
  { edit: 'what runs of a role becomes nothing', to: misc('plain: { jig: script, run: run.sh }', 'plain: { jig: noop }'), ...ALL_MISC([]) },
  // Begun and begun anew.
  { edit: 'an edit that wipes was begun, and is taken back', to: {}, onto: begun(DATADIR, 'app/db@n1'), gives: ['may wipe app/db@n1'], failed: ['may wipe app/db@n1', 'wipe install@n2'] },
  { edit: 'an edit that wipes was begun, then another one, which is tried again', to: attributes('port: 1'), onto: (ledger) => begun(attributes('port: 1'), 'app/db@n1')(begun(DATADIR, 'app/db@n1')(ledger)), gives: ['may wipe app/db@n1', 'restart app/db@n2'], failed: ['may wipe app/db@n1', 'wipe install@n2'] },
  { edit: 'an edit that wipes was begun, then the one before', to: {}, onto: (ledger) => begun({}, 'app/db@n1')(begun(DATADIR, 'app/db@n1')(ledger)), gives: ['may wipe app/db@n1'], failed: ['may wipe app/db@n1', 'wipe install@n2'] },
  // Roles and deployments that move.
  { edit: 'a role moved to another deployment', to: { ...role('  cache: { nodes: [n2] }\n', ''), ...replaced('base.yaml', 'probe:', 'cache: { nodes: [n2] }, probe:') }, gives: ['run base/cache@n2', 'wipe app/cache@n2#remove'], failed: ['run app/db@n1', 'wipe install@n2'] },
  { edit: 'a deployment split', to: { 'app.yaml': without('app.yaml', '  plain: { nodes: [n2] }\n', '  format: { nodes: [n1] }\n'), 'rest.yaml': 'kind: deployment\nname: rest\nroles:\n  plain: { nodes: [n2] }\n  format: { nodes: [n1] }\n' }, gives: ['run rest/plain@n2', 'wipe rest/format@n1'], failed: ['run app/db@n1', 'wipe install@n2', 'wipe rest/format@n1'] },
  { edit: 'a deployment taken out', to: { 'app.yaml': undefined }, gives: ['remove app/db@n1#remove', 'remove app/db@n2#remove', 'wipe app/cache@n2#remove'], failed: ['remove app/db@n1#remove', 'wipe install@n2'] },
  { edit: 'who provides a value moved to another node', to: role('  token: { nodes: [n1] }', '  token: { nodes: [n2] }'), gives: ['restart app/user@n2', 'run app/token@n2'], failed: ['run app/db@n1', 'wipe install@n2'] },
  { edit: 'a protected node loses a role that deletes data, with its protection', to: role('  cache: { nodes: [n2] }\n', ''), onto: protectedBefore('n2'), gives: ['wipe (refused) app/cache@n2#remove'], failed: ['run app/db@n1', 'wipe install@n2'] },
  { edit: 'a protected node gets an attribute that wipes, with its protection taken away', to: DATADIR, onto: protectedBefore('n1'), gives: ['wipe (refused) app/db@n1', 'wipe app/db@n2'], failed: ['wipe (refused) app/db@n1', 'wipe install@n2'] },
  // Secrets and values.
  { edit: 'a secret of another name', to: { 'secrets/db/root.age': undefined, ...secretFiles({ 'db/admin': '3-aa' }), ...db('secret: db/root', 'secret: db/admin') }, gives: ['restart app/db@n1', 'restart app/db@n2'], failed: ['restart app/db@n1', 'wipe install@n2'] },
  { edit: 'an attribute in place of a secret', to: db('{ secret: db/root }', '{ attribute: db.datadir }'), gives: ['restart app/db@n1', 'restart app/db@n2'], failed: ['restart app/db@n1', 'wipe install@n2'] },
  { edit: 'an attribute taken away', to: attributes('datadir: { $unset: true }'), gives: ['wipe app/db@n1', 'wipe app/db@n2'], failed: ['wipe app/db@n1', 'wipe install@n2'] },
  { edit: 'an attribute computed, to what it was', to: attributes("datadir: \"${'/var/lib' + '/mysql'}\""), gives: [] },
  { edit: 'an attribute that a rule sets', to: replaced('rules.yaml', 'tags: [big] }', 'tags: [big], attributes: { ntp: { servers: [r] } } }'), gives: ['restart base/ntp@n3'], partial: ['wipe install@n3'], failed: ['restart base/ntp@n3', 'run app/db@n1', 'wipe install@n2'] },
  // Machines and disks.
  { edit: 'a system disk that was grown', to: replaced('inventory/m1.json', '4294967296', '8589934592'), gives: [] },
  { edit: 'a system disk that was grown, and another layout', to: { ...replaced('inventory/m1.json', '4294967296', '8589934592'), 'hardware.yaml': `${text('hardware.yaml')}layout: [{ on: system, mount: /, fs: xfs, size: rest }]\n` }, gives: ['may restart app/user@n2', 'may wipe install@n1', 'wipe app/format@n1', 'wipe install@n2', 'wipe install@n3'], failed: ['may wipe install@n1', 'wipe app/format@n1', 'wipe install@n2', 'wipe install@n3'] },
  { edit: 'a system disk that was grown, where an install is asked for', to: replaced('inventory/m1.json', '4294967296', '8589934592'), lock: generation('n1', 1), gives: ['may restart app/user@n2', 'may wipe install@n1', 'wipe app/format@n1'], failed: ['may wipe install@n1', 'wipe app/format@n1', 'wipe install@n2'] },
  { edit: 'both disks to be wiped and mounted', to: { 'hardware.yaml': `${text('hardware.yaml').replace('keep', 'wipe')}layout: [{ on: system, mount: /, fs: ext4, size: rest }, { on: data, mount: /srv, fs: xfs, size: rest }]\n` }, gives: ['may restart app/user@n2', 'wipe app/format@n1', 'wipe install@n1', 'wipe install@n2', 'wipe install@n3'], failed: ['wipe app/format@n1', 'wipe install@n1', 'wipe install@n2', 'wipe install@n3'] },
  { edit: 'a mirror in place of one disk', to: { 'hardware.yaml': 'kind: hardware\nname: two\ndisks:\n  system: { choose: { count: 2 }, raid: 1, onInstall: wipe }\n' }, gives: ['may restart app/user@n2', 'wipe app/format@n1', 'wipe install@n1', 'wipe install@n2', 'wipe install@n3'], failed: ['wipe app/format@n1', 'wipe install@n1', 'wipe install@n2', 'wipe install@n3'] },
  { edit: 'hardware of another name', to: { ...replaced('hardware.yaml', 'name: two', 'name: pair'), ...replaced('nodes/n1.yaml', 'two', 'pair'), ...replaced('nodes/n2.yaml', 'two', 'pair'), ...replaced('nodes/n3.yaml', 'two', 'pair') }, gives: [] },
  { edit: 'the disk that it was, by its serial', to: { ...replaced('nodes/n1.yaml', 'two', 'mine'), 'mine.yaml': 'kind: hardware\nname: mine\ndisks: { system: { choose: { serial: m1-a }, onInstall: wipe } }\n' }, gives: [] },
  { edit: 'the kept disk in place of the system disk, by its serial', to: { ...replaced('nodes/n1.yaml', 'two', 'mine'), 'mine.yaml': 'kind: hardware\nname: mine\ndisks: { system: { choose: { serial: m1-b }, onInstall: wipe } }\n' }, gives: ['may restart app/user@n2', 'wipe app/format@n1', 'wipe install@n1'], failed: ['wipe app/format@n1', 'wipe install@n1', 'wipe install@n2'] },
  { edit: 'an installed node is taken for one that joined', to: replaced('nodes/n1.yaml', 'debian-12', 'here'), gives: ['may restart app/user@n2', 'run install@n1', 'wipe app/format@n1'], failed: ['run install@n1', 'wipe app/format@n1', 'wipe install@n2'] },
  { edit: 'the os that a node joined with is an image now', to: replaced('here.yaml', 'install: joined', 'install: image\nsource: debian-bookworm'), gives: ['may wipe install@j1'] },
  { edit: 'a pin in place of tags, to the machine that it has', to: replaced('nodes/n3.yaml', 'tags: [big]', 'serial: S3'), gives: [] },
  { edit: 'a pin in place of tags, to a machine in use', to: replaced('nodes/n3.yaml', 'tags: [big]', 'serial: SU'), gives: ['wipe install@n3'], partial: ['wipe install@n3'] },
  { edit: 'a node out, and a new one on its machine', to: { 'nodes/n1.yaml': undefined, 'nodes/x.yaml': 'kind: node\nname: x1\nos: debian-12\nhardware: two\nmachine: { serial: S1 }\n', ...replaced('base.yaml', 'n1', 'x1'), ...replaced('app.yaml', 'n1', 'x1') }, gives: ['release release@n1', 'restart app/user@n2', 'wipe app/format@x1', 'wipe install@x1'], failed: ['release release@n1', 'wipe app/format@x1', 'wipe install@n2', 'wipe install@x1'] },
  { edit: 'a node whose machine the ledger has for another one too', to: {}, onto: heldTwice, gives: ['release release@a2'] },
  { edit: 'an installed node becomes an admin node', to: replaced('nodes/n1.yaml', 'machine: { serial: S1 }', 'admin: true'), gives: ['wipe app/format@n1'], failed: ['run app/db@n1', 'wipe app/format@n1', 'wipe install@n2'], said: ['admin deny'] },
  { edit: 'a node that joined becomes an admin node', to: replaced('nodes/j1.yaml', 'os: here\nmachine: { serial: SJ }', 'admin: true'), gives: [], said: ['admin deny'] },
]
