import type { Tree } from '../tree/tree.ts'
import { globMatcher } from '../../schemas/glob.ts'

/** Where the lock is, and nowhere else. */
export const LOCK_PATH = 'site.lock.json'
/** Where the agent commits what machines are. */
export const INVENTORY_FOLDER = 'inventory/'
/** Paths that hold no documents although they look like it: one pattern a line, `*` for any characters, `#` for notes. */
export const IGNORE_PATH = '.crowbarignore'

/** Which files of a tree are read as documents. Paths in code point order. */
export interface Chosen {
  /** YAML and JSON files that hold documents with a `kind`. */
  readonly documents: readonly string[]
  /** `inventory/*.json`. */
  readonly inventory: readonly string[]
  readonly lock: string | undefined
  /** Files, of whatever sort, that are too large for a site. */
  readonly tooLarge: readonly string[]
  /** Folders with a barclamp.yaml, with a slash at the end. What is in them is the barclamp's, not the site's. */
  readonly barclamps: readonly string[]
}

/** Folders at the root of a site that hold other things than documents. */
const OTHER_FOLDERS = ['inventory/', 'artifacts/', 'secrets/', 'golden/', 'rehearsals/']

/** Bytes. Nothing that belongs into a git repository is larger: packages and images are staged from sources. */
export const MAX_FILE_BYTES = 64 * 1024 * 1024

/**
 * Every `.yaml`, `.yml` and `.json` file is one of documents, except: below inventory/, artifacts/, secrets/, golden/
 * and rehearsals/ of the site; files and folders whose name begins with a dot; what is inside a barclamp (a folder with a barclamp.yaml),
 * but for that file itself; and what `.crowbarignore` names.
 */
export function chooseDocuments(tree: Tree): Chosen {
  const ignored = ignoredBy(tree)
  const barclamps = outermostBarclamps(tree)
  const documents: string[] = []
  const inventory: string[] = []
  const tooLarge: string[] = []
  for (const [path, { size }] of tree.files) {
    if (size > MAX_FILE_BYTES && !path.startsWith('rehearsals/') && !isHidden(path) && !ignored(path)) {
      tooLarge.push(path)
      continue
    }
    if (path.startsWith(INVENTORY_FOLDER)) {
      if (path.endsWith('.json') && !path.slice(INVENTORY_FOLDER.length).includes('/')) inventory.push(path)
      continue
    }
    if (path === LOCK_PATH || !/\.(?:yaml|yml|json)$/.test(path)) continue
    if (OTHER_FOLDERS.some((folder) => path.startsWith(folder)) || isHidden(path)) continue
    const folder = barclampAround(path, barclamps)
    if (folder !== undefined ? path !== `${folder}barclamp.yaml` : ignored(path)) continue
    documents.push(path)
  }
  return { documents, inventory, lock: tree.files.has(LOCK_PATH) ? LOCK_PATH : undefined, tooLarge, barclamps: [...barclamps] }
}

function isHidden(path: string): boolean {
  return path.startsWith('.') || path.includes('/.')
}

function outermostBarclamps(tree: Tree): ReadonlySet<string> {
  const folders = new Set<string>()
  for (const path of tree.files.keys()) {
    if (path.endsWith('/barclamp.yaml')) folders.add(path.slice(0, -'barclamp.yaml'.length))
  }
  for (const folder of folders) {
    const parent = folder.slice(0, -1)
    if (barclampAround(parent, folders) !== undefined) folders.delete(folder)
  }
  return folders
}

function barclampAround(path: string, folders: ReadonlySet<string>): string | undefined {
  if (folders.size === 0) return undefined
  for (let slash = path.indexOf('/'); slash >= 0; slash = path.indexOf('/', slash + 1)) {
    const folder = path.slice(0, slash + 1)
    if (folders.has(folder)) return folder
  }
  return undefined
}

function ignoredBy(tree: Tree): (path: string) => boolean {
  const file = tree.files.get(IGNORE_PATH)
  if (file === undefined || file.size > 65_536) return () => false
  const patterns = new TextDecoder()
    .decode(file.bytes())
    .split(/\r?\n/)
    .map((line) => line.trim())
    .filter((line) => line !== '' && !line.startsWith('#'))
    // A folder may be named with a slash at its end.
    .map((line) => globMatcher(line.replace(/^\//, '').replace(/^([^*]*)\/$/, '$1')))
  return (path) => patterns.some((matches) => matches(path) || path.split('/').some((_, i, all) => i > 0 && matches(all.slice(0, i).join('/'))))
}
