/** What the proxy counts, since it started. */
export interface Counters {
  /** Requests by what came of them. */
  readonly requests: { hit: number; miss: number; stale: number; refused: number; failed: number }
  /** Bytes of bodies: to clients from the store, to clients while they came, and from upstreams. */
  readonly bytes: { hit: number; miss: number; upstream: number }
}

/** An upstream as an operator sees it. */
export interface UpstreamHealth {
  readonly source: string
  /** Without credentials. */
  readonly upstream: string
  readonly up: boolean
  readonly failures: number
  readonly lastError: string | null
  readonly answers: number
  readonly bytes: number
}

export interface StaleRepository {
  readonly source: string
  readonly suite: string
  readonly because: string
}

/** The state of the proxy, for `crowbar stage status` and for metrics. */
export interface ProxyState {
  readonly counters: Counters
  readonly flights: number
  readonly upstreams: readonly UpstreamHealth[]
  readonly stale: readonly StaleRepository[]
}

export function newCounters(): Counters {
  return { requests: { hit: 0, miss: 0, stale: 0, refused: 0, failed: 0 }, bytes: { hit: 0, miss: 0, upstream: 0 } }
}

/** The state as Prometheus reads it: text format 0.0.4. */
export function formatMetrics({ counters, flights, upstreams, stale }: ProxyState): string {
  const lines: string[] = []
  const metric = (name: string, type: 'counter' | 'gauge', help: string, values: readonly (readonly [Readonly<Record<string, string>>, number])[]): void => {
    lines.push(`# HELP ${name} ${help}`, `# TYPE ${name} ${type}`)
    for (const [labels, value] of values) {
      const text = Object.entries(labels).map(([label, one]) => `${label}="${one.replace(/[\\"\n]/g, found => (found === '\n' ? '\\n' : `\\${found}`))}"`).join(',')
      lines.push(`${name}${text === '' ? '' : `{${text}}`} ${String(value)}`)
    }
  }
  metric('crowbar_proxy_requests_total', 'counter', 'Requests of clients, by what came of them.', Object.entries(counters.requests).map(([result, value]) => [{ result }, value]))
  metric('crowbar_proxy_bytes_total', 'counter', 'Bytes of bodies: hit and miss went to clients, upstream came from upstreams.', Object.entries(counters.bytes).map(([kind, value]) => [{ kind }, value]))
  metric('crowbar_proxy_flights', 'gauge', 'Objects that are on their way from an upstream.', [[{}, flights]])
  const of = ({ source, upstream }: UpstreamHealth): Readonly<Record<string, string>> => ({ source, upstream })
  metric('crowbar_proxy_upstream_up', 'gauge', '1 when the last try of an upstream succeeded, or none was made.', upstreams.map(one => [of(one), one.up ? 1 : 0]))
  metric('crowbar_proxy_upstream_failures', 'gauge', 'Failures of an upstream since it last gave something.', upstreams.map(one => [of(one), one.failures]))
  metric('crowbar_proxy_upstream_bytes_total', 'counter', 'Bytes that came from an upstream.', upstreams.map(one => [of(one), one.bytes]))
  metric('crowbar_proxy_stale', 'gauge', '1 for a repository of which an older state is served.', stale.map(({ source, suite }) => [{ source, suite }, 1]))
  return `${lines.join('\n')}\n`
}

/** The state as lines for people. */
export function describeProxy({ counters, flights, upstreams, stale }: ProxyState): readonly string[] {
  const { requests, bytes } = counters
  const answered = requests.hit + requests.miss
  const megabytes = (count: number): string => `${(count / 1e6).toFixed(1)} MB`
  return [
    `proxy: ${String(answered)} answers, ${answered === 0 ? '-' : `${String(Math.round((100 * requests.hit) / answered))} %`} from the store; ${megabytes(bytes.hit + bytes.miss)} out, ${megabytes(bytes.upstream)} in; ${String(requests.failed)} failed, ${String(requests.refused)} refused${flights === 0 ? '' : `; ${String(flights)} on their way`}`,
    ...upstreams.map(one => `  ${one.source}: ${one.upstream} ${one.up ? 'is well' : `fails (${String(one.failures)}): ${one.lastError ?? ''}`}`),
    ...stale.map(one => `  ${one.source}: ${one.suite} is served as it was: ${one.because}`),
  ]
}
