import { integer, list, literal, map, object, oneOf, optional, string } from '../shape.ts'
import type { TypeOf } from '../shape.ts'
import { attributes, cel, name, OPERATION_ACTIONS, rollout } from './words.ts'

const bindingCount = object({ min: optional(integer({ min: 0 })), max: optional(integer({ min: 0 })) })

/** A role in a deployment: which nodes it is bound to, and its attributes there. */
const roleBinding = object({
  nodes: optional(list(string({ min: 1 }, 'A node, or a range such as web-[1-3].'))),
  where: optional(cel('over `node`')),
  count: optional(bindingCount),
  networks: optional(map(name(), undefined, 'Logical network of the role → network of the site.')),
  external: optional(object({ addresses: list(string({ min: 1 }), { min: 1 }) }, 'Somebody else runs it; its provides have these values.')),
  attributes: optional(attributes),
})

/** `kind: deployment`: binds roles to nodes and sets attributes. */
export const deploymentShape = object({
  kind: literal('deployment'),
  name: name(),
  after: optional(list(name(), {}, 'Whole deployments that come before this one.')),
  addresses: optional(map(object({ network: name(), range: optional(name()), address: optional(string()) }), undefined, 'Virtual addresses.')),
  roles: map(roleBinding, '^[a-z][a-z0-9-]{0,62}$'),
  attributes: optional(attributes),
  rollout: optional(map(rollout)),
}, 'Roles bound to nodes.')
export type DeploymentDocument = TypeOf<typeof deploymentShape>

/** `kind: operation`: work to do once. */
export const operationShape = object({
  kind: literal('operation'),
  name: name(),
  do: list(oneOf(OPERATION_ACTIONS), { min: 1 }),
  nodes: optional(list(string({ min: 1 }))),
  where: optional(cel('over `node`')),
  role: optional(name()),
  rollout: optional(rollout),
}, 'Work to do once, reviewed like everything else.')
export type OperationDocument = TypeOf<typeof operationShape>

/** `kind: policy`: CEL over `plan` and `changes`. */
export const policyShape = object({
  kind: literal('policy'),
  name: name(),
  level: oneOf(['advise', 'warn', 'deny']),
  check: cel('over `plan` and `changes`; false is a violation'),
  message: string({ min: 1 }),
}, 'What must hold of every plan and of every change.')
export type PolicyDocument = TypeOf<typeof policyShape>

/** `kind: agent`: the services of one admin node. */
export const agentShape = object({
  kind: literal('agent'),
  node: name('A node with `admin: true`.'),
  interfaces: map(object({ network: name(), dhcp: oneOf(['server', 'proxy', 'listen', 'off']) }), undefined, 'By kernel name. An interface that is not listed is off.'),
  mode: optional(oneOf(['online', 'offline'])),
  limits: optional(object({ install: optional(integer({ min: 1 })), bmc: optional(integer({ min: 1 })) })),
}, 'The services of an admin node.')
export type AgentDocument = TypeOf<typeof agentShape>

