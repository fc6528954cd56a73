import { either, list, literal, map, object, oneOf, optional, string } from '../shape.ts'
import type { TypeOf } from '../shape.ts'
import { attributes, name, rollout } from './words.ts'

/** Where barclamps come from: the ones that ship with Crowbar, a folder of this repository, or a git repository. */
export const barclampSource = either([
  literal('builtin'),
  object({ path: string({ min: 1 }, 'A folder of this repository; every folder below it with a barclamp.yaml is one.') }),
  object({
    git: string({ min: 1 }, 'A URL that git understands: https, ssh, http, git or file, user@host:path, or an absolute path.'),
    ref: string({ min: 1 }, 'Branch, tag or whole commit id; the commit is pinned in the lock.'),
    path: optional(string({ min: 1 }, 'A folder of that repository; default all of it.')),
    replaces: optional(list(string({ min: 1 }), {}, 'Names of builtin barclamps that those of this repository stand in for.')),
  }),
])

/** `kind: site`. Exactly one in a repository. */
export const siteShape = object({
  kind: literal('site'),
  name: name(),
  domain: string({ pattern: '^[a-z0-9]([a-z0-9.-]{0,251}[a-z0-9])?$' }, 'The DNS domain of the nodes.'),
  admin: object({ network: name('The network that machines boot on.'), address: string({}, 'The admin node on that network; with several admin nodes a virtual address.') }),
  recipients: optional(list(string({ pattern: '^age1' }), {}, 'age recipients that may decrypt secrets/.')),
  barclamps: optional(list(barclampSource)),
  attributes: optional(attributes),
  automation: optional(
    object({
      discovery: optional(oneOf(['commit', 'propose', 'off'])),
      apply: optional(oneOf(['manual', 'safe', 'automatic'])),
    }),
  ),
  rollout: optional(map(rollout, '^(install|network|packages|reboot)$')),
}, 'The site itself: exactly one per repository.')
export type BarclampSource = TypeOf<typeof barclampSource>
export type SiteDocument = TypeOf<typeof siteShape>
