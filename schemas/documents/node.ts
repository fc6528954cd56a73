import { boolean, either, literal, map, object, oneOf, optional, string } from '../shape.ts'
import type { TypeOf } from '../shape.ts'
import { attributes, cel, labels, MAC, name, tags } from './words.ts'

/** Which machine a node claims. A pin names one; `tags` and `where` claim the first free match, kept by the lock. */
export const machineSelector = object({
  serial: optional(string({ min: 1 })),
  mac: optional(string({ pattern: MAC })),
  uuid: optional(string({ min: 1 })),
  asset: optional(string({ min: 1 })),
  tags: optional(tags),
  where: optional(cel('over `machine`')),
})

const secretReference = object({ secret: string({ min: 1 }) })

/** Out-of-band management. */
const bmc = object({
  type: oneOf(['redfish', 'ipmi']),
  address: optional(string({}, 'Omitted: as discovered.')),
  username: optional(string()),
  password: optional(either([string(), secretReference])),
})

const membership = map(object({ address: optional(string()), range: optional(name()) }), undefined, 'Networks that the node joins.')

const nodeFields = {
  machine: optional(machineSelector),
  os: optional(name('Omitted: rules decide, the lock keeps their answer.')),
  hardware: optional(name('A `hardware` document: disks and firmware settings.')),
  tags: optional(tags),
  labels: optional(labels),
  networks: optional(membership),
  bmc: optional(bmc),
  attributes: optional(attributes),
  protect: optional(boolean('No reinstall, release or removal, from any step.')),
} as const

/** `kind: node`: a declared member of the cluster. Refines `nodes` of the same name. */
export const nodeShape = object({
  kind: literal('node'),
  name: name(),
  admin: optional(boolean('An admin node: never discovered, installed or released.')),
  moved: optional(object({ from: name('The name this node had; its claim, addresses and history come along.') })),
  ...nodeFields,
}, 'One node of the cluster.')
export type NodeDocument = TypeOf<typeof nodeShape>

/** `kind: nodes`: many nodes at once, by a range of names or a CSV table. */
export const nodesShape = object({
  kind: literal('nodes'),
  name: optional(string({ pattern: '^[a-z0-9][a-z0-9,\\[\\]-]*$' }, 'compute-[001-040], or omitted when the table names them.')),
  table: optional(string({ min: 1 }, 'CSV whose headers are field paths: name,machine.serial,labels.rack')),
  ...nodeFields,
}, 'Many nodes at once.')
export type NodesDocument = TypeOf<typeof nodesShape>

/** `kind: machine`: a hand-written word on a machine that discovery has seen. */
export const machineShape = object({
  kind: literal('machine'),
  serial: optional(string({ min: 1 })),
  uuid: optional(string({ min: 1 })),
  mac: optional(string({ pattern: MAC })),
  state: optional(oneOf(['retired', 'quarantined', 'available'])),
  tags: optional(tags),
}, 'A word about a machine: retired machines are never claimed.')
export type MachineDocument = TypeOf<typeof machineShape>
