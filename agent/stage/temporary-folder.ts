import { mkdir, mkdtemp, rm } from 'node:fs/promises'
import { join } from 'node:path'

/** A folder that is removed, with all in it, when its owner's scope ends. */
export interface TemporaryFolder extends AsyncDisposable {
  readonly path: string
}

/**
 * Makes a private folder (mode 0700) below `parent`, which is made too if it is not there.
 *
 * Use with `await using`: the folder is gone when the scope ends, also by an error or an abort. A process that is
 * killed leaves it behind; see `Store.sweep`.
 */
export async function openTemporaryFolder(parent: string, prefix: string): Promise<TemporaryFolder> {
  await mkdir(parent, { recursive: true })
  const path = await mkdtemp(join(parent, `${prefix}-`))
  return {
    path,
    async [Symbol.asyncDispose]() {
      await rm(path, { recursive: true, force: true, maxRetries: 3 })
    },
  }
}
