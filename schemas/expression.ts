import type { Environment, HostFunction } from './cel/environment.ts'
import { evaluate } from './cel/evaluate.ts'
import type { Program } from './cel/evaluate.ts'
import { toJson } from './cel/json.ts'
import { compileTemplate } from './cel/template.ts'
import type { CelType } from './cel/type.ts'
import { Failure, isRecord } from './cel/value.ts'
import type { CelValue } from './cel/value.ts'
import type { ValueType } from './documents/barclamp.ts'
import { factsShape } from './inventory.ts'
import type { Json, JsonSchema } from './shape.ts'

/** What an expression may read, by variable. */
export type Bindings = Readonly<Record<string, CelValue>>

/** The CEL type of what a JSON Schema of ours describes. Keys that are not listed are an error when they are read. */
export function typeOfSchema(schema: JsonSchema, name: string): CelType {
  switch (schema['type']) {
    case 'string':
      return 'string'
    case 'integer':
      return 'int'
    case 'boolean':
      return 'bool'
    case 'array':
      return { list: typeOfSchema(schema['items'] as JsonSchema, name) }
    case 'object': {
      const properties = schema['properties'] as Readonly<Record<string, JsonSchema>> | undefined
      if (properties === undefined) return { map: ['string', typeOfSchema((schema['additionalProperties'] ?? {}) as JsonSchema, name)] }
      return { object: name, fields: Object.fromEntries(Object.entries(properties).map(([key, inner]) => [key, typeOfSchema(inner, `${name}.${key}`)])) }
    }
    default: {
      const words = schema['enum'] as readonly Json[] | undefined
      return words !== undefined && words.every((word) => typeof word === 'string') ? 'string' : 'dyn'
    }
  }
}

const FACTS = typeOfSchema(factsShape.json, 'facts') as { readonly object: string; readonly fields: Readonly<Record<string, CelType>> }
const LABELS: CelType = { map: ['string', 'string'] }
const TAGS: CelType = { list: 'string' }

/** Facts of a machine as expressions see them: `node.facts`. */
export const FACTS_TYPE: CelType = FACTS

/** Conditions over `machine` (facts, `id`, `tags`) and, for pinned nodes, `node`; else that is null. */
export const MACHINE_ENVIRONMENT: Environment = {
  variables: { machine: { object: 'machine', fields: { ...FACTS.fields, id: 'string', tags: TAGS } }, node: 'dyn' },
  functions: [],
}

/** Conditions over `node`. */
export const NODE_ENVIRONMENT: Environment = {
  variables: { node: { object: 'node', fields: { name: 'string', tags: TAGS, labels: LABELS, os: 'string', admin: 'bool', facts: FACTS } } },
  functions: [],
}

/** What an evaluation of a program came to, with its value as JSON. Offsets are into the text. */
export type JsonEvaluation =
  | { readonly kind: 'value'; readonly value: Json }
  | { readonly kind: 'unknown'; readonly inputs: readonly string[] }
  | { readonly kind: 'error'; readonly message: string; readonly offset: number; readonly length: number }

/** Evaluates a program to JSON. A value that JSON cannot say is an error. */
export function evaluateJson(program: Program, bindings: Bindings): JsonEvaluation {
  const result = evaluate(program, bindings)
  if (result.kind !== 'value') return result
  const converted = toJson(result.value)
  return converted.kind === 'json' ? { kind: 'value', value: converted.json } : { kind: 'error', message: converted.message, offset: 0, length: program.source.length }
}

/** Whether a string holds `${` at all, escaped or not. */
export function isTemplate(text: string): boolean {
  return text.includes('${')
}

const ADDRESSES: CelType = { map: ['string', 'string'] }
const MEMBERS: CelType = { list: { object: 'member', fields: { node: 'string', index: 'int', addresses: ADDRESSES } } }
const SITE: CelType = { object: 'site', fields: { name: 'string', domain: 'string', admin: { object: 'site.admin', fields: { network: 'string', address: 'string' } } } }
const DEPLOYMENT: CelType = { object: 'deployment', fields: { name: 'string', addresses: ADDRESSES } }
const NODE: CelType = { object: 'node', fields: { name: 'string', tags: TAGS, labels: LABELS, os: 'string', addresses: ADDRESSES, facts: FACTS } }
const ROLE: CelType = { object: 'role', fields: { name: 'string', index: 'int', members: MEMBERS, addresses: { list: 'string' } } }
const SUBNET: CelType = { object: 'subnet', fields: { cidr: 'string', prefix: 'int', gateway: 'dyn', dns: { list: 'string' } } }
const NETWORK: CelType = { object: 'network', fields: { name: 'string', vlan: 'int', mtu: 'int', subnets: { list: SUBNET } } }

/**
 * The language of `${…}` in attributes and provides, for the compiler and, for what is deferred, for the agent.
 *
 * Variables: `site`, `deployment` (`address(name)`), `node` (`address(network)`), `attributes`, `wants`. Functions:
 * `role(name)` and `network(name)`, which read the bindings `roles` and `networks`: maps by name that an author cannot
 * read himself. Owned by one compilation or one dispatch; not shared between threads.
 */
export class AttributeLanguage {
  readonly environment: Environment
  readonly #programs = new Map<string, ReturnType<typeof compileTemplate>>()
  #bindings: Bindings = {}

  constructor() {
    const lookup = (binding: string, what: string) => ([name]: readonly CelValue[]): CelValue => {
      const all = this.#bindings[binding]
      const found = typeof name === 'string' && all !== undefined && isRecord(all) && Object.hasOwn(all, name) ? all[name] : undefined
      return found ?? new Failure(`there is no ${what} ${typeof name === 'string' ? name : 'of that name'} to be seen from here`)
    }
    this.environment = {
      variables: { site: SITE, deployment: DEPLOYMENT, node: NODE, attributes: 'dyn', wants: { map: ['string', 'dyn'] } },
      functions: [
        { name: 'address', receiver: NODE, params: ['string'], result: 'string', call: (args) => addressOf(args, 'node', 'has no address on the network') },
        { name: 'address', receiver: DEPLOYMENT, params: ['string'], result: 'string', call: (args) => addressOf(args, 'deployment', 'has no virtual address') },
        { name: 'role', params: ['string'], result: ROLE, call: lookup('roles', 'role') },
        { name: 'network', params: ['string'], result: NETWORK, call: lookup('networks', 'network') },
      ] satisfies readonly HostFunction[],
    }
  }

  /**
   * Compiles a string with `${CEL}`, once for every distinct text. Offsets of errors are into the whole string.
   *
   * @param inputs of a deferred value: those that are no path below a variable, such as `value`, are variables too.
   */
  compile(text: string, inputs: readonly string[] = []): ReturnType<typeof compileTemplate> {
    let compiled = this.#programs.get(text)
    if (compiled === undefined) {
      const extra = inputs.filter((input) => !input.includes('.')).map((input) => [input, 'dyn'] as const)
      const environment = extra.length === 0 ? this.environment : { ...this.environment, variables: { ...this.environment.variables, ...Object.fromEntries(extra) } }
      compiled = compileTemplate(text, environment)
      this.#programs.set(text, compiled)
    }
    return compiled
  }

  /** Evaluates a compiled string. */
  evaluate(program: Program, bindings: Bindings): JsonEvaluation {
    this.#bindings = bindings
    return evaluateJson(program, bindings)
  }
}

/** What `node.address(n)` and `deployment.address(n)` give: an entry of the receiver's `addresses`. */
function addressOf([receiver, name]: readonly CelValue[], what: string, problem: string): CelValue {
  if (receiver === undefined || !isRecord(receiver) || typeof name !== 'string') return new Failure('an address has a name')
  const addresses = receiver['addresses']
  const found = addresses !== undefined && isRecord(addresses) && Object.hasOwn(addresses, name) ? addresses[name] : undefined
  if (found !== undefined) return found
  const owner = receiver['name']
  return new Failure(`the ${what} ${typeof owner === 'string' ? `${owner} ` : ''}${problem} ${name}`)
}

const known = new WeakMap<Program, readonly (readonly string[])[]>()

/** Every path that a program reads of its bindings, `role("x")` as `roles.x`; sorted, once each. */
export function readsOf(program: Program): readonly (readonly string[])[] {
  let reads = known.get(program)
  if (reads === undefined) known.set(program, (reads = findReads(program)))
  return reads
}

function findReads(program: Program): readonly (readonly string[])[] {
  const reads = new Map<string, readonly string[]>()
  const add = (read: readonly string[]): void => void reads.set(read.join('\0'), read)
  const receivers = new Set<string>()
  for (const call of program.calls) {
    const [literal] = call.literals
    const name = typeof literal === 'string' ? [literal] : []
    if (call.name === 'role') add(['roles', ...name])
    else if (call.name === 'network') add(['networks', ...name])
    else if (call.receiver !== undefined) {
      receivers.add(call.receiver.join('\0'))
      add([...call.receiver, 'addresses', ...name])
      add([...call.receiver, 'name'])
    }
  }
  for (const read of program.reads) if (!receivers.has(read.join('\0'))) add(read)
  return [...reads.keys()].toSorted().map((key) => reads.get(key) as readonly string[])
}

/** The declared type that goes with what an expression gives. */
export function valueTypeOf(type: CelType): ValueType {
  if (typeof type === 'object') return 'list' in type ? 'list' : 'map' in type || 'object' in type ? 'map' : 'any'
  switch (type) {
    case 'string':
    case 'timestamp':
    case 'duration':
      return 'string'
    case 'int':
    case 'uint':
      return 'integer'
    case 'double':
      return 'number'
    case 'bool':
      return 'boolean'
    default:
      return 'any'
  }
}

/** Whether a value is of a declared type. An integer is a number too; nothing else is coerced. */
export function isOfType(value: Json, type: ValueType): boolean {
  switch (type) {
    case 'any':
      return true
    case 'string':
    case 'number':
    case 'boolean':
      return typeof value === type
    case 'integer':
      return typeof value === 'number' && Number.isInteger(value)
    case 'list':
      return Array.isArray(value)
    case 'map':
      return value !== null && typeof value === 'object' && !Array.isArray(value)
  }
}
