import { fileURLToPath } from 'node:url'
import type { Diagnostic, Report } from '../../schemas/diagnostic.ts'
import { error, hasErrors } from '../diagnostics/diagnostic.ts'
import { countOf, renderText } from '../diagnostics/render-text.ts'
import { settle } from '../diagnostics/settle.ts'
import { readFolder } from '../tree/folder.ts'
import { readTree } from '../tree/read.ts'
import { TreeError } from '../tree/tree-error.ts'
import type { Tree } from '../tree/tree.ts'

/** Exit codes of the compiler's commands; bin/run.ts has the others. */
export const EXIT = { done: 0, fault: 1, changes: 2, refused: 3, stale: 4, usage: 64 } as const

/** What begins the paths of what ships with Crowbar, so that no file of a site can be taken for it. */
export const BUILTIN_PREFIX = 'builtin:'

let builtin: Tree | undefined

/** The barclamps that ship with this Crowbar, as a tree whose paths begin with `builtin:`; read once. */
export function readBuiltin(): Tree {
  if (builtin === undefined) {
    const folder = fileURLToPath(new URL('../../barclamps', import.meta.url))
    const { files } = readFolder(folder, () => {})
    builtin = { commit: null, files: new Map([...files].map(([path, file]) => [BUILTIN_PREFIX + path, file])) }
  }
  return builtin
}

/** Reads the tree of a site; what is wrong with it as a whole becomes a diagnostic, and undefined. */
export async function readSite(options: { readonly site: string; readonly ref?: string | undefined }, report: Report): Promise<Tree | undefined> {
  try {
    return await readTree({ site: options.site, ref: options.ref, environment: process.env }, report)
  } catch (cause) {
    if (!(cause instanceof TreeError)) throw cause
    const fix = cause.code === 'FOLDER_UNREADABLE' ? 'Name the folder of the site with --site DIR.' : undefined
    report(error(cause.code, undefined, `${cause.message.charAt(0).toUpperCase()}${cause.message.slice(1)}.`, { fix }))
    return undefined
  }
}

/** A collector of diagnostics. */
export function collector(): { readonly found: Diagnostic[]; readonly report: Report } {
  const found: Diagnostic[] = []
  return { found, report: (diagnostic) => void found.push(diagnostic) }
}

/** The lines of the files of a tree, and of what ships with Crowbar, to be shown under a diagnostic. */
export function linesOfTree(tree: Tree | undefined): (path: string) => readonly string[] | undefined {
  const cache = new Map<string, readonly string[] | undefined>()
  const read = (path: string): readonly string[] | undefined => {
    const file = (path.startsWith(BUILTIN_PREFIX) ? readBuiltin() : tree)?.files.get(path)
    if (file === undefined || file.size > 8 * 1024 * 1024) return undefined
    try {
      return new TextDecoder().decode(file.bytes()).split(/\r\n|\r|\n/)
    } catch (cause) {
      if (cause instanceof TreeError) return undefined
      throw cause
    }
  }
  return (path) => {
    if (!cache.has(path)) cache.set(path, read(path))
    return cache.get(path)
  }
}

/** Tells people on stderr what is wrong with a site. True: it cannot be used. */
export function tell(diagnostics: readonly Diagnostic[], tree: Tree | undefined): boolean {
  const settled = settle(diagnostics)
  if (settled.length > 0) {
    process.stderr.write(renderText(settled, { linesOf: linesOfTree(tree), colour: wantsColour(process.stderr) }))
    process.stderr.write(`\n${countOf(settled)}\n`)
  }
  return hasErrors(settled)
}

/** Colours only for a terminal whose owner did not say no (https://no-color.org). */
export function wantsColour(stream: NodeJS.WriteStream): boolean {
  return stream.isTTY && (process.env['NO_COLOR'] ?? '') === '' && process.env['TERM'] !== 'dumb'
}

/** Says what is wrong with the command line. */
export function misused(message: string): typeof EXIT.usage {
  process.stderr.write(`crowbar: ${message}\n`)
  return EXIT.usage
}

/** Checks the value of --format; undefined: it is none of these, which was said. */
export function formatOf<const F extends string>(format: string, formats: readonly F[]): F | undefined {
  if ((formats as readonly string[]).includes(format)) return format as F
  misused(`there is no format ${JSON.stringify(format)}; formats: ${formats.join(', ')}`)
  return undefined
}
