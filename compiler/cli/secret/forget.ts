import { rmSync } from 'node:fs'
import { join } from 'node:path'
import { formerSecretFile, shownVersion } from '../../../schemas/secret-file.ts'
import { EXIT, formatOf } from '../session.ts'
import type { SecretArguments } from './change.ts'
import { SecretIndexError } from './index-text.ts'
import { holdingSecrets, SecretFolderError, writeIndex } from './secret-folder.ts'
import { isSecretPath, siteSecrets } from './site-secrets.ts'

/** `crowbar secret forget PATH...`: the values before the current ones go, so that roles with `previous: true` let go of them. */
export async function forgetSecrets(paths: readonly string[], options: SecretArguments): Promise<number> {
  const format = formatOf(options.format, ['text', 'json'])
  if (format === undefined || !paths.every(isSecretPath)) return EXIT.usage
  if ((await siteSecrets(options)) === undefined) return EXIT.fault
  try {
    return await holdingSecrets(options.site, async () => {
      const secrets = await siteSecrets(options)
      if (secrets === undefined) return EXIT.fault
      const unknown = paths.find((path) => !secrets.index.has(path))
      if (unknown !== undefined) return failed(`there is no secret ${unknown}; \`crowbar secret list\` says which there are`)
      const forgotten: { readonly path: string; readonly version: string }[] = []
      for (const path of paths) {
        const { version = '', previous = null } = secrets.index.get(path) ?? {}
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
  } catch (cause) {
    if (cause instanceof SecretFolderError || cause instanceof SecretIndexError) return failed(cause.message)
    throw cause
  }
}

function failed(message: string): number {
  process.stderr.write(`crowbar: ${message}\n`)
  return EXIT.fault
}
