import { posix } from 'node:path'
import type { Report } from '../../schemas/diagnostic.ts'
import type { SourceDocument as SourceSpec } from '../../schemas/documents/rule.ts'
import { error } from '../diagnostics/diagnostic.ts'
import { rangeOf } from '../parse/document.ts'
import type { Tree } from '../tree/tree.ts'
import type { Located } from '../validate/site.ts'

/** Bytes. Debian's own archive keyring, with all its keys, has 60 kB. */
const LARGEST = 1024 * 1024

/**
 * What the keyrings of sources hold, base64, by the name of the source.
 *
 * @param from.folder where the paths begin; ends with a slash unless it is empty.
 */
export function readKeyrings(sources: ReadonlyMap<string, Located<SourceSpec>>, { tree, folder }: { readonly tree: Tree; readonly folder: string }, report: Report): ReadonlyMap<string, string> {
  const found = new Map<string, string>()
  for (const { value: { name, keyring }, source } of sources.values()) {
    if (keyring === undefined) continue
    const path = posix.normalize(folder + keyring)
    const file = tree.files.get(path)
    const problem = file === undefined ? `There is no file ${path}, the keyring of ${name}.` : file.size > LARGEST ? `${path}, the keyring of ${name}, has more than 1 MiB.` : undefined
    const bytes = file === undefined || problem !== undefined ? undefined : Buffer.from(file.bytes())
    if (bytes !== undefined && holdsKeys(bytes)) found.set(name, bytes.toString('base64'))
    else report(error('KEYRING_INVALID', rangeOf(source, ['keyring']), problem ?? `${path}, the keyring of ${name}, holds no OpenPGP keys.`, { fix: 'Export the keys that sign the source into that file: `gpg --export --armor KEY`.' }))
  }
  return found
}

/** With armour, or a packet of a public key first. RFC 4880 §4.2, §6.2 */
function holdsKeys(bytes: Buffer): boolean {
  const [first = 0] = bytes
  const tag = (first & 0x40) === 0 ? (first >> 2) & 0x0f : first & 0x3f
  return bytes.includes('-----BEGIN PGP PUBLIC KEY BLOCK-----') || ((first & 0x80) !== 0 && tag === 6)
}
