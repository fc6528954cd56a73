import type { Report } from '../../schemas/diagnostic.ts'
import { error } from '../diagnostics/diagnostic.ts'
import { rangeOf } from '../parse/document.ts'
import { parseFile } from '../parse/parse.ts'
import type { Tree } from '../tree/tree.ts'

/** Where the versions of secrets are: path of the secret → { version }. */
export const SECRETS_PATH = 'secrets/index.yaml'

/** Reads which version each secret has; null when the site has no index. */
export function readSecrets(tree: Tree, report: Report): ReadonlyMap<string, number> | null {
  if (!tree.files.has(SECRETS_PATH)) return null
  const versions = new Map<string, number>()
  for (const document of parseFile(tree, SECRETS_PATH, report)) {
    const { value } = document
    if (value === null || typeof value !== 'object' || Array.isArray(value)) continue
    for (const [path, entry] of Object.entries(value)) {
      const version = entry !== null && typeof entry === 'object' && 'version' in entry ? entry['version'] : entry
      if (typeof version === 'number' && Number.isSafeInteger(version) && version > 0) versions.set(path, version)
      else report(error('VALUE_INVALID', rangeOf(document, [path]), `The secret ${path} has no version.`, { fix: 'Write { version: N } with a whole number.' }))
    }
  }
  return versions
}
