/** A file of an archive. */
export interface ArchiveFile {
  /** Relative, with slashes. */
  readonly path: string
  readonly mode: '0644' | '0755'
  readonly content: Uint8Array
}

/** What a package is made of, as both formats can say it. */
export interface PackageOf {
  readonly packageName: string
  /** `~` before what comes before a release, so that it is older than it. */
  readonly version: string
  /** One line. */
  readonly summary: string
  readonly maintainer: string
  /** By code point of path, where they are to be on the machine, without a slash before it. */
  readonly files: readonly ArchiveFile[]
}

/** Seconds since 1970 that everything in an archive is as old as: 1980-01-01, the first time that every format can say. */
export const ARCHIVE_TIME = 315_532_800

/** Every folder above the files, once each and before what is in it, without a slash at the end. */
export function foldersOf(files: readonly ArchiveFile[]): readonly string[] {
  const folders = new Set<string>()
  for (const { path } of files) {
    for (let slash = path.indexOf('/'); slash >= 0; slash = path.indexOf('/', slash + 1)) folders.add(path.slice(0, slash))
  }
  return [...folders].toSorted((a, b) => (a < b ? -1 : 1))
}

export function joined(parts: readonly Uint8Array[]): Uint8Array {
  return new Uint8Array(Buffer.concat(parts))
}

/** A whole number of blocks, filled up with zeros. */
export function padded(content: Uint8Array, block: number): Uint8Array {
  const rest = content.length % block
  return rest === 0 ? content : joined([content, new Uint8Array(block - rest)])
}
