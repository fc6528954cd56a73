import { anyObject, anything, boolean, either, integer, list, literal, map, object, oneOf, optional, string } from '../shape.ts'
import type { TypeOf } from '../shape.ts'
import { CONSEQUENCES, duration, name, PAUSE } from './words.ts'

/** Adapters to configuration tools. */
export const JIGS = ['script', 'ansible', 'puppet', 'cfengine', 'chef', 'salt', 'exec', 'noop', 'test'] as const
export type JigName = (typeof JIGS)[number]

export const ROLE_FLAGS = ['implicit', 'discovery', 'bootstrap', 'cluster', 'destructive', 'milestone', 'service', 'library', 'founder-first'] as const
export type RoleFlag = (typeof ROLE_FLAGS)[number]

export const VALUE_TYPES = ['string', 'integer', 'number', 'boolean', 'list', 'map', 'any'] as const
/** The type of a provided or deferred value. */
export type ValueType = (typeof VALUE_TYPES)[number]

const generate = object({ length: optional(integer({ min: 1, max: 4096 })), alphabet: optional(oneOf(['alphanumeric', 'hex', 'base64'])) })

/** What a role wants from elsewhere. Exactly one of `from`, `secret`, `attribute`. */
const want = object({
  from: optional(name('The role that provides it.')),
  provide: optional(string({ min: 1 })),
  deployment: optional(name('Where to look; else the same deployment, then those that it comes after.')),
  many: optional(boolean('A list over all claimed members, by index.')),
  only: optional(literal('founder')),
  optional: optional(boolean('null when nobody provides it.')),
  secret: optional(string({ min: 1 })),
  generate: optional(generate),
  previous: optional(boolean('{ value, previous } instead of the value.')),
  attribute: optional(string({ pattern: '^[a-z][A-Za-z0-9_-]*(\\.[A-Za-z0-9_-]+)*$' }, "Another barclamp's attribute: barclamp.path")),
})

const provide = object({
  type: oneOf(VALUE_TYPES),
  value: optional(anything('Known at compile time; may hold ${CEL}. Without it the step reports the value when it ran.')),
  sensitive: optional(boolean()),
})

/** An entry point: a file of the barclamp. */
const entry = string({ min: 1 })
const removal = either([entry, object({ run: entry, deletesData: optional(boolean('Not said counts as true.')) })])

const role = object({
  description: optional(string()),
  jig: optional(oneOf(JIGS)),
  run: optional(entry),
  remove: optional(removal),
  check: optional(entry),
  preview: optional(string({ min: 1 }, 'For the jigs script and exec: a file that says what `run` would do, and does nothing.')),
  drain: optional(entry),
  resume: optional(entry),
  upgrade: optional(entry),
  requires: optional(list(name())),
  actsAs: optional(list(name(), {}, 'Role names that it answers to besides its own, where others require or want them.')),
  scope: optional(oneOf(['node', 'cluster'], 'Where another role that requires this one finds it. Default node.')),
  networks: optional(map(name(), undefined, 'Logical network → network of the site, unless the deployment maps it.')),
  wants: optional(map(want, '^[A-Za-z_][A-Za-z0-9_]*$')),
  provides: optional(map(provide, '^[A-Za-z_][A-Za-z0-9_]*$')),
  onChange: optional(map(oneOf(CONSEQUENCES), undefined, 'Attribute path → consequence; `default` for all others.')),
  flags: optional(list(oneOf(ROLE_FLAGS))),
  count: optional(object({ min: optional(integer({ min: 0 })), max: optional(integer({ min: 0 })), odd: optional(either([boolean(), literal('advise')])) })),
  conflicts: optional(list(name())),
  os: optional(list(string({ min: 1 }), {}, 'Names or families of operating systems it runs on.')),
  packages: optional(map(list(string({ min: 1 })), undefined, 'By os name or family; the name wins.')),
  timeout: optional(duration()),
  retries: optional(object({ max: integer({ min: 0, max: 100 }), backoff: optional(string({ pattern: PAUSE })) })),
})
export type RoleDeclaration = TypeOf<typeof role>
export type WantDeclaration = TypeOf<typeof want>

/** Files of somebody else's, at a commit that the lock pins. */
const upstream = object({
  git: string({ min: 1 }),
  ref: string({ min: 1 }, 'A tag, a branch, or a whole commit id, which needs no pin.'),
  path: optional(string({ min: 1 }, 'A folder of that repository; default all of it.')),
})

/** `kind: barclamp`, the file barclamp.yaml. */
export const barclampShape = object({
  kind: literal('barclamp'),
  name: string({ pattern: '^[a-z][a-z0-9_-]{0,62}$' }),
  version: string({ pattern: '^[0-9]+\\.[0-9]+\\.[0-9]+([-+][0-9A-Za-z.-]+)?$' }),
  description: optional(string()),
  requires: optional(list(string({ min: 1 }), {}, 'Other barclamps, each with versions if they matter: "ntp", "ntp >=1.2 <2", "ntp ^1.2".')),
  attributes: optional(anyObject('JSON Schema 2020-12 with defaults; an object.')),
  osAttributes: optional(map(anyObject(), undefined, 'Defaults by os name or family.')),
  upstream: optional(map(upstream, '^[A-Za-z0-9_][A-Za-z0-9_.-]*(/[A-Za-z0-9_][A-Za-z0-9_.-]*)*$', 'Folder of the barclamp → the repository whose files are put there, unchanged.')),
  roles: optional(map(role, '^[a-z][a-z0-9-]{0,62}$')),
}, 'A reusable module that offers roles.')
export type BarclampDocument = TypeOf<typeof barclampShape>
