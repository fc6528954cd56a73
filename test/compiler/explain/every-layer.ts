import { machine, SITE } from '../compiling.ts'
import type { Texts } from '../compiling.ts'

/** A site in which every layer speaks, as plain, quoted and block text, in a table, by operators, and over each other. */
export const EVERY_LAYER: Texts = {
  'site.yaml': SITE.replace('---', `attributes:
  b:
    # A comment is no value.
    site: [1, { deep: 'it''s' }]
    over: from-site
    folded: >-
      one \${site.name}
      two
    literal: |
      \${node.name}
      lives here
    escaped: "tab\\t\\"\${site.domain}\\""
    list: { $append: [c] }
    gone: 1
    empty: {}
    none: null
    made: "\${[node.name, site.name]}"
---`),
  'barclamps/b/barclamp.yaml': `kind: barclamp
name: b
version: 1.0.0
attributes:
  type: object
  properties:
    port: { type: integer, default: 80 }
    over: { type: string, default: from-default }
    list: { type: array, default: [a, b] }
    whole: { type: object, default: { x: 1, y: [2, 3] } }
    in: { type: object, properties: { deep: { type: object, properties: { value: { default: nested } } } } }
    ref: { $ref: '#/$defs/thing' }
    gone: { type: integer, default: 7 }
    text: { type: string }
  $defs: { thing: { type: object, properties: { size: { default: 5 } } } }
osAttributes:
  debian: { os: family, over: from-family }
  debian-12: { version: twelve }
roles:
  server:
    networks: { front: admin }
    wants: { names: { from: server, provide: name, many: true }, seed: { from: server, provide: name, only: founder }, port: { attribute: b.port }, other: { attribute: o.list }, token: { from: maker, provide: token }, nobody: { from: absent, provide: x, optional: true }, far: { from: outside, provide: at, many: true } }
    provides: { name: { type: string, value: "\${node.name}:\${attributes.port}" } }
  maker: { provides: { token: { type: string, sensitive: true } } }
  absent: { provides: { x: { type: string, value: x } } }
  outside: { provides: { at: { type: string, value: "\${node.address('admin')}" } } }
`,
  'barclamps/o/barclamp.yaml': 'kind: barclamp\nname: o\nversion: 1.0.0\nattributes: { type: object, properties: { list: { type: array, default: [p, "${site.name}"] } } }\nroles: { other: {} }\n',
  'nodes.yaml': `kind: nodes
name: "n[1-3]"
os: debian-12
machine: { where: "true" }
attributes: { b: { nodes: &shared { a: 1, b: [2] }, list: { $remove: [a], $append: ["\${node.name}"] } } }
---
kind: nodes
table: more.csv
os: debian-12
---
kind: node
name: n1
attributes: { b: { node: 1.5, over: from-node, gone: { $unset: true }, again: { here: "\${attributes.port + 1}" } } }
`,
  'more.csv': 'name,machine.serial,attributes.b.csv,attributes.b.text\nn4,serial-m4,12,"quoted, cell"\nn5,serial-m5,true,plain\n',
  'rules.yaml': 'kind: rule\nname: r\nwhen: "true"\nset: { attributes: { b: { rule: "${node.facts.cpu.threads}", over: from-rule } } }\n---\nkind: rule\nname: weaker\norder: 200\nwhen: "true"\nset: { attributes: { b: { rule: 1, weaker: 2 } } }\n',
  'deployment.yaml': `kind: deployment
name: d
addresses: { api: { network: admin } }
roles:
  server: { nodes: ["n[1-5]"], attributes: { b: { role: "\${node.address('front')}", over: from-role } } }
  maker: { nodes: [n2] }
  outside: { external: { addresses: [10.7.7.1, 10.7.7.2] } }
  other: { nodes: [n3], attributes: { o: { list: { $append: [q] } } } }
attributes:
  b: { port: 8080, deployment: "https://\${deployment.address('api')}/", later: "Bearer \${has(wants.token) ? string(wants.token) : ''}", subnet: "\${network('admin').subnets[0].cidr}", members: "\${role('server').members.map(m, m.node)}" }
`,
  ...machine('m1'), ...machine('m2'), ...machine('m3'), ...machine('m4'), ...machine('m5'),
}
