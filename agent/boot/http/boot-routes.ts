import { describeArchitecture, type LoaderTable } from '../architecture.ts'
import { askBooter } from '../ask-booter.ts'
import type { ReportBootEvent } from '../boot-event.ts'
import type { BootAnswer, BootClient, Booter } from '../booter.ts'
import { ipxeScript } from '../ipxe.ts'
import { parseMac } from '../mac.ts'
import type { BootRequest, BootRoute } from './boot-route.ts'
import type { FileCache } from './file-cache.ts'
import { serveFile } from './serve-file.ts'

/** What our own paths need; see {@link bootRoutes}. */
export interface BootRoutesOptions {
  readonly booter: Booter
  /** Absolute path of a loader on disk, or why this machine gets none. */
  readonly loader: (file: string, mac: string) => { readonly path: string } | { readonly refused: string }
  readonly loaders: LoaderTable
  /** Absolute path of the artifact with this SHA-256 (64 lower-case hexadecimal digits), or undefined. */
  readonly artifact: (sha256: string) => string | undefined
  /** Absolute path of what `/boot/files/NAME` stands for, or undefined. NAME is one safe word. */
  readonly file: (name: string) => string | undefined
  readonly cache: FileCache
  readonly onScript: (mac: string) => void
  readonly onLoader: (mac: string) => void
  readonly report: ReportBootEvent
}

/**
 * The boot server's own paths:
 * - `/boot/MAC/ipxe` the script with the booter's answer; `?arch=` (option 93) and `?uuid=` tell more of the machine,
 *   else it is taken for a BIOS machine;
 * - `/boot/MAC/LOADER` the network boot program, for firmware that boots by HTTP;
 * - `/boot/files/NAME` files by name; `/artifacts/sha256/HASH` files by content.
 */
export function bootRoutes(options: BootRoutesOptions): readonly BootRoute[] {
  return [
    { prefix: '/boot/', handle: (boot) => serveMachine(boot, options) },
    { prefix: '/boot/files/', handle: (boot) => serveNamed(boot, options) },
    { prefix: '/artifacts/sha256/', handle: (boot) => serveArtifact(boot, options) },
  ]
}

async function serveMachine(boot: BootRequest, options: BootRoutesOptions): Promise<'done' | 'missing'> {
  const [macText = '', name = '', ...rest] = boot.url.pathname.slice('/boot/'.length).split('/')
  const mac = parseMac(macText)
  if (mac === undefined || rest.length > 0) return 'missing'
  if (name === 'ipxe') return serveScript(boot, { mac, options })
  if (!Object.values(options.loaders).includes(name)) return 'missing'
  const loader = options.loader(name, mac)
  if ('refused' in loader) {
    boot.response.writeHead(403, { 'content-type': 'text/plain' }).end(`${loader.refused}\n`)
    return 'done'
  }
  const isWhole = boot.request.method === 'GET' && boot.request.headers.range === undefined
  if (isWhole) boot.response.once('finish', () => options.onLoader(mac))
  return serveFile(loader.path, boot, { cache: options.cache })
}

function serveScript(boot: BootRequest, { mac, options }: { mac: string; options: BootRoutesOptions }): Promise<'done'> {
  const client = readClient(boot, mac)
  const base = boot.url.origin
  const self = `${base}${boot.url.pathname}${boot.url.search}`
  const answer = askBooter(options.booter, client, options.report)
  const { script, given } = writeScript(answer, { base, self, options, mac })
  // iPXE asks for the size first; only who takes the script has it.
  const isTaken = boot.request.method === 'GET'
  if (isTaken) options.onScript(mac)
  if (isTaken) options.report({ type: 'boot.http.script', mac, client: boot.client, answer: given })
  const bytes = Buffer.from(script)
  boot.response.writeHead(200, { 'content-type': 'text/plain', 'content-length': bytes.length, 'cache-control': 'no-store' })
  boot.response.end(boot.request.method === 'HEAD' ? undefined : bytes)
  return Promise.resolve('done')
}

function readClient(boot: BootRequest, mac: string): BootClient {
  const code = boot.url.searchParams.get('arch') ?? '0'
  const uuid = boot.url.searchParams.get('uuid')?.toLowerCase() ?? ''
  const isUuid = /^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/.test(uuid)
  const { architecture, firmware } = describeArchitecture(/^[0-9]{1,5}$/.test(code) ? Number(code) : 0)
  return { mac, architecture, firmware, userClass: 'iPXE', address: boot.client, ...(isUuid && { uuid }) }
}

interface ScriptContext {
  readonly base: string
  readonly self: string
  readonly mac: string
  readonly options: BootRoutesOptions
}

/** An answer that cannot be put into a script holds the machine, and says so. */
function writeScript(answer: BootAnswer, { base, self, mac, options }: ScriptContext): { script: string; given: BootAnswer['kind'] } {
  try {
    return { script: ipxeScript(answer, { base, self }), given: answer.kind }
  } catch (error) {
    const message = error instanceof Error ? error.message : String(error)
    options.report({ type: 'boot.booter.failed', mac, message })
    return { script: ipxeScript({ kind: 'hold', reason: 'its boot parameters cannot be written' }, { base, self }), given: 'hold' }
  }
}

async function serveNamed(boot: BootRequest, options: BootRoutesOptions): Promise<'done' | 'missing'> {
  const name = boot.url.pathname.slice('/boot/files/'.length)
  if (!/^[A-Za-z0-9_][A-Za-z0-9_.+~-]{0,200}$/.test(name)) return 'missing'
  const path = options.file(name)
  return path === undefined ? 'missing' : serveFile(path, boot, { cache: options.cache })
}

async function serveArtifact(boot: BootRequest, options: BootRoutesOptions): Promise<'done' | 'missing'> {
  const sha256 = boot.url.pathname.slice('/artifacts/sha256/'.length)
  if (!/^[0-9a-f]{64}$/.test(sha256)) return 'missing'
  const path = options.artifact(sha256)
  return path === undefined ? 'missing' : serveFile(path, boot, { cache: options.cache, sha256 })
}
