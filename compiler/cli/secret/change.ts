import { shownVersion } from '../../../schemas/secret-file.ts'
import { ALPHABETS, nextVersion, randomValue } from './random-value.ts'
import type { Generate } from '../../inject/secret.ts'
import { EXIT, formatOf, misused, tell } from '../session.ts'
import { encrypt } from './encrypt.ts'
import { SecretIndexError } from './index-text.ts'
import type { IndexLine } from './index-text.ts'
import { readValue, SecretValueError } from './read-value.ts'
import { failed } from './rewriting.ts'
import type { SecretArguments } from './rewriting.ts'
import { holdingSecrets, putSecret, SecretFolderError } from './secret-folder.ts'
import { isSecretPath, siteSecrets } from './site-secrets.ts'
import type { SiteSecrets } from './site-secrets.ts'

export interface GenerateArguments extends SecretArguments {
  readonly length?: string
  readonly alphabet?: string
}

/** `crowbar secret set PATH`: a value from a file, a pipe or a person becomes the current one. */
export async function setSecret(path: string, options: SecretArguments & { readonly file?: string; readonly exact?: true }): Promise<number> {
  return changing(options, { paths: [path], ask: () => readValue(path, options), values: (_, value) => new Map([[path, value]]) })
}

/** `crowbar secret generate [PATH]`: random values for secrets that have none. */
export async function generateSecrets(path: string | undefined, options: GenerateArguments): Promise<number> {
  const asked = generateOf(options)
  if (typeof asked === 'number') return asked
  if (path === undefined && asked !== null) return misused('--length and --alphabet are for one secret: name it')
  return changing(options, { paths: path === undefined ? [] : [path], values(secrets) {
    if (path === undefined) {
      if (secrets.uses === undefined) return FAULTS
      const missing = [...secrets.uses.keys()].filter((one) => !secrets.index.has(one)).toSorted()
      return new Map(missing.flatMap((one) => {
        const how = howTo(secrets, one)
        return how === null ? [] : [[one, randomValue(how)] as const]
      }))
    }
    if (secrets.index.has(path)) return `the secret ${path} has a value; \`crowbar secret rotate ${path}\` makes another one`
    return new Map([[path, randomValue(asked ?? howTo(secrets, path) ?? {})]])
  } })
}

/** `crowbar secret rotate PATH...`: other random values; those before are kept for roles that want them. */
export async function rotateSecrets(paths: readonly string[], options: GenerateArguments): Promise<number> {
  const asked = generateOf(options)
  if (typeof asked === 'number') return asked
  return changing(options, { paths, values(secrets) {
    const values = new Map<string, string>()
    for (const path of paths) {
      if (!secrets.index.has(path)) return `there is no secret ${path}; \`crowbar secret list\` says which there are`
      const how = asked ?? howTo(secrets, path)
      if (how === null && secrets.uses === undefined) return FAULTS
      if (how === null) return `no role in use says how to generate ${path}: say --length or --alphabet, or give the new value itself to \`crowbar secret set ${path}\``
      values.set(path, randomValue(how))
    }
    return values
  } })
}

/** The site is at fault, so that nobody knows who wants what. */
const FAULTS = Symbol('faults')

interface Changing {
  /** Named on the command line. */
  readonly paths: readonly string[]
  /** Gets a value from outside. */
  readonly ask?: () => Promise<string>
  /** Path → new value; or why not. */
  readonly values: (secrets: SiteSecrets, asked: string) => ReadonlyMap<string, string> | string | typeof FAULTS
}

/** A secret as it was written. */
interface Written extends IndexLine {
  readonly path: string
}

async function changing({ site, format }: SecretArguments, { paths, ask, values }: Changing): Promise<number> {
  const chosen = formatOf(format, ['text', 'json'])
  if (chosen === undefined || !paths.every(isSecretPath)) return EXIT.usage
  try {
    const first = await siteSecrets({ site })
    if (first === undefined) return EXIT.fault
    // Whoever types may take his time: only what is written is held against others, and looked at anew.
    const asked = (await ask?.()) ?? ''
    const wanted = values(first, asked)
    if (typeof wanted === 'string') return failed(wanted)
    if (wanted === FAULTS) return siteAtFault(first)
    if (wanted.size === 0) return show([], chosen)
    return await holdingSecrets(site, async () => {
      const secrets = await siteSecrets({ site })
      if (secrets === undefined) return EXIT.fault
      const made = values(secrets, asked)
      if (typeof made === 'string') return failed(made)
      return made === FAULTS ? siteAtFault(secrets) : show(await put(site, secrets, made), chosen)
    })
  } catch (cause) {
    if (cause instanceof SecretValueError || cause instanceof SecretFolderError || cause instanceof SecretIndexError) return failed(cause.message)
    throw cause
  }
}

async function put(site: string, { index, recipients }: SiteSecrets, values: ReadonlyMap<string, string>): Promise<readonly Written[]> {
  const written: Written[] = []
  for (const [path, value] of values) {
    const before = index.get(path)
    const version = nextVersion(before?.version)
    written.push({ path, ...putSecret(site, path, { text: await encrypt(value, { path, version, recipients }), version, before }) })
  }
  return written
}

/** How roles in use want a secret to be generated; null when none says. */
function howTo({ uses }: SiteSecrets, path: string): Generate | null {
  return uses?.get(path)?.find(({ generate }) => generate !== null)?.generate ?? null
}

/** What --length and --alphabet ask for; null: neither was said; a number: they make no sense, which was said. */
function generateOf({ length, alphabet }: GenerateArguments): Generate | null | number {
  if (length === undefined && alphabet === undefined) return null
  if (length !== undefined && !(/^[0-9]{1,4}$/.test(length) && Number(length) >= 1 && Number(length) <= 4096)) return misused(`--length is a number of characters from 1 to 4096, not ${length}`)
  if (alphabet !== undefined && !Object.hasOwn(ALPHABETS, alphabet)) return misused(`--alphabet is one of ${Object.keys(ALPHABETS).join(', ')}, not ${alphabet}`)
  return { ...(length === undefined ? {} : { length: Number(length) }), ...(alphabet === undefined ? {} : { alphabet: alphabet as keyof typeof ALPHABETS }) }
}

function show(written: readonly Written[], format: 'text' | 'json'): number {
  if (format === 'json') process.stdout.write(`${JSON.stringify(written, null, 2)}\n`)
  else for (const { path, version, previous } of written) process.stdout.write(`${path} ${shownVersion(version)}${previous === null ? '' : `, ${shownVersion(previous)} is kept as the previous one`}\n`)
  process.stderr.write(written.length === 0 ? 'No secret that is to be generated is missing.\n' : 'Commit what changed below secrets/.\n')
  return EXIT.done
}

function siteAtFault({ faults, tree }: SiteSecrets): number {
  tell(faults, tree)
  return EXIT.fault
}
