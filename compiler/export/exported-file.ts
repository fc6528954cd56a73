import type { Cluster } from './cluster.ts'

/** A file of an export: its path and what is in it. */
export interface ExportedFile {
  readonly path: string
  readonly text: string | Uint8Array
  readonly executable?: true
}

/** The files of a barclamp by the digest of its content: path → bytes. */
export type ContentOf = (content: string) => readonly { readonly path: string; readonly bytes: Uint8Array; readonly executable: boolean }[]

export interface ExportInput {
  readonly cluster: Cluster
  readonly contentOf: ContentOf
}
