import type { Texts } from '../compiler/compiling.ts'
import { machine } from '../compiler/compiling.ts'

/** How a node claims: a pin, or together with the others of its kind whatever machine has the tag of that kind. */
export type Claim = { readonly pin: number } | { readonly kind: Kind }
export const KINDS = ['small', 'big', 'twin'] as const
export type Kind = (typeof KINDS)[number]

export interface LivingNode {
  readonly name: string
  readonly claim: Claim
  /** null: rules choose. */
  readonly os: string | null
  readonly tags: readonly string[]
  readonly storage: null | 'host' | 'spare' | { readonly address: string }
  readonly moved: string | null
}

export interface LivingRole {
  readonly role: (typeof ROLES)[number]
  /** By name, or whatever has the tag. */
  readonly bound: { readonly nodes: readonly string[] } | { readonly tag: string; readonly max: number | null }
}

export interface LivingDeployment {
  readonly name: string
  readonly roles: readonly LivingRole[]
  readonly virtual: boolean
}

/** A machine that may be away, or have other disks than before. */
export interface LivingMachine {
  readonly here: boolean
  readonly retired: boolean
  readonly moreDisks: boolean
  readonly fewerDisks: boolean
}

/** A site that people and machines change, as a value that documents are made of. */
export interface LivingSite {
  readonly nodes: readonly LivingNode[]
  readonly machines: readonly LivingMachine[]
  readonly deployments: readonly LivingDeployment[]
  /** What the rules choose by kind. */
  readonly os: Readonly<Record<Kind, string>>
  /** Which part of the storage network the range `host` is: 0, 1 or 2. */
  readonly window: number
  /** Second octet of the storage network. */
  readonly subnet: number
  readonly more: readonly string[]
  readonly note: number
  /** Decides in which order and in which files documents stand. */
  readonly shuffle: number
}

export const ROLES = ['alpha', 'beta', 'gamma'] as const
export const SYSTEMS = ['debian-11', 'debian-12', 'debian-13'] as const
export const MACHINES = 9

export const FIRST_SITE: LivingSite = {
  nodes: [],
  machines: Array.from({ length: MACHINES }, (_, i) => ({ here: i < 6, retired: false, moreDisks: false, fewerDisks: false })),
  deployments: [],
  os: { small: 'debian-12', big: 'debian-13', twin: 'debian-12' },
  window: 0,
  subnet: 1,
  more: [],
  note: 0,
  shuffle: 0,
}

export function kindOf(machineNumber: number): Kind {
  return KINDS[machineNumber % KINDS.length] as Kind
}

export function idOf(machineNumber: number): string {
  return `m${machineNumber}`
}

/** The files of the site as it is now, without its lock. */
export function filesOf(site: LivingSite): Texts {
  const tables = Object.fromEntries(KINDS.map((kind) => [`${kind}.csv`, ['name', ...site.nodes.filter(({ claim }) => 'kind' in claim && claim.kind === kind).map(({ name }) => name)]] as const).map(([path, rows]) => [path, `${rotated(rows.slice(1), site.shuffle).reduce((text, row) => `${text}${row}\n`, `${rows[0]}\n`)}`]))
  const documents = [
    ...site.nodes.map(nodeDocument),
    ...KINDS.filter((kind) => site.nodes.some(({ claim }) => 'kind' in claim && claim.kind === kind)).map((kind) => `kind: nodes\ntable: ${kind}.csv\nmachine: { tags: [${kind}] }\n`),
    ...site.machines.flatMap(({ retired }, i) => (retired ? [`kind: machine\nserial: serial-${idOf(i)}\nstate: retired\n`] : [])),
    ...site.deployments.map(deploymentDocument),
    ...rulesOf(site),
    storageNetwork(site),
    ...site.more.map((name, i) => `kind: network\nname: ${name}\nvlan: ${300 + i}\nsubnets: [{ cidr: 10.${100 + i}.0.0/24, ranges: { host: 10.${100 + i}.0.10-10.${100 + i}.0.99 } }]\n`),
  ]
  const order = rotated(documents, site.shuffle)
  const files = new Map<string, string[]>()
  for (const [i, text] of order.entries()) {
    const path = `part-${(i * (site.shuffle + 1)) % 4}.yaml`
    files.set(path, [...(files.get(path) ?? []), text])
  }
  return {
    'site.yaml': SITE_OF(site),
    ...Object.fromEntries([...files].map(([path, texts]) => [path, texts.join('---\n')])),
    ...tables,
    'barclamps/labour/barclamp.yaml': BARCLAMP,
    ...Object.assign({}, ...site.machines.map((state, i) => (state.here ? inventoryOf(i, state) : {}))) as Texts,
  }
}

function nodeDocument({ name, claim, os, tags, storage, moved }: LivingNode): string {
  const networks = storage === null ? '{}' : storage === 'host' ? '{ storage: {} }' : storage === 'spare' ? '{ storage: { range: spare } }' : `{ storage: { address: ${storage.address} } }`
  const machine = 'pin' in claim ? `machine: { serial: serial-${idOf(claim.pin)} }\n` : ''
  return `kind: node\nname: ${name}\n${machine}${os === null ? '' : `os: ${os}\n`}tags: [${tags.join(', ')}]\nnetworks: ${networks}\n${moved === null ? '' : `moved: { from: ${moved} }\n`}`
}

function deploymentDocument({ name, roles, virtual }: LivingDeployment): string {
  const lines = roles.map(({ role, bound }) => `  ${role}: ${'nodes' in bound ? `{ nodes: [${bound.nodes.join(', ')}] }` : `{ where: "'${bound.tag}' in node.tags"${bound.max === null ? '' : `, count: { max: ${bound.max} }`} }`}\n`)
  return `kind: deployment\nname: ${name}\n${virtual ? 'addresses: { front: { network: admin } }\n' : ''}roles:\n${lines.join('')}`
}

function rulesOf({ os }: LivingSite): readonly string[] {
  return [
    `kind: rule\nname: big\norder: 1\nwhen: "machine.disks.exists(d, d.rotational)"\nset: { os: ${os.big}, hardware: big, tags: [big] }\n`,
    `kind: rule\nname: twin\norder: 2\nwhen: "machine.dmi.product == 'Twin'"\nset: { os: ${os.twin}, hardware: twin, tags: [twin] }\n`,
    `kind: rule\nname: small\norder: 3\nwhen: "machine.dmi.product == 'Small'"\nset: { os: ${os.small}, hardware: small, tags: [small] }\n`,
    'kind: hardware\nname: big\ndisks:\n  system: { choose: { rotational: false }, onInstall: wipe }\n  data: { choose: { rotational: true, count: 2 }, onInstall: keep }\n',
    'kind: hardware\nname: twin\ndisks:\n  system: { choose: {}, onInstall: wipe }\n  data: { choose: {}, onInstall: keep }\n',
    'kind: hardware\nname: small\ndisks: { system: { choose: {}, onInstall: wipe } }\n',
  ]
}

const WINDOWS = [[10, 60], [30, 90], [70, 120]] as const

function storageNetwork({ window, subnet }: LivingSite): string {
  const [first, last] = WINDOWS[window] as readonly [number, number]
  const net = `10.${subnet}.0`
  return `kind: network\nname: storage\nvlan: 20\nsubnets:\n  - { cidr: ${net}.0/24, gateway: ${net}.1, ranges: { host: ${net}.${first}-${net}.${last}, spare: ${net}.200-${net}.210 } }\n  - { cidr: "fd00:${subnet}::/64", ranges: { host: "fd00:${subnet}::10-fd00:${subnet}::ff", spare: "fd00:${subnet}::200-fd00:${subnet}::2ff" } }\n`
}

const SITE_OF = ({ note }: LivingSite): string => `kind: site
name: living
domain: living.example.com
admin: { network: admin, address: 10.0.0.2 }
barclamps: [builtin, { path: barclamps }]
attributes: { work: { note: ${note} } }
---
kind: network
name: admin
subnets: [{ cidr: 10.0.0.0/24, ranges: { admin: 10.0.0.2-10.0.0.9, host: 10.0.0.50-10.0.0.99, vip: 10.0.0.100-10.0.0.109 } }]
---
kind: node
name: adm
admin: true
`

const BARCLAMP = `kind: barclamp
name: work
version: 1.0.0
attributes: { type: object, additionalProperties: false, properties: { note: { type: integer, default: 0 } } }
roles:
  alpha: { requires: [base] }
  beta: { flags: [cluster] }
  gamma: {}
  base: { flags: [implicit] }
`

/** `more` disks come before those that were there, in the order of their ids. */
function inventoryOf(i: number, { moreDisks, fewerDisks }: LivingMachine): Texts {
  const kind = kindOf(i)
  const disks = {
    small: [{ serial: `d${i}-5` }],
    big: [{ serial: `d${i}-5` }, { serial: `d${i}-6`, rotational: true }, { serial: `d${i}-7`, rotational: true }],
    twin: [{ serial: `d${i}-5` }, { serial: `d${i}-6` }],
  }[kind]
  const kept = fewerDisks ? disks.slice(1) : disks
  const all = moreDisks ? [{ serial: `d${i}-1` }, ...kept, ...(kind === 'big' ? [{ serial: `d${i}-8`, rotational: true }] : [])] : kept
  return machine(idOf(i), { product: { small: 'Small', big: 'Big', twin: 'Twin' }[kind], macs: [`52:54:00:00:00:0${i}`], disks: all })
}

function rotated<T>(items: readonly T[], by: number): readonly T[] {
  if (items.length === 0) return items
  const at = by % items.length
  const turned = [...items.slice(at), ...items.slice(0, at)]
  return by % 2 === 0 ? turned : turned.toReversed()
}
