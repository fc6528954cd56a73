import { existsSync } from 'node:fs'
import { join } from 'node:path'
import type { Report } from '../../schemas/diagnostic.ts'
import { readFolder } from './folder.ts'
import { TreeError } from './tree-error.ts'
import type { Tree } from './tree.ts'

/** Which files a tree is made of. */
export interface Where {
  /** The folder of the site, or a repository, also a bare one. */
  readonly site: string
  /** A revision of the repository; undefined: the folder as it is now. A bare repository has no folder: its HEAD. */
  readonly ref: string | undefined
  /** The environment of the process, so that git finds its programs; what speaks to git is left out. */
  readonly environment: NodeJS.ProcessEnv
}

/**
 * Reads the tree that everything else is compiled from.
 *
 * @throws {TreeError} when there is no such folder, repository or revision.
 */
export async function readTree(where: Where, report: Report): Promise<Tree> {
  const ref = where.ref ?? (isBareRepository(where.site) ? 'HEAD' : undefined)
  return ref === undefined ? readFolder(where.site, report) : readRevision(where.site, ref, { environment: where.environment, report })
}

/**
 * Reads one commit, with the git program where there is one.
 *
 * @throws {TreeError} when there is no such repository or revision.
 */
export async function readRevision(site: string, ref: string, options: { readonly environment: NodeJS.ProcessEnv; readonly report: Report }): Promise<Tree> {
  const { NoGitError, readCommit } = await import('./git.ts')
  try {
    return readCommit(site, ref, options)
  } catch (cause) {
    if (!(cause instanceof NoGitError)) throw cause
    const { readCommitWithoutGit } = await import('./isomorphic.ts')
    return readCommitWithoutGit(site, ref, options.report)
  }
}

/** Whether a repository has a ref of this name, whatever it leads to. false where there is no repository, or no git program. */
export async function refExists(site: string, ref: string, environment: NodeJS.ProcessEnv): Promise<boolean> {
  const { hasRef, NoGitError } = await import('./git.ts')
  try {
    return hasRef(site, ref, { environment })
  } catch (cause) {
    if (cause instanceof NoGitError || cause instanceof TreeError) return false
    throw cause
  }
}

/**
 * The commit before the last edit of a site (git.ts, commitBefore); what the agent writes by itself is no edit. null when
 * there is none, or no git program.
 */
export async function revisionBefore(where: Where, besides: readonly string[]): Promise<string | null> {
  const { commitBefore, NoGitError } = await import('./git.ts')
  const ref = where.ref ?? (isBareRepository(where.site) ? 'HEAD' : undefined)
  try {
    return commitBefore(where.site, ref, { environment: where.environment, besides })
  } catch (cause) {
    if (cause instanceof NoGitError || cause instanceof TreeError) return null
    throw cause
  }
}

function isBareRepository(folder: string): boolean {
  return existsSync(join(folder, 'HEAD')) && existsSync(join(folder, 'objects')) && existsSync(join(folder, 'refs'))
}
