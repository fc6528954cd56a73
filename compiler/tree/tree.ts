import { byCodePoint } from '../../schemas/canonical.ts'
import { TreeError } from './tree-error.ts'

/** One file of a site. */
export interface TreeFile {
  /** git knows no other permissions. */
  readonly mode: '0644' | '0755'
  /** Bytes. */
  readonly size: number
  /** Of a file that git has: its blob, which equal files share. */
  readonly id?: string
  /**
   * The content, read when first asked for and kept.
   *
   * @throws {TreeError} when the file went away, or became another one, since the tree was read.
   */
  readonly bytes: () => Uint8Array
}

/** Every file of one commit, or of a working folder. The only thing that the compiler ever sees of a repository. */
export interface Tree {
  /** The full id of the commit; null for a working folder, which may hold what no commit has. */
  readonly commit: string | null
  /** By path relative to the site, with slashes; in code point order. Symbolic links are followed already. */
  readonly files: ReadonlyMap<string, TreeFile>
}

/** A tree of text that is in memory already, for tests and for sites that no disk has. */
export function treeOf(texts: Readonly<Record<string, string | Uint8Array>>, commit: string | null = null): Tree {
  const files = new Map<string, TreeFile>()
  for (const path of Object.keys(texts).toSorted(byCodePoint)) {
    const text = texts[path] as string | Uint8Array
    const bytes = typeof text === 'string' ? new TextEncoder().encode(text) : text
    files.set(path, { mode: '0644', size: bytes.length, bytes: () => bytes })
  }
  return { commit, files }
}

/** Bytes. Larger files are no documents, and not read just to be compared. */
const MAX_COMPARED = 1024 * 1024

/**
 * The same tree, with the files of another one wherever path, mode and content are equal, so that what was found out
 * about those is not found out again (parse.ts).
 */
export function shareFiles(tree: Tree, other: Tree): Tree {
  const files = new Map<string, TreeFile>()
  for (const [path, file] of tree.files) {
    const same = other.files.get(path)
    files.set(path, same !== undefined && isSame(file, same) ? same : file)
  }
  return { commit: tree.commit, files }
}

function isSame(a: TreeFile, b: TreeFile): boolean {
  if (a.mode !== b.mode || a.size !== b.size || a.size > MAX_COMPARED) return false
  if (a.id !== undefined && b.id !== undefined) return a.id === b.id
  try {
    return Buffer.compare(a.bytes(), b.bytes()) === 0
  } catch (cause) {
    // Whoever needs the file says so.
    if (cause instanceof TreeError) return false
    throw cause
  }
}
