import { readFile } from 'node:fs/promises'
import { nullable, object, optional, string } from '../../schemas/shape.ts'
import type { TypeOf } from '../../schemas/shape.ts'
import { NodeError } from './node-error.ts'

/** `/etc/crowbar/agent.json`, mode 0600: written by imaging, or by whoever joins an installed machine. */
export const nodeConfigShape = object({
  url: string({}, 'wss://ADDRESS:PORT/node'),
  ca: string({}, 'SHA-256 of the certificate authority (DER), hex, with or without sha256:.'),
  token: string(),
  node: string(),
  incarnation: nullable(string({}, 'null on a machine that was joined.')),
  time: optional(nullable(string({}, 'http:// URL that answers with the time.'))),
})

/** Who this node agent is and where it connects to. */
export interface NodeConfig {
  readonly environment: 'discovery' | 'installed'
  readonly url: string
  readonly ca: string
  readonly token: string | null
  readonly node: string | null
  readonly incarnation: string | null
  /** Asked before TLS; null: the clock is left alone. */
  readonly time: string | null
}

/** Where the installed agent's configuration stands. */
export const CONFIG_FILE = '/etc/crowbar/agent.json'

/**
 * Reads `crowbar.url`, `crowbar.ca`, `crowbar.token` and `crowbar.time` of a kernel command line; undefined when it has
 * no `crowbar.url`, so that this is not the discovery image.
 *
 * @throws {NodeError} CONFIG_INVALID
 */
export function parseCommandLine(commandLine: string): NodeConfig | undefined {
  const words = new Map<string, string>()
  for (const word of commandLine.trim().split(/\s+/)) {
    const equals = word.indexOf('=')
    if (equals > 0) words.set(word.slice(0, equals), word.slice(equals + 1))
  }
  const url = words.get('crowbar.url')
  if (url === undefined) return undefined
  return {
    environment: 'discovery', url: checkedUrl(url), ca: fingerprint(words.get('crowbar.ca')), token: words.get('crowbar.token') ?? null, node: null,
    incarnation: null, time: words.get('crowbar.time') ?? null,
  }
}

/** Reads agent.json. @throws {NodeError} CONFIG_INVALID */
export async function readConfigFile(file: string): Promise<NodeConfig> {
  const text = await readFile(file, 'utf8').catch((cause: unknown) => {
    throw new NodeError('CONFIG_INVALID', `cannot read ${file}: ${(cause as Error).message}`, { cause })
  })
  let value: Partial<TypeOf<typeof nodeConfigShape>>
  try {
    value = JSON.parse(text) as Partial<TypeOf<typeof nodeConfigShape>>
  } catch (cause) {
    throw new NodeError('CONFIG_INVALID', `${file} is not JSON`, { cause })
  }
  const { url, ca, token, node, incarnation = null, time = null } = value
  if (typeof url !== 'string' || typeof token !== 'string' || typeof node !== 'string') {
    throw new NodeError('CONFIG_INVALID', `${file} lacks url, token or node`)
  }
  return { environment: 'installed', url: checkedUrl(url), ca: fingerprint(ca), token, node, incarnation, time }
}

function checkedUrl(url: string): string {
  if (!URL.canParse(url) || new URL(url).protocol !== 'wss:') throw new NodeError('CONFIG_INVALID', `not a wss:// URL: ${url}`)
  return url
}

function fingerprint(text: string | undefined): string {
  const hex = (text ?? '').replace(/^sha256:/, '').replaceAll(':', '').toLowerCase()
  if (!/^[0-9a-f]{64}$/.test(hex)) throw new NodeError('CONFIG_INVALID', `not a SHA-256 fingerprint of a certificate authority: ${text ?? '(none)'}`)
  return hex
}
