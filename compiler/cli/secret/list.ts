import { formerSecretFile, readLabel, secretFile, shownVersion } from '../../../schemas/secret-file.ts'
import type { Tree } from '../../tree/tree.ts'
import { EXIT, formatOf, tell } from '../session.ts'
import type { SecretArguments } from './rewriting.ts'
import type { SecretUser } from './secret-uses.ts'
import { siteSecrets } from './site-secrets.ts'
import type { SiteSecrets } from './site-secrets.ts'

/** One secret of a site. */
export interface ListedSecret {
  readonly path: string
  /** null: it has no value. */
  readonly version: string | null
  readonly previous: string | null
  /** Who uses it; null: the site is at fault, so nobody knows. */
  readonly users: readonly SecretUser[] | null
  /** What it is encrypted for; empty when its file is not there. */
  readonly recipients: readonly string[]
  /** It is encrypted for others than the site names. */
  readonly stale: boolean
}

/** `crowbar secret list`. Nothing is decrypted. */
export async function listSecrets(options: SecretArguments): Promise<number> {
  const format = formatOf(options.format, ['text', 'json'])
  if (format === undefined) return EXIT.usage
  const secrets = await siteSecrets(options)
  if (secrets === undefined) return EXIT.fault
  const listed = secretsOf(secrets)
  process.stdout.write(format === 'json' ? `${JSON.stringify({ recipients: secrets.recipients, secrets: listed }, null, 2)}\n` : listText(listed, secrets.recipients))
  return tell(secrets.faults, secrets.tree) ? EXIT.fault : EXIT.done
}

/** Every secret that there is or that somebody uses, by path. */
export function secretsOf({ tree, index, uses, recipients }: SiteSecrets): readonly ListedSecret[] {
  return [...new Set([...index.keys(), ...(uses?.keys() ?? [])])].toSorted().map((path) => {
    const { version = null, previous = null } = index.get(path) ?? {}
    const labels = [version === null ? undefined : labelOf(tree, path, version), previous === null ? undefined : labelOf(tree, path, previous)]
    const stale = labels.some((label) => label !== undefined && !same(label.recipients, recipients))
    return { path, version, previous, users: uses === undefined ? null : (uses.get(path) ?? []), recipients: labels[0]?.recipients ?? [], stale }
  })
}

/** The label of the file that holds a version. */
export function labelOf(tree: Tree, path: string, version: string): ReturnType<typeof readLabel> {
  for (const file of [formerSecretFile(path, version), secretFile(path)]) {
    const bytes = tree.files.get(file)?.bytes()
    const label = bytes === undefined ? undefined : readLabel(bytes)
    if (label?.version === version) return label
  }
  return undefined
}

/** A table, then whom they are for and what is left to be done. */
export function listText(secrets: readonly ListedSecret[], recipients: readonly string[]): string {
  const rows = [['SECRET', 'VERSION', 'USED BY'], ...secrets.map(({ path, version, previous, users }) => [path, version === null ? 'MISSING' : `${shownVersion(version)}${previous === null ? '' : ` (${shownVersion(previous)})`}`, usersText(users)])]
  const widths = [0, 1].map((column) => Math.max(...rows.map((row) => row[column]?.length ?? 0)))
  const lines = secrets.length === 0 ? ['No secrets.'] : rows.map((row) => row.map((cell, column) => cell.padEnd(widths[column] ?? 0)).join('  ').trimEnd())
  lines.push('', `For ${recipients.join(', ')}`)
  const missing = secrets.filter(({ version }) => version === null)
  const generated = missing.filter(({ users }) => users?.some(({ generate }) => generate !== null) === true)
  if (generated.length > 0) lines.push(`To make what is missing: crowbar secret generate`)
  for (const { path } of missing) if (!generated.some((one) => one.path === path)) lines.push(`To give it a value: crowbar secret set ${path}`)
  const stale = secrets.filter((one) => one.stale)
  if (stale.length > 0) lines.push(`Encrypted for others than these: ${stale.map(({ path }) => path).join(', ')}. To mend that: crowbar secret reencrypt --identity FILE`)
  return `${lines.join('\n')}\n`
}

function usersText(users: readonly SecretUser[] | null): string {
  if (users === null) return 'not known: the site is at fault'
  if (users.length === 0) return 'nobody'
  return [...new Set(users.map(({ role, at, previous }) => `${role ?? at}${previous ? ' (and the previous one)' : ''}`))].join(', ')
}

function same(a: readonly string[], b: readonly string[]): boolean {
  return a.toSorted().join(' ') === b.toSorted().join(' ')
}
