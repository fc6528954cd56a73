import { mkdirSync, writeFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { clusterOf } from '../export/cluster.ts'
import { EXPORT_TARGETS, exportCluster, keptBy } from '../export/export.ts'
import type { ContentOf, ExportedFile } from '../export/exported-file.ts'
import { compileSite } from './compile-site.ts'
import type { GoodSite, SiteArguments } from './compile-site.ts'
import { isEmptyFolder } from './empty-folder.ts'
import { EXIT, misused, tell } from './session.ts'

/** `crowbar export --to TOOL [--out DIR]`: the cluster as a configuration tool reads it. */
export async function exportCommand(options: SiteArguments & { readonly to: string; readonly out?: string }): Promise<number> {
  const { to, out } = options
  if (!EXPORT_TARGETS.includes(to)) return misused(`--to takes ${EXPORT_TARGETS.join(', ')}`)
  if (out !== undefined && !isEmptyFolder(out)) return misused(`${out} is there already, and not an empty folder`)
  const { tree, compiled, diagnostics } = await compileSite(options)
  tell(diagnostics, tree)
  if (compiled === undefined) return EXIT.fault
  const cluster = keptBy(to, clusterOf(compiled.plan, compiled.ordered.injected))
  const files = exportCluster(to, { cluster, contentOf: contentOf(compiled) }) ?? []
  const [only] = files
  if (out !== undefined) for (const file of files) write(out, file)
  else if (files.length === 1 && only !== undefined) process.stdout.write(only.text)
  else return misused(`an export to ${to} is ${files.length} files: say where with --out DIR`)
  const { leftOut } = cluster
  for (const { node, role, path, because } of leftOut.slice(0, SHOWN)) process.stderr.write(`left out: ${path === '' ? role : `${path} of ${role}`} on ${node}: ${because}\n`)
  if (leftOut.length > SHOWN) process.stderr.write(`… and ${leftOut.length - SHOWN} more values\n`)
  return EXIT.done
}

/** Values left out that are named one by one. */
const SHOWN = 20

function write(folder: string, { path, text, executable }: ExportedFile): void {
  const target = join(folder, path)
  mkdirSync(dirname(target), { recursive: true })
  writeFileSync(target, text, { mode: executable === true ? 0o755 : 0o644 })
}

function contentOf({ plan, blobs }: GoodSite): ContentOf {
  return (content) => Object.entries(plan.contents[content] ?? {}).flatMap(([path, { sha256, mode }]) => {
    const bytes = blobs.get(sha256.replace('sha256:', ''))
    return bytes === undefined ? [] : [{ path, bytes, executable: mode === '0755' }]
  })
}
