import fs from 'node:fs'
import { existsSync } from 'node:fs'
import { dirname, join, relative, resolve } from 'node:path'
import type { Report } from '../../schemas/diagnostic.ts'
import { assemble } from './listing.ts'
import type { Listed } from './listing.ts'
import { TreeError } from './tree-error.ts'
import type { Tree } from './tree.ts'

/** Bytes of all files together; more of them needs the git program. */
const MAX_BYTES = 512 * 1024 * 1024

/**
 * Reads a commit as `readCommit` does, without any git program: slower, everything at once, and it understands only
 * branches, tags, full refs and commit ids.
 *
 * @throws {TreeError} REVISION_UNKNOWN or GIT_FAILED.
 */
export async function readCommitWithoutGit(folder: string, revision: string, report: Report): Promise<Tree> {
  const git = (await import('isomorphic-git')).default
  const { gitdir, prefix } = findRepository(folder)
  const where = { fs, gitdir, cache: {} }
  // It would join the name to a path as it is.
  const oid = /^[\w][\w./+-]*$/.test(revision) && !revision.includes('..') ? await resolveCommit(where, revision) : undefined
  if (oid === undefined) {
    throw new TreeError('REVISION_UNKNOWN', `there is no commit ${JSON.stringify(revision)} in ${folder} (without a git program only branches, tags and commit ids are understood)`)
  }
  const listed = new Map<string, Listed>()
  let bytes = 0
  const read = async (tree: string, path: string): Promise<void> => {
    const { tree: entries } = await git.readTree({ ...where, oid: tree })
    for (const entry of entries) {
      const inside = path === '' ? entry.path : `${path}/${entry.path}`
      if (entry.type === 'tree') await read(entry.oid, inside)
      else if (entry.type === 'commit') listed.set(inside, { kind: 'repository' })
      else {
        const { blob } = await git.readBlob({ ...where, oid: entry.oid })
        bytes += blob.length
        if (bytes > MAX_BYTES) throw new TreeError('GIT_FAILED', `${folder} is too large to be read without a git program: install git`)
        if (entry.mode === '120000') listed.set(inside, { kind: 'link', target: new TextDecoder().decode(blob) })
        else listed.set(inside, { kind: 'file', file: { mode: entry.mode === '100755' ? '0755' : '0644', size: blob.length, bytes: () => blob } })
      }
    }
  }
  try {
    const root = await git.readTree({ ...where, oid, ...(prefix === '' ? {} : { filepath: prefix }) })
    await read(root.oid, '')
  } catch (cause) {
    if (cause instanceof TreeError) throw cause
    throw new TreeError('GIT_FAILED', `cannot read ${revision} of ${folder}: ${(cause as Error).message}`, { cause })
  }
  return assemble(listed, oid, report)

  async function resolveCommit(repository: typeof where, name: string): Promise<string | undefined> {
    for (const find of [() => git.resolveRef({ ...repository, ref: name }), () => git.expandOid({ ...repository, oid: name })]) {
      try {
        const found = await find()
        return (await git.readCommit({ ...repository, oid: found })).oid
      } catch {
        // Not a name of this sort: the next one may be.
        continue
      }
    }
    return undefined
  }
}

function findRepository(folder: string): { readonly gitdir: string; readonly prefix: string } {
  const start = resolve(folder)
  for (let at = start; ; at = dirname(at)) {
    if (existsSync(join(at, '.git', 'HEAD'))) return { gitdir: join(at, '.git'), prefix: relative(at, start).replaceAll('\\', '/') }
    if (existsSync(join(at, 'HEAD')) && existsSync(join(at, 'objects'))) return { gitdir: at, prefix: '' }
    if (dirname(at) === at) throw new TreeError('GIT_FAILED', `${folder} is not in a git repository`)
  }
}
