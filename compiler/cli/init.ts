import { mkdirSync, readdirSync, writeFileSync } from 'node:fs'
import { basename, dirname, join, resolve } from 'node:path'
import { NAME } from '../../schemas/documents/words.ts'
import { EXIT, misused } from './session.ts'
import { newSite } from './new-site.ts'

/** `crowbar init DIR`: a small site that compiles as it is. Overwrites nothing. */
export function initCommand(dir: string, options: { readonly name?: string }): number {
  const folder = resolve(dir)
  const name = options.name ?? basename(folder).toLowerCase().replaceAll(/[^a-z0-9-]+/g, '-').replaceAll(/^-+|-+$/g, '').slice(0, 63)
  if (!new RegExp(NAME).test(name)) return misused(`${JSON.stringify(name)} is no name for a site: take lower-case letters, digits and inner hyphens (--name NAME)`)
  const there = entriesOf(folder)
  if (typeof there === 'string') return refuse(`cannot make a site in ${dir}: ${there}`)
  if (there.some((entry) => entry !== '.git')) return refuse(`cannot make a site in ${dir}: the folder is not empty`)
  for (const [path, { text, executable }] of newSite(name)) {
    const file = join(folder, path)
    mkdirSync(dirname(file), { recursive: true })
    writeFileSync(file, text, { flag: 'wx', mode: executable ? 0o755 : 0o644 })
    process.stdout.write(`${join(dir, path)}\n`)
  }
  process.stderr.write(`\nNow: crowbar plan --site ${dir}\nThen put it under git, and give the nodes in nodes.yaml the MAC addresses of your machines.\n`)
  return EXIT.done
}

/** What is in a folder; nothing when it is not there; or why nobody can say. */
function entriesOf(folder: string): readonly string[] | string {
  try {
    return readdirSync(folder)
  } catch (cause) {
    const { code, message } = cause as NodeJS.ErrnoException
    return code === 'ENOENT' ? [] : code === 'ENOTDIR' ? 'it is a file' : message
  }
}

function refuse(message: string): number {
  process.stderr.write(`crowbar: ${message}\n`)
  return EXIT.fault
}
