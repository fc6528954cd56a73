import type { AgentKey } from '../log/agent-key.ts'
import type { Secrets } from './secrets.ts'

/** Characters of a made-up value. */
const LENGTH = 32

/**
 * Made-up values for a rehearsal, which has no key of the site: 32 hexadecimal digits, the same for the same secret and
 * version as long as the agent's own key is.
 */
export function standIns(key: Pick<AgentKey, 'reference'>): Secrets {
  return {
    value: ({ secret, version }) => Promise.resolve({ kind: 'found', value: key.reference({ standIn: secret, version }).replace(/^.*:/, '').slice(0, LENGTH) }),
  }
}
