import { boolean, integer, list, object, optional, string } from './shape.ts'
import type { TypeOf } from './shape.ts'
import { NAME } from './documents/words.ts'

/** `agent --config FILE`: what an admin node knows that cannot be in the site. */
export const agentConfigShape = object({
  site: object({ repository: string({ min: 1 }, 'A path or a git URL.'), branch: optional(string({ min: 1 }, 'Default main.')) }),
  node: string({ pattern: NAME }, 'The node whose `agent` document is mine.'),
  data: optional(string({ min: 1 }, 'Default /var/lib/crowbar.')),
  store: optional(string({ min: 1 }, 'Folder of staged content; default <data>/store.')),
  identity: optional(string({ min: 1 }, 'age identity file that decrypts the site’s secrets.')),
  standIns: optional(boolean('For rehearsals: secrets have made-up values, and no identity is needed.')),
  compiler: optional(list(string({ min: 1 }), { min: 1 }, 'argv of the compiler; default: this installation’s own.')),
  ports: optional(object({ http: optional(integer({ min: 1, max: 65535 }, 'Default 8080.')), nodes: optional(integer({ min: 1, max: 65535 }, 'Default 8443.')) })),
  stager: optional(string({ min: 1 }, 'Unix socket of another process that fetches and builds what is to be staged.')),
  offline: optional(boolean('No upstream is ever asked, whatever the site says: what is not in the store is an error.')),
  upstreamProxy: optional(string({ pattern: '^https?://' }, 'Upstreams of the caching proxy are asked through this one.')),
  tunnels: optional(list(string({ pattern: '^.+:[0-9]+$' }), {}, 'host:port to which clients of the caching proxy may open tunnels. Default: none.')),
  followSeconds: optional(integer({ min: 1, max: 86400 }, 'How often the branch is looked at. Default 10.')),
  limits: optional(object({ compilerMegabytes: optional(integer({ min: 64 })), compilerSeconds: optional(integer({ min: 1 })) })),
  frozen: optional(boolean('Start frozen.')),
}, 'The configuration of one admin agent.')
export type AgentConfig = TypeOf<typeof agentConfigShape>
