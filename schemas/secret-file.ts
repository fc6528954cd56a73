/** Folder of a site that holds its secrets; nothing in it is a document. */
export const SECRETS_FOLDER = 'secrets/'
/** Which version each secret has: path → { version, previous? }. */
export const SECRETS_INDEX = `${SECRETS_FOLDER}index.yaml`
/** The path of a secret: words joined by `/`, such as `database/root`. */
export const SECRET_PATH = '^[A-Za-z0-9_][A-Za-z0-9_.-]*(/[A-Za-z0-9_][A-Za-z0-9_.-]*)*$'
/** A version as an index may say it. */
export const SECRET_VERSION = '^[A-Za-z0-9][A-Za-z0-9_.-]{0,63}$'

/** Where the value of a secret is in the site. */
export function secretFile(path: string): string {
  return `${SECRETS_FOLDER}${path}.age`
}

/** Where a value is that is the current one no longer. */
export function formerSecretFile(path: string, version: string): string {
  return `${SECRETS_FOLDER}${path}@${version}.age`
}

/** What a secret's file says of itself without being decrypted. The file's own authentication covers it. */
export interface SecretLabel {
  readonly path: string
  readonly version: string
  /** age recipients that it is encrypted for. */
  readonly recipients: readonly string[]
}

/** The type of the header stanza that holds the label: age (C2SP age.md, "Recipient stanza") skips types it does not know. */
export const LABEL_STANZA = 'crowbar'

/** The arguments of the stanza; its body is empty. */
export function labelArguments({ path, version, recipients }: SecretLabel): readonly string[] {
  return [LABEL_STANZA, path, version, ...recipients]
}

/** Reads the label of an age file, armored or not; undefined when it is no such file or has no label. */
export function readLabel(file: Uint8Array): SecretLabel | undefined {
  for (const line of headerOf(file)) {
    if (line.startsWith('---')) return undefined
    const [arrow, type, path, version, ...recipients] = line.split(' ')
    if (arrow === '->' && type === LABEL_STANZA && path !== undefined && version !== undefined) return { path, version, recipients }
  }
  return undefined
}

const BEGIN = '-----BEGIN AGE ENCRYPTED FILE-----'
/** Bytes in which a header has to end, before base64. */
const MOST_HEADER = 65_536

function headerOf(file: Uint8Array): readonly string[] {
  const begin = Buffer.from(file.buffer, file.byteOffset, Math.min(file.byteLength, MOST_HEADER)).toString('latin1')
  const lines = (begin.trimStart().startsWith(BEGIN) ? armored(begin.trimStart()) : begin).split('\n')
  return lines[0] === 'age-encryption.org/v1' ? lines : []
}

/** What is inside of the armor; nothing when there is more than base64, such as the marks of an unfinished merge. */
function armored(text: string): string {
  const body = text.slice(BEGIN.length).replace(/-----END [A-Z ]*-----\s*$/, '')
  return /^[A-Za-z0-9+/=\s]*$/.test(body) ? Buffer.from(body.replaceAll(/\s/g, ''), 'base64').toString('latin1') : ''
}

/** Two versions of one secret as people compare them: `v3`, `v4`; in full where the numbers do not tell them apart. */
export function shownVersions(before: string, after: string): readonly [string, string] {
  const short = [shownVersion(before), shownVersion(after)] as const
  return short[0] === short[1] && before !== after ? [`v${before}`, `v${after}`] : short
}

/** A version for people: `v4` of `4-8f3a9c1d2b`. */
export function shownVersion(version: string): string {
  return `v${/^([0-9]+)-[0-9a-f]+$/.exec(version)?.[1] ?? version}`
}
