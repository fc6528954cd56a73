import type { JigName } from '../../schemas/documents/barclamp.ts'
import type { Foreseen } from '../../schemas/foreseen.ts'
import type { Json } from '../../schemas/shape.ts'

/** What a jig is given to work with. Folders are absolute and exist; the jig itself touches none of them. */
export interface JigInput {
  /** The step's document, every value resolved. */
  readonly document: { readonly [key: string]: Json }
  /** Path of the entry inside `content`. */
  readonly entry: string
  /** Text of the entry. */
  readonly entryText: string
  /** Folder of the barclamp's files. */
  readonly content: string
  /** Private folder in which the files of the export are put. */
  readonly work: string
  /** Empty folder whose files are handed to `import`. */
  readonly results: string
  /**
   * Whether it is given secrets. Then the tool says nothing of the document to the system's log, and a dry run shows no text of
   * files: what a file holds now may be the secret of yesterday, which nobody can tell from other text.
   */
  readonly secretive: boolean
}

/** A file that a jig wants before its command runs; `path` is relative to `work`. */
export interface JigFile {
  readonly path: string
  readonly mode: 0o600 | 0o700
  readonly text: string
}

/** What has to be there, and what to run. Without a command nothing is run and the exit code counts as 0. */
export interface JigExport {
  readonly files: readonly JigFile[]
  readonly command: readonly [string, ...string[]] | null
  /** Added to the environment; folders in `path` go before PATH. */
  readonly environment: Readonly<Record<string, string>>
  readonly path: readonly string[]
  /** Lines that are for `import` alone: they are not shown among the step's output. */
  readonly hides?: (line: string) => boolean
}

/** How the command ended. */
export interface JigEnd {
  readonly exitCode: number
  /** What it left in `results`: relative path → bytes. */
  readonly files: ReadonlyMap<string, Uint8Array>
  /** What it wrote, standard output before standard error; of each at most the last 4 MiB. */
  readonly said: string
}

/** What a run means. Values are as the tool gave them: a string stays a string. */
export type JigOutcome =
  | {
      readonly kind: 'succeeded' | 'unchanged'
      readonly provides: Readonly<Record<string, Json>>
      readonly facts: Readonly<Record<string, Json>>
    }
  | { readonly kind: 'failed'; readonly code: 'JIG_EXIT' | 'JIG_RESULT'; readonly message: string }

/** What a dry run found: nothing foreseen means that nothing would change. */
export type JigForeseen = { readonly kind: 'foreseen'; readonly foreseen: readonly Foreseen[] } | { readonly kind: 'failed'; readonly code: 'JIG_EXIT' | 'JIG_RESULT'; readonly message: string }

/** How a tool says what it would do, and does nothing. */
export interface JigDryRun {
  /** @throws {JigValueError} */
  export(input: JigInput): JigExport
  import(end: JigEnd, input: JigInput): JigForeseen
}

/**
 * An adapter to one configuration tool. Pure: it says what to write and run, and reads what came of it. The packages that
 * a tool comes in are in schemas/jig-packages.ts, since a plan names them.
 */
export interface Jig {
  readonly name: JigName
  /** @throws {JigValueError} */
  export(input: JigInput): JigExport
  import(end: JigEnd, input: JigInput): JigOutcome
  /** null: the tool has none; then a role may name a file of its own (`preview`). */
  readonly dryRun: JigDryRun | null
}

/** A value of the document that the tool cannot be given as it is. */
export class JigValueError extends Error {}
