import { byCodePoint, digest, digestBytes } from '../../schemas/canonical.ts'
import type { Digest } from '../../schemas/canonical.ts'
import { SECRETS_INDEX } from '../../schemas/secret-file.ts'
import { LOCK_PATH } from '../parse/choose.ts'
import type { SourceDocument } from '../parse/document.ts'
import type { ResolvedSite } from '../resolve/resolved-site.ts'
import type { Tree } from '../tree/tree.ts'

export interface SiteFiles {
  readonly tree: Tree
  readonly documents: readonly SourceDocument[]
  readonly resolved: ResolvedSite
}

/**
 * Digest over path and SHA-256 of every file that the site is made of: documents, tables, inventory, barclamps of its
 * own and from git, the versions of secrets. Not the lock, which has a digest of its own, and not the racks of rehearsals.
 */
export function siteDigest({ tree, documents, resolved }: SiteFiles): Digest {
  const paths = new Set(tree.files.has(SECRETS_INDEX) ? [SECRETS_INDEX] : [])
  for (const { path, value } of documents) {
    const rack = value !== null && typeof value === 'object' && 'kind' in value && value['kind'] === 'rack'
    if (!rack) paths.add(path)
  }
  for (const node of resolved.site.nodes.values()) for (const { source } of node.layers) paths.add(source.path)
  for (const { origin, document, files } of resolved.barclamps.values()) {
    const folder = document.source.path.slice(0, -'barclamp.yaml'.length)
    if (origin === 'site') for (const path of files.keys()) paths.add(folder + path)
  }
  paths.delete(LOCK_PATH)
  const fetched = [...resolved.barclamps.values()].flatMap(({ origin, name, content }) => (origin === 'git' ? [[`git:${name}`, content]] : []))
  const entries = [...paths].toSorted(byCodePoint).flatMap((path) => {
    const file = tree.files.get(path)
    return file === undefined ? [] : [[path, file.mode, digestBytes(file.bytes())]]
  })
  return digest([...entries, ...fetched])
}
