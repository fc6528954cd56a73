import { machine } from '../compiler/compiling.ts'
import type { Texts } from '../compiler/compiling.ts'

/** Lines of the site that tests are about. */
export interface RollingSite {
  /** Names; every third has the label `rack: c`, the one before `b`, the one before that `a`. */
  readonly nodes?: readonly string[]
  /** Nodes whose machine has not been seen. */
  readonly unseen?: readonly string[]
  /** YAML of the deployment `app`, after its roles. */
  readonly deployment?: string
  /** YAML of the roles of the deployment. */
  readonly roles?: string
  /** More documents. */
  readonly documents?: string
  /** YAML of the document `site`. */
  readonly site?: string
  readonly port?: number
  /** YAML of the node documents, by name. */
  readonly node?: Readonly<Record<string, string>>
}

export const BARCLAMP = `kind: barclamp
name: shop
version: 1.0.0
attributes: { type: object, properties: { port: { type: integer, default: 80 } } }
roles:
  web: { jig: script, run: run.sh, check: check.sh, drain: drain.sh, resume: resume.sh, upgrade: run.sh, requires: [base], onChange: { port: restart }, timeout: 1m }
  base: { jig: script, run: run.sh, drain: drain.sh, resume: resume.sh, timeout: 2m }
  plain: { jig: script, run: run.sh }
  tools: { jig: script, run: run.sh, packages: { debian: [nano] } }
  format: { jig: script, run: run.sh, flags: [destructive] }
`

/** Brings packages to one node, so that something is staged for the operating system of all. */
export const toolsOn = (node: string): string => `{ kind: deployment, name: tools, roles: { tools: { nodes: [${node}] } } }\n---\n`

/** A small shop: nodes that are installed already and join, each with the roles base and web of the deployment app. */
export function rollingSite({ nodes = ['w1', 'w2', 'w3', 'w4', 'w5', 'w6'], unseen = [], deployment = '', roles, documents = '', site = '', port = 80, node = {} }: RollingSite = {}): Texts {
  const texts: Record<string, string> = {
    'site.yaml': `kind: site
name: shop
domain: shop.example.com
admin: { network: admin, address: 10.0.0.2 }
barclamps: [builtin, { path: barclamps }]
attributes: { shop: { port: ${port} } }
${site}---
kind: network
name: admin
subnets: [{ cidr: 10.0.0.0/16, ranges: { host: 10.0.1.1-10.0.200.250 } }]
---
{ kind: node, name: adm, admin: true }
---
{ kind: os, name: here, family: debian, version: "12", architecture: amd64, install: joined }
`,
    'nodes.yaml': nodes.map((name, i) => `kind: node\nname: ${name}\nos: here\nmachine: { serial: serial-m${name} }\ntags: [shop]\nlabels: { rack: ${['a', 'b', 'c'][i % 3]} }\n${node[name] ?? ''}`).join('---\n'),
    'app.yaml': `kind: deployment\nname: app\nroles: ${roles ?? "{ web: { where: \"'shop' in node.tags\" }, base: { where: \"'shop' in node.tags\" } }"}\n${deployment}`,
    'more.yaml': documents,
    'barclamps/shop/barclamp.yaml': BARCLAMP,
    'barclamps/shop/run.sh': 'run',
    'barclamps/shop/check.sh': 'check',
    'barclamps/shop/drain.sh': 'drain',
    'barclamps/shop/resume.sh': 'resume',
  }
  for (const [i, name] of nodes.entries()) if (!unseen.includes(name)) Object.assign(texts, machine(`m${name}`, { serial: `serial-m${name}`, macs: [`52:54:00:00:${String(i >> 8).padStart(2, '0')}:${(i & 255).toString(16).padStart(2, '0')}`] }))
  return texts
}
