import { openSecret } from '../../schemas/age.ts'
import type { Identities } from '../../schemas/age.ts'
import { formerSecretFile, readLabel, secretFile, SECRETS_FOLDER } from '../../schemas/secret-file.ts'
import type { SiteRepository } from '../site/repository.ts'
import { isLabelled, nameOfSecret } from './secrets.ts'
import type { FoundSecret, Secrets, WantedSecret } from './secrets.ts'

export interface SecretsOptions {
  /** null: this agent has none. */
  readonly identities: Identities | null
  readonly site: Pick<SiteRepository, 'readBytes'>
}

/** Commits whose files are remembered, and values that are: what a run asks for again and again. */
const COMMITS = 4
const VALUES = 10_000

/** Reads secrets out of commits of the site and decrypts them, in memory only. */
export function openSecrets({ identities, site }: SecretsOptions): Secrets {
  const trees = new Map<string, Promise<ReadonlyMap<string, Buffer>>>()
  const values = new Map<string, string>()

  const filesOf = (commit: string, signal: AbortSignal): Promise<ReadonlyMap<string, Buffer>> => {
    const known = trees.get(commit)
    if (known !== undefined) return known
    // Of a commit that the clone does not have, nothing is known.
    const files = site.readBytes(commit, SECRETS_FOLDER, signal).catch((error: unknown) => {
      trees.delete(commit)
      signal.throwIfAborted()
      if (error instanceof Error && 'code' in error && error.code === 'SITE_GIT_FAILED') return new Map<string, Buffer>()
      throw error
    })
    trees.set(commit, files)
    forgetOldest(trees, COMMITS)
    return files
  }
  const fileOf = async (wanted: WantedSecret, commits: readonly string[], signal: AbortSignal): Promise<Buffer | undefined> => {
    for (const commit of new Set(commits)) {
      const files = await filesOf(commit, signal)
      const found = [secretFile(wanted.secret), formerSecretFile(wanted.secret, wanted.version)].map((path) => files.get(path)).find((file) => file !== undefined && isLabelled(readLabel(file), wanted))
      if (found !== undefined) return found
    }
    return undefined
  }
  return {
    async value(wanted, { commits, signal }): Promise<FoundSecret> {
      const name = nameOfSecret(wanted)
      if (identities === null) return { kind: 'missing', code: 'SECRETS_NO_IDENTITY', message: `the secret ${name} is wanted, and this agent has no \`identity\` in its configuration` }
      const key = `${wanted.secret}\n${wanted.version}`
      const known = values.get(key)
      if (known !== undefined) return { kind: 'found', value: known }
      const file = await fileOf(wanted, commits, signal)
      if (file === undefined) return { kind: 'missing', code: 'SECRET_MISSING', message: `the secret ${name} is not in the repository: no ${secretFile(wanted.secret)} of that version is in ${commits.map((commit) => commit.slice(0, 12)).join(' or ')}` }
      const opened = await openSecret(file, identities)
      if (opened.kind === 'closed') return { kind: 'missing', code: 'SECRET_UNDECRYPTABLE', message: `the secret ${name} cannot be decrypted: ${opened.message}` }
      values.set(key, opened.value)
      forgetOldest(values, VALUES)
      return { kind: 'found', value: opened.value }
    },
  }
}

function forgetOldest(map: Map<string, unknown>, most: number): void {
  for (const key of map.keys()) {
    if (map.size <= most) return
    map.delete(key)
  }
}
