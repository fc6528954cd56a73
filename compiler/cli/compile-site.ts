import manifest from '../../package.json' with { type: 'json' }
import type { Diagnostic } from '../../schemas/diagnostic.ts'
import { compile } from '../compile.ts'
import type { Compiled } from '../compile.ts'
import { hasErrors } from '../diagnostics/diagnostic.ts'
import { error } from '../diagnostics/diagnostic.ts'
import { settle } from '../diagnostics/settle.ts'
import { TreeError } from '../tree/tree-error.ts'
import type { Tree } from '../tree/tree.ts'
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

/** Reads a site, of a folder or a revision, and compiles it. */
export async function compileSite(options: SiteArguments): Promise<CompiledSite> {
  const { found, report } = collector()
  const tree = await readSite(options, report)
  if (tree === undefined) return { tree, compiled: undefined, diagnostics: settle(found) }
  try {
    const compiled = compile({ tree, builtin: readBuiltin(), crowbar: manifest.version })
    const diagnostics = settle([...found, ...compiled.diagnostics])
    return { tree, compiled: compiled.plan === null || hasErrors(diagnostics) ? undefined : compiled, diagnostics }
  } catch (cause) {
    // A file that went away or turned into something else while it was read.
    if (!(cause instanceof TreeError)) throw cause
    report(error(cause.code, undefined, `${cause.message}.`))
    return { tree, compiled: undefined, diagnostics: settle(found) }
  }
}
