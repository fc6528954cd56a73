import { machine } from '../compiler/compiling.ts'
import { secretFiles } from './secrets.ts'
import type { Texts } from '../compiler/compiling.ts'

const NODE = (name: string, rest: string): string => `kind: node\nname: ${name}\n${rest}`

/** A cluster of three installed nodes (the os of n3 is a rule's choice), one that joined as it was, and a spare machine. */
export const EDITED_SITE: Texts = {
  'site.yaml': `kind: site
name: test
domain: test.example.com
admin: { network: admin, address: 10.0.0.2 }
barclamps: [builtin, { path: barclamps }]
attributes: { ntp: { servers: [a] } }
`,
  'admin.yaml': 'kind: node\nname: adm\nadmin: true\n',
  'admin-net.yaml': `kind: network
name: admin
subnets:
  - cidr: 10.0.0.0/24
    gateway: 10.0.0.1
    ranges: { admin: 10.0.0.2-10.0.0.9, host: 10.0.0.50-10.0.0.99 }
`,
  'storage-net.yaml': 'kind: network\nname: storage\nsubnets: [{ cidr: 10.1.0.0/24, ranges: { host: 10.1.0.50-10.1.0.99 } }]\n',
  'nodes/n1.yaml': NODE('n1', 'os: debian-12\nhardware: two\nmachine: { serial: S1 }\n'),
  'nodes/n2.yaml': NODE('n2', 'os: debian-12\nhardware: two\nmachine: { serial: S2 }\n'),
  'nodes/n3.yaml': NODE('n3', 'hardware: two\nmachine: { tags: [big] }\n'),
  'nodes/j1.yaml': NODE('j1', 'os: here\nmachine: { serial: SJ }\n'),
  'here.yaml': 'kind: os\nname: here\nfamily: debian\nversion: "12"\narchitecture: amd64\ninstall: joined\n',
  'there.yaml': 'kind: os\nname: there\nfamily: debian\nversion: "13"\narchitecture: amd64\ninstall: joined\n',
  'own.yaml': 'kind: os\nname: own-12\nfamily: debian\nversion: "12"\narchitecture: amd64\ninstall: image\nsource: debian-bookworm\n',
  'hardware.yaml': `kind: hardware
name: two
disks:
  system: { choose: { rotational: false }, onInstall: wipe }
  data: { choose: { rotational: true }, onInstall: keep }
`,
  'rules.yaml': `kind: rule
name: big
order: 10
when: machine.memory.bytes > 2000000000
set: { os: debian-12, tags: [big] }
---
kind: rule
name: other
order: 20
when: machine.memory.bytes > 9000000000
set: { os: debian-13 }
`,
  'app.yaml': `kind: deployment
name: app
roles:
  db: { nodes: [n1, n2] }
  token: { nodes: [n1] }
  user: { nodes: [n2] }
  cache: { nodes: [n2] }
  plain: { nodes: [n2] }
  format: { nodes: [n1] }
`,
  'base.yaml': 'kind: deployment\nname: base\nroles: { ntp: { nodes: [n1, n2, n3, j1] }, probe: { nodes: [j1] } }\n',
  'barclamps/db/barclamp.yaml': `kind: barclamp
name: db
version: 1.0.0
attributes:
  type: object
  properties:
    port: { type: integer, default: 3306 }
    datadir: { type: string, default: /var/lib/mysql }
    tuning: { type: object, default: { cache: 1 } }
roles:
  db:
    jig: script
    run: run.sh
    check: check.sh
    remove: { run: remove.sh, deletesData: false }
    flags: [cluster]
    wants: { password: { secret: db/root } }
    onChange: { default: run, port: restart, datadir: wipe, wants.password: restart }
`,
  'barclamps/db/run.sh': 'run\n',
  'barclamps/db/check.sh': 'check\n',
  'barclamps/db/remove.sh': 'remove\n',
  'barclamps/misc/barclamp.yaml': `kind: barclamp
name: misc
version: 1.0.0
attributes: { type: object, properties: { fs: { type: string, default: ext4 }, disk: { type: string, default: sdb }, colour: { type: string, default: red } } }
osAttributes: { debian-12: { colour: green } }
roles:
  token: { jig: script, run: run.sh, provides: { token: { type: string } } }
  user: { jig: script, run: run.sh, wants: { token: { from: token, provide: token } }, onChange: { wants.token: restart } }
  cache: { jig: script, run: run.sh, remove: remove.sh }
  plain: { jig: script, run: run.sh }
  format: { jig: script, run: run.sh, flags: [destructive], onChange: { disk: wipe } }
  probe: { jig: script, run: run.sh, remove: { run: remove.sh, deletesData: false } }
`,
  'barclamps/misc/run.sh': 'run\n',
  'barclamps/misc/remove.sh': 'remove\n',
  'barclamps/ntp/barclamp.yaml': 'kind: barclamp\nname: ntp\nversion: 1.0.0\nattributes: { type: object, properties: { servers: { type: array, default: [] } } }\nroles:\n  ntp: { jig: script, run: run.sh, onChange: { servers: restart } }\n',
  'barclamps/ntp/run.sh': 'run\n',
  ...secretFiles({ 'db/root': '3-aa' }),
  ...disks('m1', 'S1', 1),
  ...disks('m2', 'S2', 2),
  ...disks('m3', 'S3', 3, { memory: 4_000_000_000 }),
  ...machine('mj', { serial: 'SJ', macs: ['52:54:00:00:00:09'] }),
  ...disks('mblank', 'SB', 5),
  ...disks('mused', 'SU', 6),
}

/** A machine with an SSD `<id>-a` and a hard disk `<id>-b`. */
export function disks(id: string, serial: string, mac: number, more: NonNullable<Parameters<typeof machine>[1]> = {}): Texts {
  return machine(id, { serial, macs: [`52:54:00:00:00:0${mac}`], disks: [{ serial: `${id}-a` }, { serial: `${id}-b`, rotational: true }], ...more })
}
