import { readdir, readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { parseStanzas } from './deb822.ts'
import type { Stanza } from './deb822.ts'
import { StageError } from './stage-error.ts'

/** One source of binary packages as a machine's apt is configured to use it. sources.list(5). */
export interface AptSource {
  readonly uris: readonly string[]
  readonly suites: readonly string[]
  readonly components: readonly string[]
  /** What the source says beyond these, by its deb822 field name (`Signed-By`, `Trusted`, …). */
  readonly options: Readonly<Record<string, string>>
  /**
   * The source of the site that asked for it, whose keys (base64) are believed alone, and where it says so
   * (path:line:column). `proxied`: apt is to ask Crowbar's proxy, which goes on to the next address when one fails.
   */
  readonly site?: { readonly name: string; readonly keys: string | null; readonly at: string | null; readonly proxied: boolean }
}

/**
 * Reads the apt sources of this machine: `sources.list` and `sources.list.d/*.{list,sources}`, in the order in which
 * apt reads them. Disabled and source-only entries are left out.
 */
export async function readHostAptSources(folder = '/etc/apt'): Promise<AptSource[]> {
  const parts = join(folder, 'sources.list.d')
  const names: string[] = await readdir(parts).catch(() => [])
  const files = [join(folder, 'sources.list'), ...names.toSorted().map(name => join(parts, name))]
  const sources: AptSource[] = []
  for (const file of files) {
    const text = await readFile(file, 'utf8').catch(() => '')
    if (file.endsWith('.list')) sources.push(...text.split('\n').flatMap(parseOneLine))
    else if (file.endsWith('.sources')) sources.push(...parseStanzas(text).flatMap(parseStanza))
  }
  return sources
}

/**
 * Chooses, from a machine's sources, those that give a Debian suite with its updates and security fixes.
 *
 * Sources count whose component `main` is offered for the suite or its `-updates` and `-security`. A machine that runs
 * another release offers the same through its own mirror: then its suite is replaced by the one asked for.
 *
 * @param suite code name, as `bookworm`.
 * @throws {StageError} APT_NO_SOURCE if no source of this machine can be a Debian mirror.
 */
export function sourcesForSuite(sources: readonly AptSource[], suite: string): AptSource[] {
  const own = sources.flatMap(source => narrow(source, suite, suite))
  if (own.length > 0) return own
  const [, code, branch] = /^(.+)-(updates|security|backports|proposed-updates)$/.exec(suite) ?? []
  if (code !== undefined) {
    const beside = sourcesForSuite(sources, code)
    const has = (one: string): AptSource[] => beside.filter(source => source.suites.includes(one)).map(source => ({ ...source, suites: [suite] }))
    return branch === 'security' && has(suite).length > 0 ? has(suite) : has(code)
  }
  const neighbour = sources.filter(hasMain).flatMap(source => source.suites).find(name => DEBIAN_SUITES.has(name))
  const borrowed = neighbour === undefined ? [] : sources.flatMap(source => narrow(source, neighbour, suite))
  if (borrowed.length > 0) return borrowed
  throw new StageError('APT_NO_SOURCE', `this machine's apt knows no Debian mirror, so ${suite} cannot be had; add one to /etc/apt/sources.list.d`, {
    data: { suite },
  })
}

/** Writes sources as one deb822 file, `*.sources`. */
export function formatAptSources(sources: readonly AptSource[]): string {
  return sources.map(source => [
    'Types: deb', `URIs: ${source.uris.join(' ')}`, `Suites: ${source.suites.join(' ')}`,
    // A folder with everything in it has no components. sources.list(5)
    ...(source.suites.every(suite => suite.endsWith('/')) ? [] : [`Components: ${source.components.length === 0 ? 'main' : source.components.join(' ')}`]),
    ...Object.entries(source.options).map(([name, value]) => `${name}: ${value.replaceAll('\n\n', '\n.\n').replaceAll('\n', '\n ')}`), '',
  ].join('\n')).join('\n')
}

const DEBIAN_SUITES = new Set(['bullseye', 'bookworm', 'trixie', 'forky', 'sid', 'stable', 'oldstable', 'testing', 'unstable'])
const BRANCHES = ['', '-updates', '-security']

function hasMain(source: AptSource): boolean {
  return source.components.includes('main')
}

function narrow(source: AptSource, from: string, to: string): AptSource[] {
  if (!hasMain(source)) return []
  const suites = source.suites.filter(name => BRANCHES.some(branch => name === from + branch)).map(name => to + name.slice(from.length))
  return suites.length === 0 ? [] : [{ ...source, suites }]
}

function parseStanza(stanza: Stanza): AptSource[] {
  const field = (wanted: string): string | undefined => [...stanza].find(([name]) => name.toLowerCase() === wanted)?.[1]
  const words = (wanted: string): string[] => (field(wanted) ?? '').split(/\s+/).filter(word => word !== '')
  if (!words('types').includes('deb') || /^(no|false|0)$/i.test(field('enabled') ?? 'yes')) return []
  const options = Object.fromEntries([...stanza].filter(([name]) => KEPT_OPTIONS.has(name.toLowerCase())))
  return [{ uris: words('uris'), suites: words('suites'), components: words('components'), options }]
}

const KEPT_OPTIONS = new Set(['signed-by', 'trusted', 'check-valid-until', 'check-date', 'allow-insecure', 'allow-weak'])

function parseOneLine(line: string): AptSource[] {
  const match = /^\s*deb\s+(?:\[(?<options>[^\]]*)\]\s+)?(?<uri>\S+)\s+(?<suite>\S+)\s+(?<components>[^#]+)/.exec(line)
  if (match?.groups === undefined) return []
  const { options = '', uri = '', suite = '', components = '' } = match.groups
  const pairs = options.split(/\s+/).map(option => option.split('=')).filter(pair => pair.length === 2)
  return [{
    uris: [uri],
    suites: [suite],
    components: components.trim().split(/\s+/),
    options: Object.fromEntries(pairs.filter(([name = '']) => KEPT_OPTIONS.has(name)).map(([name = '', value = '']) => [titled(name), value])),
  }]
}

function titled(name: string): string {
  return name.split('-').map(word => word.slice(0, 1).toUpperCase() + word.slice(1)).join('-')
}
