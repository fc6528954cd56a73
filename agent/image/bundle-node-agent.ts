import { isAbsolute, relative, resolve, sep } from 'node:path'
import { fileURLToPath } from 'node:url'
import { build } from 'esbuild'
import { ImageError } from './image-error.ts'

/** The checkout that the agent's sources are in; paths in a bundle are relative to it. */
const ROOT = fileURLToPath(new URL('../../', import.meta.url))

/** `ws` tries to load these native speed-ups and goes on without them. */
const OPTIONAL_NATIVES = ['bufferutil', 'utf-8-validate']

/**
 * Bundles the node agent with everything it imports into one file for Node 24 or newer, as an ES module.
 *
 * The same sources give the same bytes on any machine and in any folder: no source map, no absolute path. A bundle may
 * use top-level await. Save it as `.mjs`, or as `.js` with `{"type":"module"}` in a package.json beside it.
 *
 * @param entry the main module; default `agent/node/main.ts`.
 * @throws {ImageError} BUNDLE_FAILED with each error's place.
 */
export async function bundleNodeAgent(entry: string = resolve(ROOT, 'agent/node/main.ts')): Promise<Buffer> {
  const result = await build({
    entryPoints: [entry],
    absWorkingDir: ROOT,
    bundle: true,
    write: false,
    platform: 'node',
    target: 'node24',
    format: 'esm',
    charset: 'utf8',
    legalComments: 'none',
    sourcemap: false,
    external: OPTIONAL_NATIVES,
    logLevel: 'silent',
    // CommonJS dependencies call require() for Node's own modules, which an ES module does not have.
    banner: { js: "import { createRequire as createRequireOfBundle } from 'node:module'\nconst require = createRequireOfBundle(import.meta.url)" },
  }).catch((cause: unknown) => {
    throw new ImageError('BUNDLE_FAILED', `cannot bundle ${relative(ROOT, entry)}: ${explain(cause)}`, { cause })
  })
  const file = result.outputFiles[0]
  if (file === undefined) throw new ImageError('BUNDLE_FAILED', `bundling ${relative(ROOT, entry)} gave no file`)
  return Buffer.from(withoutOutsidePaths(file.text, entry))
}

/** The bundler names each source in a comment, relative to the checkout: for a source outside, that would be a path of this machine. */
function withoutOutsidePaths(text: string, entry: string): string {
  const path = relative(ROOT, entry)
  return path.startsWith(`..${sep}`) || isAbsolute(path) ? text.replaceAll(/^\/\/ \.\.\/.*\n/gm, '') : text
}

function explain(cause: unknown): string {
  if (typeof cause !== 'object' || cause === null || !('errors' in cause) || !Array.isArray(cause.errors)) return String(cause)
  const errors = cause.errors as readonly { readonly text: string; readonly location: { readonly file: string; readonly line: number } | null }[]
  return errors.slice(0, 5).map(error => `${error.location === null ? '' : `${error.location.file}:${String(error.location.line)}: `}${error.text}`).join('; ')
}
