import type { Place } from './fields.ts'
import type { Variables } from './sourced.ts'

/** Text, and where it was said. */
export interface Said {
  readonly text: string
  readonly place: Place
}

/** A host as another tool has it. */
export interface Host {
  /** As the tool calls it. */
  readonly name: string
  /** Where it is named. */
  readonly places: readonly Place[]
  /** Names of groups, those of which it is a member through others too. */
  readonly groups: readonly string[]
  /** What holds for it in the end. */
  readonly variables: Variables
  readonly address?: Said | undefined
  readonly labels?: { readonly [name: string]: Said }
  /** By what its machine is known. */
  readonly machine?: { readonly serial?: Said; readonly uuid?: Said; readonly mac?: Said }
}

export interface Group {
  readonly name: string
  /** Where it is named. */
  readonly places: readonly Place[]
  readonly description: string
}

/** What a tool says of hosts: becomes nodes, one barclamp with a role a group, and one deployment. */
export interface Estate {
  /** The name of the barclamp and of the deployment. */
  readonly name: string
  readonly hosts: readonly Host[]
  readonly groups: readonly Group[]
  /** Variables that are said and may hold for no host. */
  readonly declared: readonly Variables[]
  /** What holds for all hosts. */
  readonly common?: Variables
}

/** A file that an import writes. */
export interface ImportedFile {
  readonly path: string
  readonly text: string
}
