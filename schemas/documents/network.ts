import { integer, list, literal, map, object, oneOf, optional, string } from '../shape.ts'
import type { TypeOf } from '../shape.ts'
import { cel, name } from './words.ts'

const subnet = object({
  cidr: string({ pattern: '^[0-9a-fA-F:.]+/[0-9]{1,3}$' }),
  gateway: optional(string()),
  dns: optional(list(string(), {}, 'Omitted: the dns service of the site.')),
  ranges: optional(map(string({ pattern: '^[0-9a-fA-F:.]+-[0-9a-fA-F:.]+$' }, 'first-last, inclusive'), '^[a-z][a-z0-9-]{0,62}$', 'Named, disjoint address ranges. Nodes take theirs from `host`, unknown machines from `dhcp`.')),
})

/** `kind: network`. */
export const networkShape = object({
  kind: literal('network'),
  name: name(),
  vlan: optional(integer({ min: 0, max: 4094 }, '0: untagged.')),
  mtu: optional(integer({ min: 576, max: 9216 })),
  conduit: optional(name('The logical port that carries it. Omitted: the port the machine booted from.')),
  bridge: optional(string({ pattern: '^[a-z][a-z0-9_.-]{0,14}$' })),
  subnets: optional(list(subnet, {}, 'IPv4, IPv6, one of each, or none.')),
}, 'A network and its address ranges.')
export type NetworkDocument = TypeOf<typeof networkShape>

const portSelector = object({
  index: optional(integer({ min: 0, max: 255 }, 'Counts in bus order, after the other selectors.')),
  speed: optional(string({ pattern: '^[0-9]+(m|g)\\+?$' }, '1g: exactly; 10g+: at least.')),
  driver: optional(string({ min: 1 })),
  bus: optional(string({ min: 1 }, 'A PCI address, or the beginning of one.')),
  mac: optional(string({ min: 1 })),
})

const bond = object({
  mode: oneOf(['balance-rr', 'active-backup', 'balance-xor', 'broadcast', '802.3ad', 'balance-tlb', 'balance-alb']),
  lacpRate: optional(oneOf(['slow', 'fast'])),
  hash: optional(oneOf(['layer2', 'layer2+3', 'layer3+4', 'encap2+3', 'encap3+4'])),
  miimon: optional(integer({ min: 0, max: 10000 })),
})

/** `kind: conduit`: a logical port, mapped per hardware. The first entry whose `when` matches wins. */
export const conduitShape = object({
  kind: literal('conduit'),
  name: name(),
  ports: list(object({ when: optional(cel('over `machine`')), use: list(portSelector, { min: 1 }), bond: optional(bond) }), { min: 1 }),
}, 'A logical port, mapped onto the ports of each kind of hardware.')
export type ConduitDocument = TypeOf<typeof conduitShape>
