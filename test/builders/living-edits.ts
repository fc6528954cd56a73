import { KINDS, kindOf, MACHINES, ROLES, SYSTEMS } from './living-site.ts'
import type { LivingDeployment, LivingMachine, LivingNode, LivingRole, LivingSite } from './living-site.ts'

/** One thing that somebody does to a site. What `a` and `b` mean depends on it; any numbers will do. */
export interface Edit {
  readonly do: (typeof EDITS)[number]
  readonly a: number
  readonly b: number
}

/** What an edit asks to move, by the names after it. Everything else has to stay. */
export interface Asked {
  readonly site: LivingSite
  /** Name before → name after, of renamed nodes. */
  readonly renamed: ReadonlyMap<string, string>
  /** Nodes that may get another machine, and with it other disks. */
  readonly claims: ReadonlySet<string>
  /** Nodes whose address on the storage network may move; null: all. */
  readonly storage: ReadonlySet<string> | null
}

const NAMES = ['n0', 'n1', 'n2', 'n3', 'n4', 'n5', 'n6', 'n7', 'n8', 'n9']
const TAGS = ['t0', 't1'] as const
const DEPLOYMENTS = ['d0', 'd1', 'd2'] as const

export const EDITS = [
  'add', 'add', 'add', 'pin', 'remove', 'rename', 'rename in a chain', 'forget the old name', 'replace', 'lose', 'regain', 'regain', 'retire', 'add disks', 'lose a disk',
  'note', 'shuffle', 'shuffle', 'move the range', 'move the network', 'add a network', 'join', 'leave', 'join spare', 'write an address', 'tag', 'tag', 'choose an os', 'let rules choose', 'change a rule',
  'deploy', 'deploy', 'withdraw', 'bind', 'bind', 'unbind', 'list', 'virtual',
] as const

/** Carries out an edit; undefined: there is nothing that it could be about. */
export function edit(site: LivingSite, { do: what, a, b }: Edit): Asked | undefined {
  const node = pick(site.nodes, a)
  const deployment = pick(site.deployments, a)
  switch (what) {
    case 'add':
    case 'pin': {
      const name = pick(NAMES.filter((each) => !site.nodes.some((other) => other.name === each)), a)
      if (name === undefined) return undefined
      const pin = pick(freePins(site), b)
      if (what === 'pin' && pin === undefined) return undefined
      const claim = what === 'pin' ? { pin: pin as number } : { kind: KINDS[b % KINDS.length] as (typeof KINDS)[number] }
      return plain({ ...site, nodes: [...site.nodes, { name, claim, os: null, tags: b % 2 === 0 ? ['t0'] : [], storage: b % 3 === 0 ? 'host' : null, moved: null }] })
    }
    case 'remove':
      return node && plain({ ...site, nodes: site.nodes.filter((each) => each !== node), deployments: relisted(site.deployments, (name) => (name === node.name ? undefined : name)) })
    case 'rename': {
      const name = pick(NAMES.filter((each) => !site.nodes.some((other) => other.name === each)), b)
      return node && name !== undefined ? renamed(site, new Map([[node.name, name]])) : undefined
    }
    case 'rename in a chain': {
      const name = pick(NAMES.filter((each) => !site.nodes.some((other) => other.name === each)), b)
      const second = pick(site.nodes.filter((each) => each !== node), b)
      return node && second && name !== undefined ? renamed(site, new Map([[node.name, second.name], [second.name, name]])) : undefined
    }
    case 'forget the old name':
      return node && withNode(site, node, { moved: null })
    case 'replace': {
      const pin = pick(freePins(site), b)
      return node && 'pin' in node.claim && pin !== undefined ? { ...plain(changed(site, node, { claim: { pin } })), claims: new Set([node.name]) } : undefined
    }
    case 'lose':
      return withMachine(site, a, { here: false })
    case 'regain':
      return withMachine(site, a, { here: true })
    case 'retire': {
      const number = a % MACHINES
      const machines = site.machines.map((each, i) => (i === number ? { ...each, retired: !each.retired } : each))
      return { ...plain({ ...site, machines }), claims: new Set(site.nodes.map(({ name }) => name)) }
    }
    case 'add disks':
      return withMachine(site, a, { moreDisks: b % 2 === 0 })
    case 'lose a disk':
      return kindOf(a % MACHINES) === 'small' ? undefined : withMachine(site, a, { fewerDisks: b % 2 === 0 })
    case 'note':
      return plain({ ...site, note: site.note + 1 })
    case 'shuffle':
      return plain({ ...site, shuffle: a })
    case 'move the range':
      return plain({ ...site, window: a % 3 })
    case 'move the network':
      return { ...plain({ ...site, subnet: 1 + (a % 2) }), storage: null }
    case 'add a network':
      return site.more.length < 3 ? plain({ ...site, more: [...site.more, `more${site.more.length}`] }) : undefined
    case 'join':
    case 'leave':
    case 'join spare':
      return node && { ...withNode(site, node, { storage: what === 'join' ? 'host' : what === 'leave' ? null : 'spare' }), storage: new Set([node.name]) }
    case 'write an address':
      return node && { ...withNode(site, node, { storage: { address: `10.${site.subnet}.0.${10 + (b % 20)}` } }), storage: new Set([node.name]) }
    case 'tag': {
      const tag = TAGS[b % TAGS.length] as string
      return node && withNode(site, node, { tags: node.tags.includes(tag) ? node.tags.filter((each) => each !== tag) : [...node.tags, tag] })
    }
    case 'choose an os':
      return node && withNode(site, node, { os: SYSTEMS[b % SYSTEMS.length] as string })
    case 'let rules choose':
      return node && withNode(site, node, { os: null })
    case 'change a rule':
      return plain({ ...site, os: { ...site.os, [KINDS[a % KINDS.length] as string]: SYSTEMS[b % SYSTEMS.length] as string } })
    case 'deploy': {
      const name = pick(DEPLOYMENTS.filter((each) => !site.deployments.some((other) => other.name === each)), a)
      const first = pick(site.nodes, b)
      if (name === undefined || first === undefined) return undefined
      return plain({ ...site, deployments: [...site.deployments, { name, roles: [{ role: 'alpha', bound: { nodes: [first.name] } }], virtual: b % 2 === 0 }] })
    }
    case 'withdraw':
      return deployment && plain({ ...site, deployments: site.deployments.filter((each) => each !== deployment) })
    case 'bind': {
      const role = ROLES[b % ROLES.length] as LivingRole['role']
      const tag = TAGS[b % TAGS.length] as string
      return deployment && withRoles(site, deployment, [...deployment.roles.filter((each) => each.role !== role), { role, bound: { tag, max: role === 'gamma' ? 2 : null } }])
    }
    case 'unbind': {
      const role = pick(deployment?.roles ?? [], b)
      return deployment && role && deployment.roles.length > 1 ? withRoles(site, deployment, deployment.roles.filter((each) => each !== role)) : undefined
    }
    case 'list': {
      const role = pick(deployment?.roles ?? [], b)
      const member = pick(site.nodes, a + b)
      if (deployment === undefined || role === undefined || member === undefined) return undefined
      const nodes = 'nodes' in role.bound ? role.bound.nodes : []
      const listed = nodes.includes(member.name) && nodes.length > 1 ? nodes.filter((each) => each !== member.name) : [...new Set([...nodes, member.name])]
      return withRoles(site, deployment, deployment.roles.map((each) => (each === role ? { role: each.role, bound: { nodes: listed } } : each)))
    }
    case 'virtual':
      return deployment && plain({ ...site, deployments: site.deployments.map((each) => (each === deployment ? { ...each, virtual: !each.virtual } : each)) })
  }
}

function plain(site: LivingSite): Asked {
  return { site, renamed: new Map(), claims: new Set(), storage: new Set() }
}

function pick<T>(items: readonly T[], at: number): T | undefined {
  return items.length === 0 ? undefined : items[at % items.length]
}

function freePins({ nodes }: LivingSite): readonly number[] {
  const taken = new Set(nodes.flatMap(({ claim }) => ('pin' in claim ? [claim.pin] : [])))
  return Array.from({ length: MACHINES }, (_, i) => i).filter((i) => !taken.has(i))
}

function changed(site: LivingSite, node: LivingNode, fields: Partial<LivingNode>): LivingSite {
  return { ...site, nodes: site.nodes.map((each) => (each === node ? { ...each, ...fields } : each)) }
}

function withNode(site: LivingSite, node: LivingNode, fields: Partial<LivingNode>): Asked {
  return plain(changed(site, node, fields))
}

function withMachine(site: LivingSite, at: number, fields: Partial<LivingMachine>): Asked {
  return plain({ ...site, machines: site.machines.map((each, i) => (i === at % MACHINES ? { ...each, ...fields } : each)) })
}

function withRoles(site: LivingSite, deployment: LivingDeployment, roles: readonly LivingRole[]): Asked {
  return plain({ ...site, deployments: site.deployments.map((each) => (each === deployment ? { ...each, roles } : each)) })
}

function relisted(deployments: readonly LivingDeployment[], rename: (name: string) => string | undefined): readonly LivingDeployment[] {
  return deployments.flatMap((deployment) => {
    const roles = deployment.roles.flatMap(({ role, bound }): readonly LivingRole[] => {
      if (!('nodes' in bound)) return [{ role, bound }]
      const nodes = bound.nodes.flatMap((name) => rename(name) ?? [])
      return nodes.length === 0 ? [] : [{ role, bound: { nodes } }]
    })
    return roles.length === 0 ? [] : [{ ...deployment, roles }]
  })
}

function renamed(site: LivingSite, names: ReadonlyMap<string, string>): Asked {
  const nodes = site.nodes.map((each) => {
    const name = names.get(each.name)
    return name === undefined ? each : { ...each, name, moved: each.name }
  })
  return { ...plain({ ...site, nodes, deployments: relisted(site.deployments, (name) => names.get(name) ?? name) }), renamed: names }
}
