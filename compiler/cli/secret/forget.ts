import { rmSync } from 'node:fs'
import { join } from 'node:path'
import { formerSecretFile, shownVersion } from '../../../schemas/secret-file.ts'
import { EXIT } from '../session.ts'
import { rewriting } from './rewriting.ts'
import type { SecretArguments } from './rewriting.ts'
import { writeIndex } from './secret-folder.ts'

/** `crowbar secret forget PATH...`: the values before the current ones go, so that roles with `previous: true` let go of them. */
export async function forgetSecrets(paths: readonly string[], options: SecretArguments): Promise<number> {
  return rewriting(paths, options, async ({ index, format }) => {
    const forgotten: { readonly path: string; readonly version: string }[] = []
    for (const path of paths) {
      const { version = '', previous = null } = index.get(path) ?? {}
      if (previous === null) continue
      writeIndex(options.site, path, { version, previous: null })
      rmSync(join(options.site, formerSecretFile(path, previous)), { force: true })
      forgotten.push({ path, version: previous })
    }
    if (format === 'json') process.stdout.write(`${JSON.stringify(forgotten, null, 2)}\n`)
    else for (const { path, version } of forgotten) process.stdout.write(`${path} ${shownVersion(version)} is forgotten\n`)
    process.stderr.write(forgotten.length === 0 ? 'There is no former value to forget.\n' : 'Commit what changed below secrets/. The history of the repository still has the value, encrypted.\n')
    return EXIT.done
  })
}
