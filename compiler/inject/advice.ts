import type { Program } from '../../schemas/cel/evaluate.ts'
import { own } from '../../schemas/own.ts'
import { knownNames } from '../diagnostics/known-names.ts'
import type { Evaluation } from './evaluation.ts'
import { mergedAt } from './merge.ts'
import { addressesOf, logicalNetworks } from './scope.ts'
import type { Subject } from './subject.ts'

/** What to change when an expression finds nothing of the name that it reads or calls for; undefined when all of them are there. */
export function adviceFor(evaluation: Evaluation, subject: Subject, { calls, reads }: Program): string | undefined {
  for (const { name, receiver, literals: [asked] } of calls) {
    if (typeof asked !== 'string') continue
    const advice = name === 'role' ? adviceForRole(evaluation, subject, asked)
      : name === 'network' ? adviceForNetwork(evaluation, subject, asked)
      : receiver?.[0] === 'deployment' ? adviceForVirtual(evaluation, subject, asked)
      : receiver?.[0] === 'node' ? adviceForAddress(evaluation, subject, asked)
      : undefined
    if (advice !== undefined) return advice
  }
  return reads.flatMap(([variable, ...path]) => (variable === 'attributes' ? (adviceForAttribute(subject, path) ?? []) : []))[0]
}

function adviceForAttribute({ merged }: Subject, path: readonly string[]): string | undefined {
  for (const [depth, key] of path.entries()) {
    const around = mergedAt(merged, path.slice(0, depth))
    if (around === undefined || around.depth < depth || around.found.kind !== 'map') return undefined
    if (!around.found.entries.has(key)) return knownNames(key, around.found.entries.keys())
  }
  return undefined
}

/** What to do instead of reading what is not to be seen: `text` begins with it. */
export function adviceForRead({ allocated: { bound } }: Evaluation, text: string): string | undefined {
  const [path = ''] = /^[A-Za-z_][A-Za-z0-9_]*(?:\.[A-Za-z0-9_]+)*(?![A-Za-z0-9_'"])/.exec(text) ?? []
  const [name = '', ...rest] = path.split('.')
  if (bound.resolved.barclamps.has(name)) return `Declare it: add \`${rest.at(-1) ?? name}: { attribute: ${path} }\` to the \`wants\` of the role, and read \`wants.${rest.at(-1) ?? name}\`.`
  return bound.resolved.roles.has(name) ? `A role is read as role('${name}'), and what it provides by a want.` : undefined
}

function adviceForRole({ allocated: { bound } }: Evaluation, { deployment }: Subject, asked: string): string | undefined {
  const names = new Set([...bound.roles.values()].filter(({ members, external }) => members.length > 0 || external !== null).map(({ role }) => role.name))
  return names.has(asked) ? `It is bound in another deployment: say \`after\` in ${deployment?.name ?? 'the deployment'}.` : knownNames(asked, names)
}

function adviceForNetwork({ allocated: { bound } }: Evaluation, subject: Subject, asked: string): string | undefined {
  const names = new Set([...bound.resolved.networks.keys(), ...Object.keys(logicalNetworks(subject))])
  return names.has(asked) ? undefined : knownNames(asked, names)
}

function adviceForVirtual({ allocated: { virtual } }: Evaluation, { deployment }: Subject, asked: string): string | undefined {
  if (deployment === null) return undefined
  const names = virtual.get(deployment.name) ?? {}
  if (Object.hasOwn(names, asked)) return undefined
  const all = Object.keys(names)
  return all.length === 0 ? `Add \`addresses: { ${asked}: { network: … } }\` to the deployment ${deployment.name}.` : knownNames(asked, all)
}

function adviceForAddress({ allocated }: Evaluation, subject: Subject, asked: string): string | undefined {
  const { node, role } = subject
  if (node === null) return undefined
  const logical = logicalNetworks(subject)
  const network = own(logical, asked) ?? asked
  const found = allocated.bound.resolved.networks.get(network)
  const addresses = addressesOf(allocated, node.name)
  if (Object.hasOwn(addresses, network)) return undefined
  if (found === undefined) return knownNames(asked, [...Object.keys(logical), ...Object.keys(addresses)])
  if (allocated.attachments.get(node.name)?.some((attachment) => attachment.network === network) === true) return `Give the network ${network} a subnet with a range \`host\`.`
  const mapping = network === asked || role === null ? '' : `, or map \`${asked}\` of ${role.role.name} to another network in ${role.deployment}`
  return `Add \`networks: { ${network}: {} }\` to ${node.name}${mapping}.`
}
