import { EXIT, formatOf } from '../session.ts'
import { SecretIndexError } from './index-text.ts'
import { holdingSecrets, SecretFolderError } from './secret-folder.ts'
import { isSecretPath, siteSecrets } from './site-secrets.ts'
import type { SiteSecrets } from './site-secrets.ts'

/** What every command that writes secrets is told. */
export interface SecretArguments {
  readonly site: string
  readonly format: string
}

/** The secrets of a site, while nobody else writes them, and how to print what became of them. */
export interface Held extends SiteSecrets {
  readonly format: 'text' | 'json'
}

/**
 * Holds the secrets of a site for work on some that are there already.
 *
 * @param paths those named on the command line; one that is not there is an error.
 * @param work its exit code is the command's.
 */
export async function rewriting(paths: readonly string[], options: SecretArguments, work: (held: Held) => Promise<number>): Promise<number> {
  const format = formatOf(options.format, ['text', 'json'])
  if (format === undefined || !paths.every(isSecretPath)) return EXIT.usage
  if ((await siteSecrets(options)) === undefined) return EXIT.fault
  try {
    return await holdingSecrets(options.site, async () => {
      const secrets = await siteSecrets(options)
      if (secrets === undefined) return EXIT.fault
      const unknown = paths.find((path) => !secrets.index.has(path))
      if (unknown !== undefined) return failed(`there is no secret ${unknown}; \`crowbar secret list\` says which there are`)
      return await work({ ...secrets, format })
    })
  } catch (cause) {
    if (cause instanceof SecretFolderError || cause instanceof SecretIndexError) return failed(cause.message)
    throw cause
  }
}

/** Says why a command about secrets did nothing. */
export function failed(message: string): typeof EXIT.fault {
  process.stderr.write(`crowbar: ${message}\n`)
  return EXIT.fault
}
