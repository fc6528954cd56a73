import { describe, expect, it } from 'vitest'
import { change } from '../../../compiler/change/change.ts'
import { lockText } from '../../../compiler/allocate/lock-text.ts'
import type { Changes } from '../../../schemas/changes.ts'
import { CONSEQUENCES } from '../../../schemas/documents/words.ts'
import { isErase } from '../../../schemas/operation.ts'
import type { Ledger } from '../../../schemas/ledger.ts'
import type { Lock } from '../../../schemas/lock.ts'
import type { Plan, Step } from '../../../schemas/plan.ts'
import { EDITED_SITE, disks } from '../../builders/edited-site.ts'
import { secretFiles } from '../../builders/secrets.ts'
import { applied, folded, inOrder, ran, wasSent } from '../../builders/ledger.ts'
import { DECLARED_EDITS } from './declared-edits.ts'
import { MOVED_EDITS, ranges } from './moved-edits.ts'
import { attributes, changesOf, compileTexts, compiled, complete, consequences, generation, installOf, inventory, KERNEL, kernelRan, LEDGERS, LEFT, lock, lockOf, replaced, role } from './editing.ts'
import type { Edit, Row } from './editing.ts'
import type { Texts } from '../compiling.ts'

const ERASE = 'kind: operation\nname: gone\ndo: [check, erase]\nnodes: [n1]\n'
const eraseOf = (text: string, locked: Lock = lock) => {
  const { plan } = compiled({ 'gone.yaml': text }, locked)
  return { plan, erase: plan.operations.flatMap(({ steps }) => steps).find(({ destructive }) => destructive) as Step, steps: plan.operations.flatMap(({ steps }) => steps) }
}
/** A ledger in which the operation was done on n1, and one in which its erasure was begun. */
const erased = (ledger: Ledger, node = 'n1'): Ledger => {
  const { plan, steps } = eraseOf(ERASE.replace('n1', node))
  return folded(ledger, steps.flatMap((one) => ran(one, plan)))
}
const halfErased = (ledger: Ledger): Ledger => folded(ledger, [wasSent(eraseOf(ERASE).erase, eraseOf(ERASE).plan)])

/** A node under another name wherever the site names it. */
function everywhere(from: string, to: string): Edit {
  const texts = Object.entries(EDITED_SITE).map(([path, text]) => [path, text.replaceAll(new RegExp(`\\b${from}\\b`, 'g'), path === `nodes/${from}.yaml` ? `${to}\nmoved: { from: ${from} }` : to)])
  return Object.fromEntries(texts.filter(([path, text]) => EDITED_SITE[path ?? ''] !== text))
}
const SWAPPED: Edit = Object.fromEntries(
  Object.entries(EDITED_SITE).flatMap(([path, text]) => {
    const other = text.replaceAll(/\bn[12]\b/g, (name) => (name === 'n1' ? 'n2' : 'n1'))
    return other === text ? [] : [[path, path === 'nodes/n1.yaml' ? `${other}moved: { from: n1 }\n` : path === 'nodes/n2.yaml' ? `${other}moved: { from: n2 }\n` : other]]
  }),
)
/** The destructive role, with another `onChange`; and a ledger in which that is applied. */
const formats = (onChange: string): Edit => replaced('barclamps/misc/barclamp.yaml', 'onChange: { disk: wipe }', `onChange: { ${onChange} }`)
const formatted = (onChange: string) => (ledger: Ledger): Ledger => {
  const { plan } = compiled(formats(onChange), lock)
  return folded(ledger, plan.steps.filter((one) => one.barclamp === 'misc' && ledger.nodes[one.node ?? '']?.steps[one.id] !== undefined).flatMap((one) => ran(one, plan)))
}

/** n3 under another name, and then under a third. */
const N4: Edit = { ...replaced('nodes/n3.yaml', 'name: n3', 'name: n4\nmoved: { from: n3 }'), ...replaced('base.yaml', 'n3', 'n4') }
const renamedTo = (ledger: Ledger, from: string, to: string): Ledger => folded(ledger, [{ type: 'node.renamed', names: new Map([[from, to]]) }])
const N5: Edit = { ...replaced('nodes/n3.yaml', 'name: n3', 'name: n5\nmoved: { from: n4 }'), ...replaced('base.yaml', 'n3', 'n5') }

const ROWS: readonly Row[] = [
  ...DECLARED_EDITS,
  ...MOVED_EDITS,
  { edit: 'nothing', to: {}, gives: [] },
  { edit: 'documents moved to other files', to: { 'rules.yaml': undefined, 'a/b.yaml': EDITED_SITE['rules.yaml'] }, gives: [] },
  { edit: 'comments and white space', to: replaced('app.yaml', 'roles:\n', 'roles: # of ours\n\n'), gives: [] },
  { edit: 'Crowbar upgraded', to: {}, crowbar: '9.9.9', gives: [] },
  // Installations.
  { edit: 'another os', to: replaced('nodes/n1.yaml', 'debian-12', 'debian-13'), gives: ['may restart app/user@n2', 'wipe app/format@n1', 'wipe install@n1'], failed: ['wipe app/format@n1', 'wipe install@n1', 'wipe install@n2'] },
  { edit: 'another os of the same release', to: replaced('nodes/n1.yaml', 'debian-12', 'own-12'), gives: ['may restart app/user@n2', 'wipe app/format@n1', 'wipe install@n1'], failed: ['wipe app/format@n1', 'wipe install@n1', 'wipe install@n2'] },
  { edit: 'another os of a node that joined', to: replaced('nodes/j1.yaml', 'here', 'there'), gives: ['run install@j1'] },
  { edit: 'a node that joined is to be installed', to: replaced('nodes/j1.yaml', 'os: here', 'os: debian-12'), gives: ['may wipe install@j1'] },
  { edit: 'a layout for the disks', to: { 'hardware.yaml': `${EDITED_SITE['hardware.yaml']}layout: [{ on: system, mount: /, fs: xfs, size: rest }]\n` }, gives: ['may restart app/user@n2', 'wipe app/format@n1', 'wipe install@n1', 'wipe install@n2', 'wipe install@n3'], failed: ['wipe app/format@n1', 'wipe install@n1', 'wipe install@n2', 'wipe install@n3'] },
  { edit: 'the layout that goes without saying, said', to: { 'hardware.yaml': `${EDITED_SITE['hardware.yaml']}layout: [{ on: system, mount: /, fs: ext4, size: rest }]\n` }, gives: [] },
  { edit: 'the kept disks are to be wiped too', to: replaced('hardware.yaml', 'onInstall: keep', 'onInstall: wipe'), gives: ['may restart app/user@n2', 'wipe app/format@n1', 'wipe install@n1', 'wipe install@n2', 'wipe install@n3'], failed: ['wipe app/format@n1', 'wipe install@n1', 'wipe install@n2', 'wipe install@n3'] },
  { edit: 'other disks chosen for the system', to: { 'hardware.yaml': EDITED_SITE['hardware.yaml']?.replace('false', 'x').replace('true', 'false').replace('x', 'true') }, gives: ['may restart app/user@n2', 'wipe app/format@n1', 'wipe install@n1', 'wipe install@n2', 'wipe install@n3'], failed: ['wipe app/format@n1', 'wipe install@n1', 'wipe install@n2', 'wipe install@n3'] },
  { edit: 'a hardware document that says less', to: { ...replaced('nodes/n1.yaml', 'two', 'one'), 'one.yaml': 'kind: hardware\nname: one\ndisks: { system: { choose: { rotational: false }, onInstall: wipe } }\n' }, gives: [] },
  { edit: 'the packages of the os edited', to: { 'os.yaml': `kind: os\nname: debian-12\nfamily: debian\nversion: "12"\narchitecture: amd64\ninstall: image\nsource: debian-bookworm\npackages: [vim]\n` }, gives: [] },
  { edit: 'the mirror of the os edited', to: { 'source.yaml': 'kind: source\nname: debian-bookworm\ntype: apt\nupstream: [http://deb.example.com/debian]\nsuites: [bookworm]\ncomponents: [main]\n' }, gives: [] },
  { edit: 'the domain of the site', to: replaced('site.yaml', 'domain: test.example.com', 'domain: other.example.com'), gives: [] },
  { edit: 'reinstall: a higher generation', to: {}, lock: generation('n2', 1), gives: ['wipe install@n2'] },
  { edit: 'reinstall of a node that joined', to: {}, lock: generation('j1', 1), gives: ['run install@j1'] },
  { edit: 'reinstall and another attribute', to: attributes('port: 1'), lock: generation('n2', 1), gives: ['restart app/db@n1', 'restart app/db@n2', 'wipe install@n2'], failed: ['restart app/db@n1', 'wipe install@n2'] },
  // Machines.
  { edit: 'the pin moved to a blank machine', to: replaced('nodes/n1.yaml', 'S1', 'SB'), gives: ['may restart app/user@n2', 'reinstall install@n1', 'wipe app/format@n1'], failed: ['reinstall install@n1', 'wipe app/format@n1', 'wipe install@n2'] },
  { edit: 'the pin moved to a machine in use', to: replaced('nodes/n1.yaml', 'S1', 'SU'), gives: ['may restart app/user@n2', 'wipe app/format@n1', 'wipe install@n1'], failed: ['wipe app/format@n1', 'wipe install@n1', 'wipe install@n2'] },
  { edit: 'the pin moved to a machine that nobody has seen', to: replaced('nodes/n1.yaml', 'S1', 'S9'), gives: [] },
  { edit: 'two nodes swap their machines', to: { ...replaced('nodes/n1.yaml', 'S1', 'S2'), ...replaced('nodes/n2.yaml', 'S2', 'S1') }, gives: ['wipe app/format@n1', 'wipe install@n1', 'wipe install@n2'], failed: ['wipe app/format@n1', 'wipe install@n1', 'wipe install@n2'] },
  { edit: 'a network card swapped', to: inventory('m1', '52:54:00:00:00:01', '52:54:00:00:00:77'), gives: [], said: ['network warn'] },
  { edit: 'a board swapped', to: inventory('m1', '00000000-0000-0000-0000-0000000000m1', '11111111-0000-0000-0000-0000000000m1'), gives: [] },
  { edit: 'memory added, so that another rule matches', to: inventory('m3', '4000000000', '16000000000'), gives: [] },
  { edit: 'memory lost, so that no rule matches', to: inventory('m3', '4000000000', '1000000000'), gives: [] },
  { edit: 'a kept disk swapped', to: inventory('m1', '"m1-b"', '"m1-x"'), gives: [] },
  { edit: 'the system disk swapped', to: inventory('m1', '"m1-a"', '"m1-x"'), gives: ['may restart app/user@n2', 'may wipe install@n1', 'wipe app/format@n1'], failed: ['may wipe install@n1', 'wipe app/format@n1', 'wipe install@n2'] },
  { edit: 'a machine vanished', to: { 'inventory/m1.json': undefined }, gives: ['may restart app/user@n2', 'may wipe install@n1', 'wipe app/format@n1'], failed: ['may wipe install@n1', 'wipe app/format@n1', 'wipe install@n2'] },
  { edit: 'a machine retired', to: { 'retired.yaml': 'kind: machine\nserial: S1\nstate: retired\n' }, gives: ['may restart app/user@n2', 'may wipe install@n1', 'wipe app/format@n1'], failed: ['may wipe install@n1', 'wipe app/format@n1', 'wipe install@n2'] },
  { edit: 'a machine seen for the first time', to: disks('mnew', 'SN', 7), gives: [] },
  // Nodes.
  { edit: 'a node renamed', to: { ...replaced('nodes/j1.yaml', 'name: j1', 'name: j2'), ...replaced('base.yaml', 'j1', 'j2') }, gives: ['release release@j1', 'run install@j2'] },
  { edit: 'a node renamed, said by `moved`', to: { ...replaced('nodes/j1.yaml', 'name: j1', 'name: j2\nmoved: { from: j1 }'), ...replaced('base.yaml', 'j1', 'j2') }, gives: [] },
  { edit: 'an installed node renamed', to: N4, gives: [], partial: ['wipe install@n4'] },
  { edit: 'an installed node renamed whose roles others read from', to: everywhere('n1', 'n9'), gives: [], failed: ['run app/db@n9', 'wipe install@n2'] },
  { edit: 'an installed node renamed whose machine is not seen any more', to: { ...N4, 'inventory/m3.json': undefined }, gives: ['may wipe install@n4'], partial: ['may wipe install@n4'] },
  { edit: 'an installed node renamed and put on another machine', to: { ...N4, 'nodes/n3.yaml': N4['nodes/n3.yaml']?.replace('tags: [big]', 'serial: SB') }, gives: ['reinstall install@n4'], partial: ['reinstall install@n4'] },
  { edit: 'an installed node renamed that gets another os', to: { ...N4, 'nodes/n3.yaml': `${N4['nodes/n3.yaml']}os: debian-13\n` }, gives: ['wipe install@n4'], partial: ['wipe install@n4'] },
  { edit: 'an installed node renamed that is protected', to: { ...N4, 'nodes/n3.yaml': `${N4['nodes/n3.yaml']}protect: true\n` }, gives: [], partial: ['wipe install@n4'] },
  { edit: 'an installed node renamed that is protected and gets another os', to: { ...N4, 'nodes/n3.yaml': `${N4['nodes/n3.yaml']}protect: true\nos: debian-13\n` }, gives: ['wipe (refused) install@n4'], partial: ['wipe install@n4'] },
  { edit: 'an installed node renamed that loses a role', to: { ...everywhere('n1', 'n9'), 'app.yaml': EDITED_SITE['app.yaml']?.replace('[n1, n2]', '[n2]').replaceAll('n1', 'n9') }, gives: ['remove app/db@n9#remove'], failed: ['remove app/db@n9#remove', 'wipe install@n2'] },
  { edit: 'an installed node renamed twice, the first never applied', to: N5, lock: compiled(N4, lock).lock, gives: [], partial: ['wipe install@n5'] },
  { edit: 'an installed node renamed twice, one after the other', to: N5, lock: compiled(N4, lock).lock, onto: (ledger) => renamedTo(ledger, 'n3', 'n4'), gives: [], partial: ['wipe install@n5'] },
  { edit: 'an installed node that was renamed, and still says so', to: N4, lock: compiled(N4, lock).lock, onto: (ledger) => renamedTo(ledger, 'n3', 'n4'), gives: [], partial: ['wipe install@n4'] },
  { edit: 'an installed node renamed whose name a new one gets', to: { ...N4, 'nodes/n5.yaml': 'kind: node\nname: n3\nos: debian-12\nhardware: two\nmachine: { serial: SB }\n' }, gives: ['reinstall install@n3', 'wipe install@n4'], partial: ['reinstall install@n3', 'wipe install@n4'], said: ['rename deny'] },
  { edit: 'an installed node renamed to the name of one that is taken out', to: { 'nodes/n2.yaml': 'kind: node\nname: n2\nos: debian-12\nhardware: two\nmachine: { tags: [big] }\nmoved: { from: n3 }\n', 'nodes/n3.yaml': undefined, ...replaced('base.yaml', 'n2, n3', 'n2') }, gives: ['release release@n3'], partial: [], said: ['rename deny'] },
  { edit: 'a rename taken back', to: {}, onto: (ledger) => renamedTo(ledger, 'n3', 'n4'), gives: [] },
  { edit: 'two installed nodes swap their names', to: SWAPPED, gives: [], failed: ['run app/db@n2', 'wipe install@n1'] },
  { edit: 'two installed nodes swap their names, and machines', to: { ...SWAPPED, 'nodes/n1.yaml': SWAPPED['nodes/n1.yaml']?.replace('S1', 'S2'), 'nodes/n2.yaml': SWAPPED['nodes/n2.yaml']?.replace('S2', 'S1') }, gives: ['wipe app/format@n2', 'wipe install@n1', 'wipe install@n2'], failed: ['wipe app/format@n2', 'wipe install@n1', 'wipe install@n2'] },
  { edit: 'an installed node renamed after an operation has ended on it', to: { ...everywhere('n1', 'n9'), 'kernel.yaml': KERNEL.replace('n1', 'n9') }, onto: kernelRan, gives: [], failed: ['run app/db@n9', 'wipe install@n2'] },
  { edit: 'a node taken out', to: { 'nodes/j1.yaml': undefined, ...replaced('base.yaml', ', j1] }, probe: { nodes: [j1] } }', '] } }') }, gives: ['release release@j1'] },
  { edit: 'a new node on a blank machine', to: { 'nodes/n5.yaml': 'kind: node\nname: n5\nos: debian-12\nhardware: two\nmachine: { serial: SB }\n' }, gives: ['reinstall install@n5'] },
  { edit: 'a new node on a machine in use', to: { 'nodes/n5.yaml': 'kind: node\nname: n5\nos: debian-12\nhardware: two\nmachine: { serial: SU }\n' }, gives: ['wipe install@n5'] },
  { edit: 'a new node on a machine that nobody has seen', to: { 'nodes/n5.yaml': 'kind: node\nname: n5\nos: debian-12\nhardware: two\nmachine: { serial: S9 }\n' }, gives: ['may wipe install@n5'] },
  { edit: 'tags, labels and bmc of a node', to: { 'nodes/n1.yaml': `${EDITED_SITE['nodes/n1.yaml']}tags: [x]\nlabels: { rack: a }\n` }, gives: [] },
  { edit: 'a node is protected', to: { 'nodes/n1.yaml': `${EDITED_SITE['nodes/n1.yaml']}protect: true\n` }, gives: [] },
  { edit: 'another os of a node that is protected by the same commit', to: { 'nodes/n1.yaml': `${EDITED_SITE['nodes/n1.yaml']?.replace('debian-12', 'debian-13')}protect: true\n` }, gives: ['may restart app/user@n2', 'wipe (refused) app/format@n1', 'wipe (refused) install@n1'], failed: ['wipe (refused) app/format@n1', 'wipe (refused) install@n1', 'wipe install@n2'] },
  { edit: 'another os of a node whose protection ends with the same commit', to: replaced('nodes/n1.yaml', 'debian-12', 'debian-13'), onto: (ledger) => ({ ...ledger, nodes: { ...ledger.nodes, n1: { ...(ledger.nodes['n1'] as Ledger['nodes'][string]), protect: 'nodes/n1.yaml:5:1' } } }), gives: ['may restart app/user@n2', 'wipe (refused) app/format@n1', 'wipe (refused) install@n1'], failed: ['wipe (refused) app/format@n1', 'wipe (refused) install@n1', 'wipe install@n2'] },
  // Rules.
  { edit: 'rules in another order', to: replaced('rules.yaml', 'order: 10', 'order: 30'), gives: [] },
  { edit: 'the rule that chose an os chooses another', to: replaced('rules.yaml', 'set: { os: debian-12', 'set: { os: debian-13'), gives: [] },
  { edit: 'the rule that chose an os does not match any more', to: replaced('rules.yaml', '> 2000000000', '> 8000000000'), gives: [] },
  { edit: 'the os that a rule chose is written down', to: { 'nodes/n3.yaml': `${EDITED_SITE['nodes/n3.yaml']}os: debian-12\n` }, gives: [] },
  { edit: 'another os is written down than a rule chose', to: { 'nodes/n3.yaml': `${EDITED_SITE['nodes/n3.yaml']}os: debian-13\n` }, gives: ['wipe install@n3'] },
  // Roles.
  { edit: 'a role removed that has a `remove`', to: { ...role('  db: { nodes: [n1, n2] }\n', '') }, gives: ['remove app/db@n1#remove', 'remove app/db@n2#remove'], failed: ['remove app/db@n1#remove', 'wipe install@n2'] },
  { edit: 'a role removed whose `remove` does not say that it deletes nothing', to: role('  cache: { nodes: [n2] }\n', ''), gives: ['wipe app/cache@n2#remove'], failed: ['run app/db@n1', 'wipe install@n2'] },
  { edit: 'a role removed that has no `remove`', to: role('  plain: { nodes: [n2] }\n', ''), gives: [] },
  { edit: 'a destructive role removed', to: role('  format: { nodes: [n1] }\n', ''), gives: [] },
  { edit: 'a role moved to another node', to: role('  cache: { nodes: [n2] }', '  cache: { nodes: [n1] }'), gives: ['run app/cache@n1', 'wipe app/cache@n2#remove'], failed: ['run app/cache@n1', 'run app/db@n1', 'wipe install@n2'] },
  { edit: 'a destructive role moved to another node', to: role('  format: { nodes: [n1] }', '  format: { nodes: [n2] }'), gives: ['wipe app/format@n2'] },
  { edit: 'a deployment renamed', to: role('name: app', 'name: shop'), gives: ['remove app/db@n1#remove', 'remove app/db@n2#remove', 'run shop/cache@n2', 'run shop/db@n1', 'run shop/db@n2', 'run shop/plain@n2', 'run shop/token@n1', 'run shop/user@n2', 'wipe app/cache@n2#remove', 'wipe shop/format@n1'], failed: ['remove app/db@n1#remove', 'run shop/db@n1', 'run shop/token@n1', 'wipe install@n2', 'wipe shop/format@n1'] },
  { edit: 'a role added', to: role('  plain: { nodes: [n2] }', '  plain: { nodes: [n1, n2] }'), gives: ['run app/plain@n1'] },
  { edit: 'a member added to a cluster', to: role('  db: { nodes: [n1, n2] }', '  db: { nodes: [n1, n2, n3] }'), gives: ['run app/db@n3'], partial: ['wipe install@n3'] },
  { edit: 'the founder of a cluster replaced by another node', to: role('  db: { nodes: [n1, n2] }', '  db: { nodes: [n2, n3] }'), gives: ['remove app/db@n1#remove', 'run app/db@n3'], partial: ['remove app/db@n1#remove', 'wipe install@n3'], failed: ['remove app/db@n1#remove', 'run app/db@n3', 'wipe install@n2'] },
  { edit: 'the machine of the founder replaced', to: replaced('nodes/n1.yaml', 'S1', 'SB'), gives: ['may restart app/user@n2', 'reinstall install@n1', 'wipe app/format@n1'], failed: ['reinstall install@n1', 'wipe app/format@n1', 'wipe install@n2'] },
  // Attributes, wants, secrets.
  { edit: 'an attribute that needs a restart', to: attributes('port: 3307'), gives: ['restart app/db@n1', 'restart app/db@n2'], failed: ['restart app/db@n1', 'wipe install@n2'] },
  { edit: 'an attribute whose change deletes data', to: attributes('datadir: /srv'), gives: ['wipe app/db@n1', 'wipe app/db@n2'], failed: ['wipe app/db@n1', 'wipe install@n2'] },
  { edit: 'an attribute that nothing is said of', to: attributes('tuning: { cache: 2 }'), gives: ['run app/db@n1', 'run app/db@n2'], failed: ['run app/db@n1', 'wipe install@n2'] },
  { edit: 'an attribute set to what it was by default', to: attributes('port: 3306'), gives: [] },
  { edit: 'an attribute of the site', to: replaced('site.yaml', '[a]', '[a, b]'), gives: ['restart base/ntp@j1', 'restart base/ntp@n1', 'restart base/ntp@n2', 'restart base/ntp@n3'], partial: ['restart base/ntp@j1', 'restart base/ntp@n1', 'restart base/ntp@n2', 'wipe install@n3'], failed: ['restart base/ntp@j1', 'restart base/ntp@n1', 'restart base/ntp@n3', 'run app/db@n1', 'wipe install@n2'] },
  { edit: 'an attribute of one node', to: { 'nodes/n2.yaml': `${EDITED_SITE['nodes/n2.yaml']}attributes: { ntp: { servers: [z] } }\n` }, gives: ['restart base/ntp@n2'], failed: ['run app/db@n1', 'wipe install@n2'] },
  { edit: 'an attribute of a destructive role for which it wipes', to: { 'nodes/n1.yaml': `${EDITED_SITE['nodes/n1.yaml']}attributes: { misc: { disk: sdc } }\n` }, gives: ['may restart app/user@n2', 'run app/token@n1', 'wipe app/format@n1'], failed: ['run app/db@n1', 'run app/token@n1', 'wipe app/format@n1', 'wipe install@n2'] },
  { edit: 'an attribute of a destructive role for which it does not', to: { 'nodes/n1.yaml': `${EDITED_SITE['nodes/n1.yaml']}attributes: { misc: { fs: xfs } }\n` }, gives: ['may restart app/user@n2', 'run app/token@n1'], failed: ['run app/db@n1', 'run app/token@n1', 'wipe install@n2'] },
  { edit: 'any attribute of a destructive role that wipes by default', onto: formatted('default: wipe, colour: run'), to: { ...formats('default: wipe, colour: run'), 'nodes/n1.yaml': `${EDITED_SITE['nodes/n1.yaml']}attributes: { misc: { fs: xfs } }\n` }, gives: ['may restart app/user@n2', 'run app/token@n1', 'wipe app/format@n1'], failed: ['run app/db@n1', 'run app/token@n1', 'wipe app/format@n1', 'wipe install@n2'] },
  { edit: 'an attribute that it names otherwise', onto: formatted('default: wipe, misc.fs: run'), to: { ...formats('default: wipe, misc.fs: run'), 'nodes/n1.yaml': `${EDITED_SITE['nodes/n1.yaml']}attributes: { misc: { fs: xfs } }\n` }, gives: ['may restart app/user@n2', 'run app/token@n1'], failed: ['run app/db@n1', 'run app/token@n1', 'wipe install@n2'] },
  { edit: 'a secret rotated', to: secretFiles({ 'db/root': '4-bb' }), gives: ['restart app/db@n1', 'restart app/db@n2'], failed: ['restart app/db@n1', 'wipe install@n2'] },
  { edit: 'a secret encrypted anew', to: { 'secrets/db/root.age': `${secretFiles({ 'db/root': '3-aa' })['secrets/db/root.age']}more` }, gives: [] },
  // Barclamps.
  { edit: 'a script of a barclamp edited', to: replaced('barclamps/db/run.sh', 'run', 'run better'), gives: ['run app/db@n1', 'run app/db@n2'], failed: ['run app/db@n1', 'wipe install@n2'] },
  { edit: 'a barclamp updated', to: replaced('barclamps/ntp/barclamp.yaml', '1.0.0', '1.1.0'), gives: ['run base/ntp@j1', 'run base/ntp@n1', 'run base/ntp@n2', 'run base/ntp@n3'], partial: ['run base/ntp@j1', 'run base/ntp@n1', 'run base/ntp@n2', 'wipe install@n3'], failed: ['run app/db@n1', 'run base/ntp@j1', 'run base/ntp@n1', 'run base/ntp@n3', 'wipe install@n2'] },
  { edit: 'a default of a barclamp edited', to: replaced('barclamps/db/barclamp.yaml', 'default: 3306', 'default: 3307'), gives: ['restart app/db@n1', 'restart app/db@n2'], failed: ['restart app/db@n1', 'wipe install@n2'] },
  { edit: 'a default for an os edited', to: replaced('barclamps/misc/barclamp.yaml', 'green', 'blue'), gives: ['may restart app/user@n2', 'run app/cache@n2', 'run app/plain@n2', 'run app/token@n1', 'run base/probe@j1'], failed: ['run app/db@n1', 'run app/token@n1', 'run base/probe@j1', 'wipe install@n2'] },
  { edit: 'what runs of a destructive role edited', to: replaced('barclamps/misc/run.sh', 'run', 'run better'), gives: ['may restart app/user@n2', 'run app/cache@n2', 'run app/plain@n2', 'run app/token@n1', 'run base/probe@j1'], failed: ['run app/db@n1', 'run app/token@n1', 'run base/probe@j1', 'wipe install@n2'] },
  // Networks.
  { edit: 'the network moved', to: { ...replaced('admin-net.yaml', '10.0.0.', '10.7.0.'), ...replaced('site.yaml', '10.0.0.2', '10.7.0.2') }, gives: [], said: ['addresses deny'] },
  { edit: 'the network gets another gateway', to: replaced('admin-net.yaml', 'gateway: 10.0.0.1', 'gateway: 10.0.0.9'), gives: [], said: ['network warn'] },
  { edit: 'a node joins a network', to: { 'nodes/n1.yaml': `${EDITED_SITE['nodes/n1.yaml']}networks: { storage: {} }\n` }, gives: [], said: ['addresses deny'] },
  { edit: 'an address in the lock edited', to: {}, lock: lockOf({ addresses: { ...lock.addresses, 'admin/n1': '10.0.0.90' } }), gives: [], said: ['addresses deny'] },
  // Operations and rollouts.
  { edit: 'an operation', to: { 'kernel.yaml': KERNEL }, gives: ['reboot operation/kernel/reboot@j1', 'reboot operation/kernel/reboot@n1', 'run operation/kernel/check@j1', 'run operation/kernel/check@n1'] },
  { edit: 'an operation that has ended', to: { 'kernel.yaml': KERNEL }, onto: kernelRan, gives: [] },
  { edit: 'an operation edited after it has ended', to: { 'kernel.yaml': KERNEL.replace('[check, reboot]', '[reboot, check, reboot]') }, onto: kernelRan, gives: [], said: ['operations warn'] },
  { edit: 'an operation taken out after it has ended', to: {}, onto: kernelRan, gives: [] },
  { edit: 'an operation of another name after one has ended', to: { 'kernel.yaml': KERNEL.replace('name: kernel', 'name: kernel-2') }, onto: kernelRan, gives: ['reboot operation/kernel-2/reboot@j1', 'reboot operation/kernel-2/reboot@n1', 'run operation/kernel-2/check@j1', 'run operation/kernel-2/check@n1'] },
  // Nodes whose disks are erased: n1 runs a role that failed, of n2 another takes a value of it.
  { edit: 'disks to erase', to: { 'gone.yaml': ERASE }, gives: ['run operation/gone/check@n1', 'wipe operation/gone/erase@n1'], failed: ['run operation/gone/check@n1', 'wipe install@n2', 'wipe operation/gone/erase@n1'] },
  { edit: 'disks to erase of a node whose attributes change, too', to: { 'gone.yaml': ERASE, ...replaced('site.yaml', '[a]', '[b]') }, gives: ['restart base/ntp@j1', 'restart base/ntp@n2', 'restart base/ntp@n3', 'run operation/gone/check@n1', 'wipe operation/gone/erase@n1'], failed: ['restart base/ntp@j1', 'restart base/ntp@n3', 'run operation/gone/check@n1', 'wipe install@n2', 'wipe operation/gone/erase@n1'], partial: ['restart base/ntp@j1', 'restart base/ntp@n2', 'run operation/gone/check@n1', 'wipe install@n3', 'wipe operation/gone/erase@n1'] },
  { edit: 'disks to erase of a protected node', to: { 'gone.yaml': ERASE, ...replaced('nodes/n1.yaml', 'hardware: two', 'hardware: two\nprotect: true') }, gives: ['run operation/gone/check@n1', 'wipe (refused) operation/gone/erase@n1'], failed: ['run operation/gone/check@n1', 'wipe (refused) operation/gone/erase@n1', 'wipe install@n2'] },
  { edit: 'disks to erase where the lock asks for another installation', to: { 'gone.yaml': ERASE }, lock: generation('n1', 1), gives: ['run operation/gone/check@n1', 'wipe operation/gone/erase@n1'], failed: ['run operation/gone/check@n1', 'wipe install@n2', 'wipe operation/gone/erase@n1'] },
  { edit: 'disks to erase and to install again', to: { 'gone.yaml': ERASE.replace('erase', 'erase, reinstall') }, lock: generation('n1', 1), gives: ['may restart app/user@n2', 'reinstall install@n1', 'reinstall operation/gone/reinstall@n1', 'run operation/gone/check@n1', 'wipe app/format@n1', 'wipe operation/gone/erase@n1'], failed: ['reinstall install@n1', 'reinstall operation/gone/reinstall@n1', 'run operation/gone/check@n1', 'wipe app/format@n1', 'wipe install@n2', 'wipe operation/gone/erase@n1'] },
  { edit: 'disks that were erased', to: { 'gone.yaml': ERASE }, onto: (ledger) => erased(ledger), gives: [], failed: ['wipe install@n2'], partial: ['wipe install@n3'] },
  { edit: 'disks that were erased, the operation taken out', to: {}, onto: (ledger) => erased(ledger), gives: [], failed: ['wipe install@n2'] },
  { edit: 'an erased node with another os and other roles', to: { ...replaced('nodes/n1.yaml', 'debian-12', 'debian-13'), ...role('format: { nodes: [n1] }', 'format: { nodes: [n2] }') }, onto: (ledger) => erased(ledger), gives: ['wipe app/format@n2'], failed: ['wipe app/format@n2', 'wipe install@n2'] },
  { edit: 'an erased node that is to be installed again', to: { 'gone.yaml': ERASE }, lock: generation('n1', 1), onto: (ledger) => erased(ledger), gives: ['may restart app/user@n2', 'wipe app/format@n1', 'wipe install@n1'], failed: ['wipe app/format@n1', 'wipe install@n1', 'wipe install@n2'] },
  { edit: 'an erased node that left the site', to: { 'nodes/n3.yaml': undefined, ...replaced('base.yaml', 'n3, ', '') }, onto: (ledger) => erased(ledger, 'n3'), gives: ['release release@n3'], partial: ['release release@n3'] },
  { edit: 'an erased node under another name', to: everywhere('n1', 'n9'), onto: (ledger) => erased(ledger), gives: [], failed: ['wipe install@n2'] },
  { edit: 'an erasure that was begun, taken back', to: {}, onto: halfErased, gives: [], failed: ['wipe install@n2'] },
  { edit: 'an erasure that was begun', to: { 'gone.yaml': ERASE }, onto: halfErased, gives: ['run operation/gone/check@n1', 'wipe operation/gone/erase@n1'], failed: ['run operation/gone/check@n1', 'wipe install@n2', 'wipe operation/gone/erase@n1'] },
  { edit: 'an erasure that was begun, and the lock asks for an installation', to: {}, lock: generation('n1', 1), onto: halfErased, gives: ['may restart app/user@n2', 'wipe app/format@n1', 'wipe install@n1'], failed: ['wipe app/format@n1', 'wipe install@n1', 'wipe install@n2'] },
  { edit: 'a reinstalled node whose operation has ended', to: { 'kernel.yaml': KERNEL }, lock: generation('n1', 1), onto: kernelRan, gives: ['may restart app/user@n2', 'wipe app/format@n1', 'wipe install@n1'], failed: ['wipe app/format@n1', 'wipe install@n1', 'wipe install@n2'] },
  { edit: 'a rollout', to: { 'app.yaml': `${EDITED_SITE['app.yaml']}rollout: { db: { batches: [1] } }\n` }, gives: [] },
  { edit: 'a rollout with a gate, and an attribute', to: { 'app.yaml': `${attributes('port: 3307')['app.yaml']}rollout: { db: { batches: [1], gate: { check: db } } }\n` }, gives: ['restart app/db@n1', 'restart app/db@n2'], failed: ['restart app/db@n1', 'wipe install@n2'] },
  { edit: 'a policy', to: { 'policy.yaml': '{ kind: policy, name: p, level: deny, check: "false", message: no }\n' }, gives: [] },
  // The lock.
  { edit: 'the lock lost', to: { 'site.lock.json': undefined }, gives: [] },
  { edit: 'a claim in the lock edited', to: {}, lock: lockOf({ claims: { ...lock.claims, n3: 'mused' } }), gives: ['may wipe install@n3'], partial: ['may wipe install@n3'] },
  { edit: 'the index of a member in the lock edited', to: {}, lock: lockOf({ bindings: { ...lock.bindings, 'app/db': { members: { n1: 1, n2: 0 }, next: 2, founder: 'n1' } } }), gives: [] },
  { edit: 'the disks in the lock edited', to: {}, lock: lockOf({ disks: { ...lock.disks, 'n1/system': lock.disks?.['n1/data'] ?? [], 'n1/data': lock.disks?.['n1/system'] ?? [] } }), gives: [] },
]

describe('a commit', () => {
  for (const row of ROWS) {
    for (const [state, ledger] of Object.entries(LEDGERS)) {
      it(`does what it should to a cluster whose ledger is ${state}: ${row.edit}`, () => {
        const changes = changesOf(row, ledger)
        const left = LEFT[state] ?? []
        const expected = state === 'partial' ? row.partial : state === 'failed' ? row.failed : undefined
        expect(consequences(changes)).toStrictEqual(expected ?? [...new Set([...row.gives, ...left])].toSorted())
        if (state === 'complete') expect([...new Set(changes.violations.map(({ policy, level }) => `${policy} ${level}`))]).toStrictEqual(row.said ?? [])
      })
    }
  }
})

describe('whatever is edited', () => {
  const each = function* (): Generator<{ readonly name: string; readonly changes: Changes; readonly plan: Plan; readonly ledger: Ledger }> {
    for (const row of ROWS) {
      const { plan } = compiled(row.to, row.lock ?? lock, row.crowbar)
      for (const [state, from] of Object.entries(LEDGERS)) {
        const ledger = row.onto?.(from) ?? from
        yield { name: `${state}: ${row.edit}`, changes: change(ledger, plan), plan, ledger }
      }
    }
  }

  it('does the same when the same commit gives a node another name by `moved`, also once that is in force', () => {
    const name = 'n1'
    let together = 0
    for (const row of ROWS) {
      // Without a lock nothing says what a node was; the command line refuses that beside a ledger.
      if (Object.values(row.to).some((text) => text?.includes('moved:') === true) || Object.hasOwn(row.to, 'site.lock.json')) continue
      // A node that leaves has no name to come, and an admin node keeps its own.
      if ((Object.hasOwn(row.to, `nodes/${name}.yaml`) && row.to[`nodes/${name}.yaml`] === undefined) || row.said?.includes('admin deny') === true) continue
      together++
      const edited = Object.entries({ ...EDITED_SITE, ...row.to }).map(([path, text]) => [path, text?.replaceAll(new RegExp(`\\b${name}\\b`, 'g'), path === `nodes/${name}.yaml` ? `n7\nmoved: { from: ${name} }` : 'n7')])
      const plain = compiled(row.to, row.lock ?? lock, row.crowbar).plan
      const { plan } = compiled(Object.fromEntries(edited), row.lock ?? lock, row.crowbar)
      for (const [state, from] of Object.entries(LEDGERS)) {
        const ledger = row.onto?.(from) ?? from
        const changes = change(ledger, plan)
        expect(consequences(changes), `${state}: ${row.edit}`).toStrictEqual(consequences(change(ledger, plain)).map((one) => one.replaceAll(`@${name}`, '@n7')).toSorted())
        expect(changes.renamed.filter(({ to }) => to === 'n7').map((one) => one.from), row.edit).toStrictEqual(ledger.nodes[name] === undefined ? [] : [name])
        const after = change(renamedTo(ledger, name, 'n7'), plan)
        expect({ ...after, id: '', renamed: [], violations: [] }, row.edit).toStrictEqual({ ...changes, id: '', renamed: [], violations: [] })
      }
    }
    expect(together).toBeGreaterThan(60)
  }, 120_000)

  it('is refused when it gives a node another name on which something was begun and has not succeeded', () => {
    const { violations } = change(LEDGERS['failed'] as Ledger, compiled(everywhere('n1', 'n9'), lock).plan)
    expect(violations).toStrictEqual([{ policy: 'rename', level: 'deny', message: expect.stringMatching(/^n1 cannot become n9 now: app\/db@n9 was begun/) as string, at: 'nodes/n1.yaml:2:7' }])
  })

  it('is refused when an installed node would be released by a rename, since the lock takes it for another', () => {
    const { nodes, ...rest } = compiled(N4, lock).lock
    const { violations } = change(complete, compiled(N4, { ...rest, nodes: { ...nodes, n4: { ...nodes['n4'], index: 17 } } }).plan)
    expect(violations.map(({ policy, level }) => `${policy} ${level}`)).toStrictEqual(['rename deny'])
  })

  it('nothing that wipes or reinstalls is ever classed lower', () => {
    let judged = 0
    for (const { name, changes, plan, ledger } of each()) {
      for (const { step: one, consequence, needsApproval } of changes.changes) {
        expect(needsApproval, `${name}: ${one.id}`).toBe(consequence === 'wipe')
        if (!one.destructive) continue
        judged++
        const install = one.kind === 'install' && one.attributes !== null ? installOf(plan, one.node ?? '') : null
        const seen = ledger.machines[install?.machine ?? '']?.disks ?? []
        // What an operation overwrites with zeros first, under an approval of its own, is blank by then.
        const erased = changes.changes.filter(({ step }) => isErase(step) && one.needs.some((need) => need.step === step.id)).flatMap(({ disks: fates }) => fates.filter(({ fate }) => fate === 'wiped'))
        const blank = install !== null && install.targets.length > 0 && install.targets.every(({ id }) => seen.find((disk) => disk.id === id)?.blank === true || erased.some((disk) => disk.id === id))
        expect(CONSEQUENCES.indexOf(consequence), `${name}: ${one.id}`).toBeLessThanOrEqual(CONSEQUENCES.indexOf(blank ? 'reinstall' : 'wipe'))
      }
    }
    expect(judged).toBeGreaterThan(250)
  })

  it('no disk is written but those that the install step of a node names, and they are shown', () => {
    for (const { name, changes, plan } of each()) {
      for (const one of changes.changes) {
        const written = one.disks.filter((disk) => disk.fate === 'wiped').map((disk) => disk.id)
        if (one.step.kind !== 'install' && !isErase(one.step)) expect(written, `${name}: ${one.step.id}`).toStrictEqual([])
        else if (one.step.attributes !== null) expect(written.toSorted(), `${name}: ${one.step.id}`).toStrictEqual(installOf(plan, one.step.node ?? '').targets.map(({ id }) => id).toSorted())
      }
    }
  })

  it('every role of a node that is installed anew runs again', () => {
    for (const { name, changes, plan } of each()) {
      const ids = new Set(changes.changes.map((one) => one.step.id))
      for (const one of plan.steps) if (one.kind === 'role' && ids.has(`install@${one.node}`)) expect(ids.has(one.id), `${name}: ${one.id}`).toBe(true)
    }
  })

  it('when all of it is done there is nothing left to do', () => {
    for (const { name, changes, plan, ledger } of each()) {
      // What waits for a machine, or for a disk, is not done.
      if (plan.steps.some((one) => one.kind === 'install' && one.attributes === null)) continue
      if (changes.violations.some(({ policy }) => policy === 'admin')) continue
      const named = folded(ledger, [{ type: 'node.renamed', names: new Map(changes.renamed.map(({ from, to }) => [from, to])) }])
      const after = inOrder(changes).reduce((now, one) => applied({ ...plan, steps: [one.step] }, { onto: now }), named)
      expect(change(after, plan).changes.map((one) => one.step.id), name).toStrictEqual([])
    }
  })
})

describe('a commit that cannot be carried out is refused before anything is compared:', () => {
  const codesOf = (edit: Edit, locked: Lock | string = lock): readonly string[] => {
    const texts: Texts = Object.fromEntries(Object.entries({ ...EDITED_SITE, 'site.lock.json': typeof locked === 'string' ? locked : lockText(locked), ...edit }).flatMap(([path, text]) => (text === undefined ? [] : [[path, text]])))
    return [...new Set(compileTexts(texts).diagnostics.filter(({ severity }) => severity === 'error').map(({ code }) => code))]
  }
  const text = lockText(lock)

  it.each<[string, readonly string[], readonly string[]]>([
    ['two nodes claim one machine, after two clean merges', codesOf({}, lockOf({ claims: { ...lock.claims, n3: lock.claims['n1'] ?? '' } })), ['CLAIM_AMBIGUOUS', 'LOCK_CONFLICT']],
    ['two nodes have one address, after two clean merges', codesOf({}, lockOf({ addresses: { ...lock.addresses, 'admin/n1': lock.addresses['admin/n2'] ?? '' } })), ['LOCK_CONFLICT']],
    ['the lock has the marks of a merge', codesOf({}, text.replace('\n', '\n<<<<<<< HEAD\n=======\n>>>>>>> theirs\n')), ['LOCK_CONFLICT']],
    ['the lock is not JSON', codesOf({}, '{'), ['YAML_SYNTAX']],
    ['the system disk is to be one that the machine does not have', codesOf(replaced('hardware.yaml', 'rotational: false', 'serial: x')), ['DISKS_TOO_FEW']],
    ['the addresses of nodes are in a range for machines of nobody', codesOf(ranges('host: 10.0.0.54-10.0.0.99, dhcp: 10.0.0.49-10.0.0.53')), ['LOCK_INVALID']],
    ['the range of the nodes has no more for them, and the lock is lost', codesOf({ ...ranges('host: 10.0.0.50-10.0.0.52'), 'site.lock.json': undefined }), ['ADDRESS_EXHAUSTED']],
    ['the address of a node is in the range of a virtual one, which has it too', codesOf({ ...ranges('host: 10.0.0.50-10.0.0.60, vip: 10.0.0.61-10.0.0.99'), 'app.yaml': `${EDITED_SITE['app.yaml']}addresses: { front: { network: admin, address: 10.0.0.51, range: vip } }\n` }), ['ADDRESS_CONFLICT', 'ADDRESS_OUTSIDE_RANGE']],
    ['the os that a rule chose is gone', codesOf({}, lockOf({ nodes: { ...lock.nodes, n3: { index: lock.nodes['n3']?.index ?? 0, os: 'gone' } } })), ['REFERENCE_UNKNOWN']],
    ['the hardware that a rule chose is gone, so that only the layout that goes without saying is left', codesOf(replaced('nodes/n3.yaml', 'hardware: two\n', ''), lockOf({ nodes: { ...lock.nodes, n3: { index: lock.nodes['n3']?.index ?? 0, os: 'debian-12', hardware: 'gone' } } })), ['REFERENCE_UNKNOWN']],
    ['two nodes pin one machine', codesOf(replaced('nodes/n1.yaml', 'S1', 'S2')), ['CLAIM_AMBIGUOUS', 'MAC_CONFLICT']],
  ])('%s', (_, found, expected) => {
    expect(found).toStrictEqual(expected)
  })
})
