import { suggest } from '../../schemas/cel/suggest.ts'
import type { Diagnostic, Range, Report } from '../../schemas/diagnostic.ts'
import { formerSecretFile, readLabel, SECRET_PATH, SECRET_VERSION, secretFile, SECRETS_INDEX } from '../../schemas/secret-file.ts'
import type { Json } from '../../schemas/shape.ts'
import { error } from '../diagnostics/diagnostic.ts'
import { rangeOf } from '../parse/document.ts'
import type { SourceDocument } from '../parse/document.ts'
import { parseFile } from '../parse/parse.ts'
import type { Tree } from '../tree/tree.ts'

/** What the index says of a secret. */
export interface SecretVersions {
  readonly version: string
  /** The version before; null: there was none, or it is not kept. */
  readonly previous: string | null
  /** Its line in the index. */
  readonly range: Range
}

/** Path of a secret → its versions. */
export type SecretIndex = ReadonlyMap<string, SecretVersions>

/** Reads which version each secret has, and checks that the file with it is there; empty when the site has no index. */
export function readSecrets(tree: Tree, report: Report): SecretIndex {
  const found = new Map<string, SecretVersions>()
  if (!tree.files.has(SECRETS_INDEX)) return found
  const [document] = parseFile(tree, SECRETS_INDEX, report)
  if (document === undefined || document.value === null) return found
  if (typeof document.value !== 'object' || Array.isArray(document.value)) {
    report(error('SECRET_INVALID', rangeOf(document, []), 'The index of secrets is a mapping of their paths.', { fix: 'Restore it from the last commit: `crowbar secret` writes it.' }))
    return found
  }
  for (const [path, entry] of Object.entries(document.value as { readonly [path: string]: Json })) {
    const versions = readEntry(document, { path, entry }, report)
    if (versions === undefined) continue
    found.set(path, versions)
    for (const [version, field] of [[versions.version, 'version'], [versions.previous, 'previous']] as const) {
      if (version !== null && !holds(tree, path, version)) report(fileMissing(tree, { path, version, field }, rangeOf(document, [path])))
    }
  }
  return found
}

/** A secret that the index does not have. */
export function unknownSecret(path: string, secrets: SecretIndex, range: Range): Diagnostic {
  if (!new RegExp(SECRET_PATH).test(path)) return error('SECRET_UNKNOWN', range, `${JSON.stringify(path)} is no path of a secret.`, { fix: 'Words of letters, digits, `_`, `.` and `-`, joined by `/`: database/root.' })
  const near = suggest(path, secrets.keys())
  const set = `\`crowbar secret set ${path}\` gives it a value`
  return error('SECRET_UNKNOWN', range, `There is no secret ${path}.`, { fix: near === undefined ? `${set}.` : `Did you mean ${near}? If not, ${set}.` })
}

function readEntry(document: SourceDocument, { path, entry }: { readonly path: string; readonly entry: Json }, report: Report): SecretVersions | undefined {
  const invalid = (summary: string): undefined => {
    report(error('SECRET_INVALID', rangeOf(document, [path]), summary, { fix: '`crowbar secret` writes this file; a line is `database/root: { version: 4-8f3a9c1d2b }`.' }))
    return undefined
  }
  if (!new RegExp(SECRET_PATH).test(path)) return invalid(`${JSON.stringify(path)} is no path of a secret.`)
  const fields: { readonly [field: string]: Json } = entry !== null && typeof entry === 'object' && !Array.isArray(entry) ? (entry as { readonly [field: string]: Json }) : { version: entry }
  const stranger = Object.keys(fields).find((field) => field !== 'version' && field !== 'previous')
  if (stranger !== undefined) return invalid(`The secret ${path} has no field ${stranger}.`)
  const version = versionOf(fields['version'])
  const previous = fields['previous'] === undefined ? null : versionOf(fields['previous'])
  if (version === undefined || previous === undefined) return invalid(`The secret ${path} has no version.`)
  if (version === previous) return invalid(`The secret ${path} has one version twice.`)
  return { version, previous, range: rangeOf(document, [path]) }
}

function versionOf(value: Json | undefined): string | undefined {
  const text = typeof value === 'number' && Number.isSafeInteger(value) && value >= 0 ? String(value) : value
  return typeof text === 'string' && new RegExp(SECRET_VERSION).test(text) ? text : undefined
}

function holds(tree: Tree, path: string, version: string): boolean {
  return [secretFile(path), formerSecretFile(path, version)].some((file) => {
    const label = labelOf(tree, file)
    return label?.path === path && label.version === version
  })
}

function labelOf(tree: Tree, file: string): ReturnType<typeof readLabel> {
  const found = tree.files.get(file)
  return found === undefined ? undefined : readLabel(found.bytes())
}

function fileMissing(tree: Tree, { path, version, field }: { readonly path: string; readonly version: string; readonly field: 'version' | 'previous' }, range: Range): Diagnostic {
  const file = field === 'version' ? secretFile(path) : formerSecretFile(path, version)
  const label = labelOf(tree, file)
  const is = !tree.files.has(file) ? 'is not there' : label === undefined ? 'was not written by `crowbar secret`' : `holds ${label.path} ${label.version}`
  const fix = field === 'version' ? `Commit the file that belongs to this line, or make a new value: \`crowbar secret set ${path}\`.` : 'Commit the file too, or take `previous` out of this line.'
  return error('SECRET_MISSING', range, `The value of the secret ${path} is not in the repository: ${file} ${is}, and the index says ${version}.`, { fix })
}
