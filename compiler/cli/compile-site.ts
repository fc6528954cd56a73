import manifest from '../../package.json' with { type: 'json' }
import type { Diagnostic } from '../../schemas/diagnostic.ts'
import type { Rebind } from '../bind/rebind.ts'
import { compile } from '../compile.ts'
import type { Compiled } from '../compile.ts'
import { hasErrors } from '../diagnostics/diagnostic.ts'
import { error } from '../diagnostics/diagnostic.ts'
import { settle } from '../diagnostics/settle.ts'
import { TreeError } from '../tree/tree-error.ts'
import type { Tree, TreeFile } from '../tree/tree.ts'
import { gitPath } from '../resolve/git-source.ts'
import type { GitTrees } from '../resolve/git-source.ts'
import { gitTrees } from './git-trees.ts'
import type { Pinning } from './git-trees.ts'
import { collector, readBuiltin, readSite } from './session.ts'

/** Options that every command with a site has: its folder, and a revision; without one the folder as it is now. */
export interface SiteArguments {
  readonly site: string
  readonly ref?: string | undefined
}

/** A site that compiled. */
export type GoodSite = Exclude<Compiled, { readonly plan: null }>

export interface CompiledSite {
  /** undefined: the site could not even be read. */
  readonly tree: Tree | undefined
  /** undefined: the diagnostics say why. */
  readonly compiled: GoodSite | undefined
  readonly diagnostics: readonly Diagnostic[]
}

/**
 * Reads a site, of a folder or a revision, and compiles it.
 *
 * @returns `tree` with the files of barclamps from git besides its own, by the paths that diagnostics have.
 */
export async function compileSite(options: SiteArguments & { readonly rebind?: Rebind | undefined; readonly anew?: boolean }, pinning: Pinning = { ask: 'pinned' }): Promise<CompiledSite> {
  const { found, report } = collector()
  const site = await readSite(options, report)
  if (site === undefined) return { tree: site, compiled: undefined, diagnostics: settle(found) }
  return compileTree(site, { found, pinning, rebind: options.rebind, anew: options.anew })
}

export interface TreeOptions {
  /** What was wrong with the tree when it was read. */
  readonly found?: readonly Diagnostic[]
  readonly pinning?: Pinning
  readonly rebind?: Rebind | undefined
  readonly anew?: boolean | undefined
}

/** The same of a tree that is at hand already. */
export function compileTree(site: Tree, { found = [], pinning = { ask: 'pinned' }, rebind, anew }: TreeOptions = {}): CompiledSite {
  const { trees, tree } = remembering(gitTrees(pinning), site)
  try {
    const compiled = compile({ tree: site, builtin: readBuiltin(), gitTrees: trees, crowbar: manifest.version, rebind, anew })
    const diagnostics = settle([...found, ...compiled.diagnostics])
    return { tree: tree(), compiled: compiled.plan === null || hasErrors(diagnostics) ? undefined : compiled, diagnostics }
  } catch (cause) {
    // A file that went away or turned into something else while it was read.
    if (!(cause instanceof TreeError)) throw cause
    return { tree: tree(), compiled: undefined, diagnostics: settle([...found, error(cause.code, undefined, `${cause.message}.`)]) }
  }
}

/** Keeps the files that were asked for beside those of the site, so that what is wrong in them can be shown. */
function remembering(asked: GitTrees, site: Tree): { readonly trees: GitTrees; readonly tree: () => Tree } {
  const more = new Map<string, TreeFile>()
  return {
    trees: (question) => {
      const answer = asked(question)
      if (answer.kind === 'found') for (const [path, file] of answer.tree.files) more.set(gitPath(question, path), file)
      return answer
    },
    tree: () => (more.size === 0 ? site : { commit: site.commit, files: new Map([...site.files, ...more]) }),
  }
}
