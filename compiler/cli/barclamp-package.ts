import { mkdirSync, writeFileSync } from 'node:fs'
import { join, relative, resolve } from 'node:path'
import { packageBarclamp } from '../barclamp/package.ts'
import { readBarclamp } from '../barclamp/read-barclamp.ts'
import { error, hasErrors } from '../diagnostics/diagnostic.ts'
import { collectRoles } from '../resolve/load-barclamps.ts'
import { rangeOfFile } from '../tree/listing.ts'
import { readBarclampFolder } from './barclamp-folders.ts'
import { collector, EXIT, misused, tell } from './session.ts'

/** `crowbar barclamp package`: the names of what it wrote on stdout. */
export function barclampPackageCommand(dir: string, { out, maintainer }: { readonly out: string; readonly maintainer: string }): number {
  if (!/^[^<>\n]+ <[^<>\s]+@[^<>\s]+>$/.test(maintainer)) return misused('--maintainer is a name and an address: "Name <name@example.com>"')
  const { found, report } = collector()
  const folder = readBarclampFolder(dir, report)
  const barclamp = folder === undefined ? undefined : readBarclamp(folder, report)
  if (barclamp !== undefined) collectRoles(new Map([[barclamp.name, barclamp]]), report)
  if (tell(found, folder?.tree) || folder === undefined || barclamp === undefined) return EXIT.fault
  // Whoever packs twice may have the first result in the folder.
  const results = `${relative(resolve(dir), resolve(out))}/`
  const files = new Map([...folder.tree.files].map(([path, file]) => [path.slice(folder.folder.length), file] as const).filter(([path]) => !isLeftOut(path) && !path.startsWith(results)))
  const packed = packageBarclamp(barclamp.document.value, { commit: null, files }, maintainer)
  try {
    mkdirSync(out, { recursive: true })
    for (const [name, bytes] of packed) {
      writeFileSync(join(out, name), bytes)
      process.stdout.write(`${join(out, name)}\n`)
    }
  } catch (cause) {
    const problem = error('FOLDER_UNREADABLE', rangeOfFile(out), `Cannot write there: ${(cause as Error).message}.`)
    if (hasErrors([problem])) tell([problem], undefined)
    return EXIT.fault
  }
  return EXIT.done
}

/** Working folders hold things that are no part of a barclamp. */
function isLeftOut(path: string): boolean {
  return /(?:^|\/)\.|~$/.test(path) || /^[^/]+\.(?:deb|rpm|tar\.gz)$/.test(path)
}
