import { secretFiles } from './secrets.ts'
import { machine as inventoryOf } from '../compiler/compiling.ts'
import type { Texts } from '../compiler/compiling.ts'

/** What one commit changes in a site of fifty-five nodes. */
export interface AustinEdit {
  readonly ntp: string
  readonly os17: string
  readonly storage: string
  /** Version of the secret database/root. */
  readonly password: string
  readonly exporter: boolean
  /** More documents. */
  readonly more?: string
}

export const BEFORE: AustinEdit = { ntp: '0.pool.example.com', os17: '', storage: 'storage-[01-12]', password: '3-a1', exporter: true }
export const AFTER: AustinEdit = { ntp: 'ntp1.corp.example.com, ntp2.corp.example.com', os17: 'os: debian-13\n', storage: 'storage-[01-13]', password: '4-b2', exporter: false }

const POLICIES = ['controls-stay', 'few-wipes', 'no-releases', 'one-site', 'all-claimed'].map((name, i) => `{ kind: policy, name: ${name}, level: warn, check: ${['"!changes.exists(c, c.consequence == \'wipe\' && c.node.startsWith(\'ctl\'))"', '"changes.filter(c, c.consequence == \'wipe\').size() < 5"', '"!changes.exists(c, c.kind == \'release\')"', '"plan.site.name == \'austin\'"', '"plan.missing.filter(m, m.what != \'packages\').size() < 3"'][i]}, message: m }\n`).join('---\n')

/** Three nodes that are installed already, twelve storage nodes claimed by rule, forty compute nodes. */
export function austin({ ntp, os17, storage, password, exporter, more = '' }: AustinEdit): Texts {
  return {
    'site.yaml': `kind: site
name: austin
domain: austin.example.com
admin: { network: admin, address: 10.20.2.1 }
barclamps: [builtin, { path: barclamps }]
attributes:
  ntp: { servers: [${ntp}] }
---
kind: network
name: admin
subnets: [{ cidr: 10.20.0.0/16, ranges: { host: 10.20.2.10-10.20.2.200 } }]
---
{ kind: node, name: adm, admin: true }
`,
    'control.yaml': ['ctl1', 'ctl2', 'ctl3'].map((name) => `{ kind: node, name: ${name}, os: debian-12-joined, machine: { serial: ${name} } }\n`).join('---\n') + '---\n{ kind: os, name: debian-12-joined, family: debian, version: "12", architecture: amd64, install: joined }\n',
    'compute.yaml': `kind: nodes
name: "compute-[001-040]"
machine: { where: "machine.dmi.product == 'R650'" }
os: debian-12
hardware: compute
---
kind: node
name: compute-003
attributes:
  ntp:
    servers: [10.9.9.9]
---
kind: node
name: compute-017
${os17}labels: { rack: b }
`,
    'storage.yaml': `kind: nodes
name: "${storage}"
machine: { tags: [storage] }
os: debian-12
`,
    'rules.yaml': `kind: rule
name: storage-boxes
when: machine.dmi.product == 'R750'
set: { tags: [storage] }
`,
    'hardware.yaml': `kind: hardware
name: compute
disks:
  system: { choose: { bus: virtio, rotational: false }, onInstall: wipe }
  scratch: { choose: { rotational: true }, onInstall: keep }
`,
    'deployments.yaml': `kind: deployment
name: base
roles:
  chronyd: { where: "true" }
rollout:
  chronyd: { batches: [1, 10%, 100%], maxFailures: 5% }
---
kind: deployment
name: database
roles:
  mariadb: { nodes: ["ctl[1-3]"] }
rollout:
  mariadb: { batches: [1], gate: { check: mariadb, timeout: 2m } }
---
kind: deployment
name: storage
roles:
  storage-server: { where: "node.name.startsWith('storage-')" }
`,
    'metrics.yaml': `kind: deployment
name: metrics
roles: { ${exporter ? `node-exporter: { nodes: ["storage-[01-12]"] }` : ''} }
`,
    'policies.yaml': POLICIES,
    ...secretFiles({ 'database/root': password }),
    'more.yaml': more,
    'barclamps/ntp/barclamp.yaml': `kind: barclamp
name: ntp
version: 1.0.0
attributes: { type: object, properties: { servers: { type: array, items: { type: string }, default: [] } } }
roles:
  chronyd: { jig: script, run: run.sh, onChange: { servers: restart }, drain: run.sh, resume: run.sh }
`,
    'barclamps/ntp/run.sh': 'true\n',
    'barclamps/database/barclamp.yaml': `kind: barclamp
name: database
version: 1.0.0
roles:
  mariadb: { jig: script, run: run.sh, check: run.sh, wants: { password: { secret: database/root } }, onChange: { wants.password: restart }, flags: [cluster] }
`,
    'barclamps/database/run.sh': 'true\n',
    'barclamps/storage/barclamp.yaml': `kind: barclamp
name: storage
version: 1.0.0
roles:
  storage-server:
    jig: script
    run: run.sh
    wants: { peers: { from: storage-server, provide: address, many: true } }
    provides: { address: { type: string, value: "\${node.address('admin')}" } }
`,
    'barclamps/storage/run.sh': 'true\n',
    'barclamps/metrics/barclamp.yaml': `kind: barclamp
name: metrics
version: 1.0.0
roles:
  node-exporter: { jig: script, run: run.sh, remove: { run: remove.sh, deletesData: false } }
`,
    'barclamps/metrics/run.sh': 'true\n',
    'barclamps/metrics/remove.sh': 'true\n',
    ...machines(3, 1, (i) => ({ serial: `ctl${i + 1}`, product: 'R640' })),
    ...machines(40, 4, (i) => ({ serial: `4XK${String(i + 1).padStart(4, '0')}`, product: 'R650', disks: [{ serial: `S6CKNE${i}`, bytes: 960_197_124_096 }, { serial: `PHYF${i}`, bytes: 3_840_755_982_336, rotational: true }] })),
    ...machines(12, 44, (i) => ({ serial: `9ST${String(i + 1).padStart(4, '0')}`, product: 'R750' })),
  }
}

/** So many machines; ids and ports count on from `first`. */
function machines(count: number, first: number, wish: (i: number) => Parameters<typeof inventoryOf>[1]): Texts {
  return Object.assign({}, ...Array.from({ length: count }, (_, i) => inventoryOf(`m${String(first + i).padStart(2, '0')}`, { macs: [`52:54:00:00:01:${(first + i).toString(16).padStart(2, '0')}`], ...wish(i) }))) as Texts
}
