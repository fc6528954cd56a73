import { renameSync, writeFileSync } from 'node:fs'
import { join, relative, resolve } from 'node:path'
import { suggest } from '../../schemas/cel/suggest.ts'
import { formatYaml } from '../edit/format.ts'
import { chooseDocuments } from '../parse/choose.ts'
import type { Tree } from '../tree/tree.ts'
import { collector, EXIT, misused, readSite, tell } from './session.ts'

/** `crowbar fmt`: puts documents into their one form; what it cannot keep as it means it leaves alone, and says so. */
export async function fmtCommand(names: readonly string[], options: { readonly site: string; readonly check?: true }): Promise<number> {
  const { found, report } = collector()
  const tree = await readSite({ site: options.site }, report)
  if (tell(found, tree) || tree === undefined) return EXIT.fault
  if (tree.commit !== null) return misused(`${options.site} is a bare repository: documents are written in a working folder`)
  const paths = chooseDocuments(tree).documents.filter((path) => /\.ya?ml$/.test(path))
  const asked = names.length === 0 ? paths : names.map((name) => pathOf(name, options.site, tree))
  const stranger = asked.findIndex((path) => !paths.includes(path))
  if (stranger >= 0) {
    const near = suggest(asked[stranger] ?? '', paths)
    return misused(`${names[stranger]} is no YAML document of the site${near === undefined ? '' : `; did you mean ${near}?`}`)
  }
  let changed = 0
  let refused = 0
  for (const path of new Set(asked)) {
    const file = tree.files.get(path)
    const before = decode(file?.bytes())
    const formatted = before === undefined ? { problem: 'it is not UTF-8' } : formatYaml(path, before)
    if ('problem' in formatted) {
      refused++
      process.stderr.write(`crowbar: ${path} is left as it is: ${formatted.problem}\n`)
    } else if (formatted.text !== before) {
      changed++
      process.stdout.write(`${path}\n`)
      if (options.check !== true) write(join(options.site, path), formatted.text, file?.mode === '0755' ? 0o755 : 0o644)
    }
  }
  return refused > 0 || (options.check === true && changed > 0) ? EXIT.fault : EXIT.done
}

/** As it is called in the site, or from where the command runs. */
function pathOf(name: string, site: string, tree: Tree): string {
  return tree.files.has(name) ? name : relative(resolve(site), resolve(name))
}

function decode(bytes: Uint8Array | undefined): string | undefined {
  try {
    return new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(bytes)
  } catch {
    return undefined
  }
}

function write(file: string, text: string, mode: number): void {
  writeFileSync(`${file}.new`, text, { mode })
  renameSync(`${file}.new`, file)
}
