import { readFile } from 'node:fs/promises'
import { dirname, resolve } from 'node:path'
import { fileURLToPath } from 'node:url'
import { Ajv2020 } from 'ajv/dist/2020.js'
import { parseDocument } from 'yaml'
import { agentConfigShape } from '../../schemas/agent-config.ts'
import type { AgentConfig } from '../../schemas/agent-config.ts'

/** An agent's configuration with every default filled in and every path absolute. */
export interface Settings {
  readonly repository: string
  readonly branch: string
  readonly node: string
  readonly data: string
  readonly store: string
  readonly identity: string | null
  /** Of a rehearsal: secrets have made-up values. */
  readonly standIns: boolean
  readonly compiler: readonly [string, ...string[]]
  readonly ports: { readonly http: number; readonly nodes: number }
  readonly stager: string | null
  /** Whatever the site says; without it, what the site says. */
  readonly offline: boolean
  readonly upstreamProxy: string | null
  readonly tunnels: readonly string[]
  readonly followMs: number
  readonly compilerMegabytes: number
  readonly compilerMs: number
  readonly frozen: boolean
  /** The Unix socket of the control API. */
  readonly socket: string
}

/** A configuration file that cannot be used; `message` names file, place and remedy. */
export class ConfigError extends Error {
  readonly code = 'CONFIG_INVALID'
}

const LAUNCHER = fileURLToPath(new URL('../../bin/crowbar', import.meta.url))

/**
 * Reads the file given to `crowbar agent --config`. Relative paths are relative to the file.
 *
 * @throws {ConfigError} when it cannot be read, is not YAML, or says what is not understood.
 */
export async function readConfig(file: string): Promise<Settings> {
  const text = await readFile(file, 'utf8').catch((cause: unknown) => {
    throw new ConfigError(`cannot read ${file}: ${(cause as Error).message}`, { cause })
  })
  const document = parseDocument(text)
  const problem = document.errors[0]
  if (problem !== undefined) throw new ConfigError(`${file}: ${problem.message}`)
  const value: unknown = document.toJS({ maxAliasCount: 0 })
  const validate = new Ajv2020({ allErrors: true, strict: false }).compile<AgentConfig>(agentConfigShape.json)
  if (!validate(value)) {
    const reasons = (validate.errors ?? []).map(one => {
      const extra = (one.params as { additionalProperty?: string }).additionalProperty
      return `${one.instancePath === '' ? 'the file' : one.instancePath.slice(1).replaceAll('/', '.')} ${one.message ?? ''}${extra === undefined ? '' : `: ${extra}`}`
    })
    throw new ConfigError(`${file}: ${reasons.join('; ')}`)
  }
  return settle(value, dirname(resolve(file)))
}

function settle(config: AgentConfig, folder: string): Settings {
  const data = resolve(folder, config.data ?? '/var/lib/crowbar')
  const [program, ...args] = config.compiler ?? [LAUNCHER]
  return {
    repository: /^[a-z+]+:\/\//.test(config.site.repository) || /^[^/]+@[^/]+:/.test(config.site.repository) ? config.site.repository : resolve(folder, config.site.repository),
    branch: config.site.branch ?? 'main',
    node: config.node,
    data,
    store: resolve(folder, config.store ?? `${data}/store`),
    identity: config.identity === undefined ? null : resolve(folder, config.identity),
    standIns: config.standIns ?? false,
    compiler: [program ?? LAUNCHER, ...args],
    ports: { http: config.ports?.http ?? 8080, nodes: config.ports?.nodes ?? 8443 },
    stager: config.stager === undefined ? null : resolve(folder, config.stager),
    offline: config.offline ?? false,
    upstreamProxy: config.upstreamProxy ?? null,
    tunnels: config.tunnels ?? [],
    followMs: (config.followSeconds ?? 10) * 1000,
    compilerMegabytes: config.limits?.compilerMegabytes ?? 2048,
    compilerMs: (config.limits?.compilerSeconds ?? 120) * 1000,
    frozen: config.frozen ?? false,
    socket: `${data}/control.sock`,
  }
}
