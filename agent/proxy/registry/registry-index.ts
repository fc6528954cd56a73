/** The digest by which an index vouches for a file. */
export interface Digest {
  readonly algorithm: 'sha1' | 'sha256' | 'sha384' | 'sha512'
  readonly hex: string
}

/** A file that an index names. */
export interface IndexedFile {
  /** Absolute, http or https. */
  readonly url: string
  readonly digest: Digest
  /** Undefined when the index does not say. */
  readonly bytes: number | undefined
}

/** What a registry says of one package. */
export interface RegistryIndex {
  /** By the name under which clients of the proxy ask for it. */
  readonly files: ReadonlyMap<string, IndexedFile>
}

/** One kind of registry: where its indexes are, what they say, and how they are told on. Pure. */
export interface RegistryKind {
  /** What is served, for messages. */
  readonly paths: string
  /** Accept headers for the forms of an index that upstreams have, the smallest first. */
  readonly forms: readonly [string, ...string[]]
  /** What a path below the source is; undefined: nothing that is served. */
  route(path: string): RegistryRoute | undefined
  /** What a client with this Accept header is told, and the form that it is made of. */
  offer(accept: string): { readonly contentType: string; readonly form: string }
  /** Where the index of a package is, relative to an upstream's base. */
  path(name: string): string
  /** @param url where it was had. @throws {TypeError | SyntaxError} when this is no index of that package; the message says what it is instead. */
  read(bytes: Buffer, name: string, url: string): RegistryIndex
  /** The index with the files at this proxy. @param bytes what `read` has taken. */
  write(bytes: Buffer, name: string, options: WriteOptions): Buffer
}

export interface WriteOptions {
  readonly url: string
  readonly contentType: string
  /** URL of the source at this proxy, as the client sees it, with a slash at its end. */
  readonly base: string
}

export type RegistryRoute =
  | { readonly kind: 'index'; readonly name: string }
  | { readonly kind: 'file'; readonly name: string; readonly file: string }

/** The URL of a file as an index gives it; undefined when it is none that is asked over a network. */
export function fileUrl(text: unknown, index: string): string | undefined {
  if (typeof text !== 'string' || !URL.canParse(text, index)) return undefined
  const url = new URL(text, index)
  if (url.protocol !== 'http:' && url.protocol !== 'https:') return undefined
  url.hash = ''
  return url.href
}

/** @returns undefined unless it has as many hex digits as the algorithm. */
export function digestOf(algorithm: string, hex: unknown): Digest | undefined {
  const digits = { sha1: 40, sha256: 64, sha384: 96, sha512: 128 }[algorithm]
  if (digits === undefined || typeof hex !== 'string' || hex.length !== digits || !/^[0-9a-f]+$/i.test(hex)) return undefined
  return { algorithm: algorithm as Digest['algorithm'], hex: hex.toLowerCase() }
}

/** What an upstream wrote where something else was wanted, for a message. */
export function shown(value: unknown): string {
  return String(JSON.stringify(value)).slice(0, 100)
}

export function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}
