import { existsSync, mkdirSync, readdirSync, readFileSync, statSync, writeFileSync } from 'node:fs'
import { dirname, join, relative, resolve, sep } from 'node:path'
import { NAME } from '../../schemas/documents/words.ts'
import { renderText, countOf } from '../diagnostics/render-text.ts'
import { BESIDE, IMPORT_FORMATS, importFiles } from '../import/import.ts'
import type { Imported } from '../import/import.ts'
import { MAX_FILE_BYTES } from '../import/input.ts'
import type { InputFile } from '../import/input.ts'
import { countsOf, reportJson, reportText } from '../import/report-text.ts'
import { isEmptyFolder } from './empty-folder.ts'
import { EXIT, formatOf, misused, wantsColour } from './session.ts'

export interface ImportArguments {
  readonly from: string
  readonly out?: string
  readonly network?: string
  readonly format: string
}

/** Files of one import. */
const MAX_FILES = 20_000

/** `crowbar import --from FORMAT FILE… [--out DIR]`: documents of a site, and what became of every value of the files. */
export function importCommand(names: readonly string[], { from, out, network, format }: ImportArguments): number {
  const shape = formatOf(format, ['text', 'json'])
  if (shape === undefined) return EXIT.usage
  if (!IMPORT_FORMATS.includes(from)) return misused(`--from takes ${IMPORT_FORMATS.join(', ')}`)
  if (out !== undefined && !isEmptyFolder(out)) return misused(`${out} is there already, and not an empty folder`)
  if (network !== undefined && !new RegExp(NAME).test(network)) return misused(`${JSON.stringify(network)} is no name of a network`)
  const input = new Map<string, InputFile>()
  const base = baseOf(names)
  for (const name of names) {
    const problem = gather(name, input, base)
    if (problem !== undefined) return refuse(problem)
    // Ansible reads these folders beside an inventory without being told.
    for (const folder of from === 'ansible' && statSync(name).isFile() ? ['group_vars', 'host_vars'] : []) {
      const beside = join(dirname(name), folder)
      const wrong = existsSync(beside) ? gather(beside, input, base) : undefined
      if (wrong !== undefined) return refuse(wrong)
    }
  }
  const imported = importFiles(from, [...input.values()], { network })
  if (imported === undefined) return misused(`--from takes ${IMPORT_FORMATS.join(', ')}`)
  const { files, report, diagnostics } = imported
  if (out !== undefined) for (const { path, text } of [...files, { path: `${BESIDE}/report.json`, text: `${JSON.stringify(reportJson(imported), null, 2)}\n` }]) write(join(out, path), text)
  process.stdout.write(shape === 'json' ? `${JSON.stringify({ ...reportJson(imported), files: files.map(({ path }) => path), diagnostics }, null, 2)}\n` : reportText(imported))
  if (diagnostics.length > 0) process.stderr.write(`${renderText(diagnostics, { linesOf: linesOf(input), colour: wantsColour(process.stderr) })}\n${countOf(diagnostics)}\n`)
  process.stderr.write(hint(imported, out))
  return countsOf(report).refused > 0 || diagnostics.some(({ severity }) => severity === 'error') ? EXIT.fault : EXIT.done
}

/**
 * The folder from which files are named, here and in what is written: this one, or else the one that all are in, since where
 * it stands on a disk says nothing of a site.
 */
function baseOf(names: readonly string[]): string {
  const whole = names.map((name) => resolve(name))
  if (whole.every((path) => path === process.cwd() || path.startsWith(join(process.cwd(), '/')))) return process.cwd()
  const [first = [], ...more] = whole.map((path) => dirname(path).split(sep))
  const apart = first.findIndex((part, at) => more.some((other) => other[at] !== part))
  return first.slice(0, apart === -1 ? undefined : apart).join(sep) || sep
}

/** Takes a file, or every file in a folder and below; says what is wrong. */
function gather(name: string, into: Map<string, InputFile>, base: string): string | undefined {
  try {
    const { size, ...found } = kindOf(name)
    if (found.folder) {
      for (const entry of readdirSync(name).toSorted()) {
        if (entry === '.git') continue
        const problem = gather(join(name, entry), into, base)
        if (problem !== undefined) return problem
      }
      return undefined
    }
    if (!found.file) return `${name} is neither a file nor a folder`
    if (into.size >= MAX_FILES) return `more than ${MAX_FILES} files are not read: import them in parts`
    const path = relative(base, resolve(name)).split(sep).join('/')
    // What is too large is refused by its size; nothing reads it.
    into.set(path, { path, bytes: size > MAX_FILE_BYTES ? new Uint8Array(MAX_FILE_BYTES + 1) : readFileSync(name) })
    return undefined
  } catch (cause) {
    const { code, message } = cause as NodeJS.ErrnoException
    return code === 'ENOENT' ? `there is no ${name}` : `${name} cannot be read: ${message}`
  }
}

function kindOf(name: string): { readonly file: boolean; readonly folder: boolean; readonly size: number } {
  const found = statSync(name)
  return { file: found.isFile(), folder: found.isDirectory(), size: found.size }
}

function linesOf(input: ReadonlyMap<string, InputFile>): (path: string) => readonly string[] | undefined {
  return (path) => {
    const file = input.get(path)
    return file === undefined || file.bytes.length > MAX_FILE_BYTES ? undefined : new TextDecoder().decode(file.bytes).split(/\r\n|\r|\n/)
  }
}

function hint({ files }: Imported, out: string | undefined): string {
  if (files.length === 0) return ''
  if (out === undefined) return `\nNothing was written: --out DIR writes ${files.length} files.\n`
  return `\n${files.length} files in ${out}. Now put them into a site (\`barclamps: [builtin, { path: barclamps }]\` finds the barclamp) and run \`crowbar validate\`.\n`
}

function write(target: string, text: string): void {
  mkdirSync(dirname(target), { recursive: true })
  writeFileSync(target, text)
}

function refuse(message: string): number {
  process.stderr.write(`crowbar: ${message}\n`)
  return EXIT.fault
}
