import { access, constants } from 'node:fs/promises'
import { readConfig } from './read-config.ts'

/** Where an admin node has the configuration of its agent. */
const AGENT_CONFIG = '/etc/crowbar/agent.yaml'

/**
 * The proxy through which this machine asks upstreams: `upstreamProxy` of the agent's configuration, also for commands that
 * run without the agent. Null: it has none, or no agent is configured here, or not for this user to read.
 *
 * @param file default: that of CROWBAR_CONFIG, else where it is on an admin node.
 * @throws {ConfigError} when there is a configuration and it cannot be used.
 */
export async function configuredUpstreamProxy(file: string | undefined = process.env['CROWBAR_CONFIG']): Promise<string | null> {
  const path = file ?? AGENT_CONFIG
  const isAbsent = file === undefined && await access(path, constants.R_OK).then(() => false, () => true)
  return isAbsent ? null : (await readConfig(path)).upstreamProxy
}
