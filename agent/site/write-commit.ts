import { byCodePoint } from '../../schemas/canonical.ts'
import { must } from './git.ts'
import type { Git } from './git.ts'

export interface NewCommit {
  /** The commit that it comes after; null for the first of a branch. */
  readonly parent: string | null
  /** Path → text of what it adds or replaces; null takes the file away. */
  readonly files: ReadonlyMap<string, string | Uint8Array | null>
  /** True: nothing else is in the commit. */
  readonly replaceAll: boolean
  readonly message: string
  /** Milliseconds since 1970, of author and committer. */
  readonly at: number
}

const AUTHOR = 'crowbar agent <agent@crowbar.invalid>'

/**
 * Makes a commit without a work tree; the same parent, files, message and time make the same commit.
 *
 * @returns its id; the parent when nothing would change.
 */
export async function writeCommit(git: Git, commit: NewCommit, signal: AbortSignal): Promise<string> {
  // A ref keeps the objects reachable until the caller has put its own on them; two writers must not share it.
  const ref = `refs/crowbar/new/${crypto.randomUUID()}`
  try {
    await must(git, ['fast-import', '--quiet', '--date-format=raw'], { input: stream(commit, ref), signal })
    const [id, tree, before] = (await must(git, ['rev-parse', ref, `${ref}^{tree}`, ...(commit.parent === null ? [] : [`${commit.parent}^{tree}`])], { signal })).toString('utf8').trim().split('\n')
    return commit.parent !== null && tree === before ? commit.parent : (id as string)
  } finally {
    await git(['update-ref', '-d', ref], { signal: AbortSignal.timeout(10_000) })
  }
}

/** The commit in the language of git-fast-import(1). */
function stream({ parent, files, replaceAll, message, at }: NewCommit, ref: string): Buffer {
  const parts: Buffer[] = []
  const text = (line: string): void => void parts.push(Buffer.from(line, 'utf8'))
  const data = (content: string | Uint8Array): void => {
    const bytes = typeof content === 'string' ? Buffer.from(content, 'utf8') : Buffer.from(content)
    text(`data ${bytes.length}\n`)
    parts.push(bytes)
    text('\n')
  }
  text(`commit ${ref}\ncommitter ${AUTHOR} ${Math.floor(at / 1000)} +0000\n`)
  data(message.endsWith('\n') ? message : `${message}\n`)
  if (parent !== null) text(`from ${parent}\n`)
  if (replaceAll) text('deleteall\n')
  for (const [path, content] of [...files].toSorted(([a], [b]) => byCodePoint(a, b))) {
    if (content === null) text(`D ${quoted(path)}\n`)
    else {
      text(`M 100644 inline ${quoted(path)}\n`)
      data(content)
    }
  }
  text('\ndone\n')
  return Buffer.concat(parts)
}

function quoted(path: string): string {
  return `"${path.replaceAll('\\', '\\\\').replaceAll('"', '\\"').replaceAll('\n', '\\n')}"`
}
