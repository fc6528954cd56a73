import { debianLoaders, type LoaderTable } from './architecture.ts'
import type { ReportBootEvent } from './boot-event.ts'
import type { Booter } from './booter.ts'
import { startDhcp } from './dhcp/dhcp-server.ts'
import { LeaseJournal } from './dhcp/lease-journal.ts'
import { LeaseTable, type Lease } from './dhcp/lease-table.ts'
import { prepareSubnet, type DhcpSubnet, type PreparedSubnet } from './dhcp/subnet.ts'
import type { BootRoute } from './http/boot-route.ts'
import { bootRoutes } from './http/boot-routes.ts'
import { FileCache } from './http/file-cache.ts'
import { startHttp, type Forward } from './http/http-server.ts'
import { LoopDetector } from './loop-detector.ts'
import { startTftp, type ResolveTftp } from './tftp/tftp-server.ts'

/** One interface on which machines boot. */
export interface BootInterface {
  /** Device, as the kernel calls it. */
  readonly name: string
  /** Our address on it: next server, server identifier, and the host in every URL. */
  readonly address: string
  /** `files`: nothing but HTTP, which nodes need whoever gives them addresses. `listen`: that, and foreign servers are reported. */
  readonly mode: 'server' | 'proxy' | 'listen' | 'files'
  /** The subnet of the link itself. */
  readonly subnet: DhcpSubnet
  /** Subnets behind relays that reach us through this interface. */
  readonly relayed?: readonly DhcpSubnet[]
}

/** See {@link serveBoot}. */
export interface ServeBootOptions {
  readonly interfaces: readonly BootInterface[]
  readonly booter: Booter
  /** File of the leases; its folder exists. */
  readonly leaseFile: string
  /** Absolute path of a loader by its file name; undefined while there is none. */
  readonly loader: (file: string) => string | undefined
  /** Debian's names unless told. */
  readonly loaders?: LoaderTable
  /** Absolute path of an artifact by SHA-256; undefined if it is not in the store. */
  readonly artifact: (sha256: string) => string | undefined
  /** Absolute path of a file by name, for `/boot/files/NAME`. */
  readonly file: (name: string) => string | undefined
  /** Further paths of the boot server, such as `/apt/` or `/time`. */
  readonly routes?: readonly BootRoute[]
  /** Answers what has nothing to do with booting, such as the caching proxy. */
  readonly forward?: Forward
  /** 80 unless told. */
  readonly httpPort?: number
  /** Ask the link for strangers before an address of a pool is offered; true unless told. */
  readonly probe?: boolean
  /** Milliseconds since 1970: leases outlive the process. */
  readonly clock: () => number
  readonly report: ReportBootEvent
  /** Ends the start; what is running is ended by disposal. */
  readonly signal: AbortSignal
}

/** Boot services that run until they are disposed of. */
export interface BootServices extends AsyncDisposable {
  /** Every lease, as it is now. */
  leases(): readonly Lease[]
  /**
   * Changes what DHCP knows of an interface's subnets, from the next message on; no socket is touched.
   *
   * @throws {RangeError} if the interface is not served or a subnet is not sound; then nothing has changed.
   */
  update(name: string, subnets: { readonly subnet: DhcpSubnet; readonly relayed?: readonly DhcpSubnet[] }): void
}

const tftpPort = 69

/**
 * Starts DHCP, TFTP and HTTP on each interface, all asking one booter. Interfaces that are not listed are not touched;
 * `proxy` serves all but addresses, `listen` and `files` serve HTTP only.
 *
 * @throws {BootSocketError} if an interface is not as described; what had been started is stopped again.
 * @throws {RangeError} if a subnet is not sound.
 */
export async function serveBoot(options: ServeBootOptions): Promise<BootServices> {
  await using services = new AsyncDisposableStack()
  const subnets = new Map(options.interfaces.map((each) => [each.name, prepare(each)]))
  const { journal, contents } = await LeaseJournal.open(options.leaseFile)
  services.use(journal)
  const leases = new LeaseTable(contents.leases)
  if (contents.damagedLines > 0) {
    const reason = `${contents.damagedLines} damaged lines in ${options.leaseFile} were passed over`
    options.report({ type: 'boot.dhcp.failed', mac: '', interface: '', reason })
  }
  const shared = sharedParts(options)
  for (const each of options.interfaces) {
    // Before DHCP, which sends machines here.
    await startFiles(each, { options, shared, services })
    if (each.mode === 'files') continue
    services.use(
      await startDhcp({
        interface: each.name,
        address: each.address,
        mode: each.mode,
        state: () => ({ subnets: subnets.get(each.name) ?? [], booter: options.booter, boot: shared.boot }),
        leases,
        journal,
        probe: options.probe ?? true,
        clock: options.clock,
        report: options.report,
        signal: options.signal,
      }),
    )
  }
  const running = services.move()
  return {
    leases: () => [...leases.all()],
    update(name, next) {
      if (!subnets.has(name)) throw new RangeError(`interface ${name} is not served`)
      subnets.set(name, prepare(next))
    },
    [Symbol.asyncDispose]: () => running.disposeAsync(),
  }
}

function prepare({ subnet, relayed = [] }: Pick<BootInterface, 'subnet' | 'relayed'>): readonly PreparedSubnet[] {
  return [subnet, ...relayed].map(prepareSubnet)
}

interface SharedParts {
  readonly boot: { readonly httpPort: number; readonly loaders: LoaderTable }
  readonly resolve: ResolveTftp
  readonly onLoader: (mac: string) => void
  readonly routes: readonly BootRoute[]
}

/** What is the same on every interface: loaders, the watch for loops, and the routes. */
function sharedParts(options: ServeBootOptions): SharedParts {
  const { booter, report, loaders = debianLoaders } = options
  const loops = new LoopDetector()
  const now = (): number => performance.now()
  const onLoader = (mac: string): void => {
    const fetches = loops.loaderSent(mac, now())
    if (fetches !== undefined) report({ type: 'boot.loop', mac, fetches })
  }
  const loader = (file: string, mac: string): { path: string } | { refused: string } => {
    if (loops.isLooping(mac, now())) return { refused: 'fetched its loader again and again' }
    const path = options.loader(file)
    return path === undefined ? { refused: 'there is no loader before the discovery image is there' } : { path }
  }
  const resolve: ResolveTftp = (path, { mac }) => {
    const [, name = '', ...rest] = path.split('/')
    if (mac === undefined || rest.length > 0 || !Object.values(loaders).includes(name)) {
      return { kind: 'refuse', reason: 'no such file', isMissing: true }
    }
    const found = loader(name, mac)
    return 'refused' in found ? { kind: 'refuse', reason: found.refused, isMissing: false } : { kind: 'file', path: found.path }
  }
  const routes = bootRoutes({
    booter,
    loader,
    loaders,
    artifact: options.artifact,
    file: options.file,
    cache: new FileCache(),
    onScript: (mac) => loops.scriptSent(mac),
    onLoader,
    report,
  })
  return { boot: { httpPort: options.httpPort ?? 80, loaders }, resolve, onLoader, routes: [...routes, ...(options.routes ?? [])] }
}

async function startFiles(
  { name, address, mode }: BootInterface,
  context: { options: ServeBootOptions; shared: SharedParts; services: AsyncDisposableStack },
): Promise<void> {
  const { options, shared, services } = context
  const { report, signal } = options
  const now = (): number => performance.now()
  const onSent = (_: string, { mac }: { mac: string | undefined }): void => {
    if (mac !== undefined) shared.onLoader(mac)
  }
  if (mode === 'server' || mode === 'proxy') {
    services.use(
      await startTftp({ interface: name, address, port: tftpPort, resolve: shared.resolve, onSent, now, report, signal }),
    )
  }
  services.use(await startHttp({ address, port: shared.boot.httpPort, routes: shared.routes, forward: options.forward, now, report }))
}
