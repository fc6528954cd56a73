import { byCodePoint } from '../../schemas/canonical.ts'
import type { Diagnostic } from '../../schemas/diagnostic.ts'
import type { Json } from '../../schemas/shape.ts'
import { error } from '../diagnostics/diagnostic.ts'
import { settle } from '../diagnostics/settle.ts'
import { readAnsible } from './ansible.ts'
import type { ImportedFile } from './estate.ts'
import { Fields, MAX_VALUES, pointerText, rangesOf, TooManyValues } from './fields.ts'
import type { Leaf, ReportedField } from './fields.ts'
import { importChef } from './chef.ts'
import { importCrowbar1 } from './crowbar1.ts'
import { importFacter, importPuppetDb } from './facter.ts'
import type { ImportContext } from './import-context.ts'
import { MAX_ALL_BYTES } from './input.ts'
import type { InputFile } from './input.ts'
import { importOhai } from './ohai.ts'
import { importSalt } from './salt.ts'
import { writeEstate } from './write-estate.ts'

/** What an import gives. */
export interface Imported {
  /** Documents, and beside them what nothing here makes anything of; sorted by path. */
  readonly files: readonly ImportedFile[]
  /** Every scalar of the input once. */
  readonly report: readonly ReportedField[]
  /** What to know of the documents besides: what was taken as it most often is, since nothing says it. */
  readonly remarks: readonly string[]
  /** What could not be read. */
  readonly diagnostics: readonly Diagnostic[]
}

type Importer = (files: readonly InputFile[], context: ImportContext) => readonly ImportedFile[]

const IMPORTS: { readonly [format: string]: Importer } = {
  chef: importChef,
  crowbar1: importCrowbar1,
  facter: importFacter,
  ohai: importOhai,
  puppetdb: importPuppetDb,
  salt: importSalt,
  ansible: (files, context) => writeEstate(readAnsible(files, context), context),
}

export const IMPORT_FORMATS: readonly string[] = Object.keys(IMPORTS)

/** The folder of what is kept beside the documents. */
export const BESIDE = 'imported'

/**
 * Turns the files of another tool into documents of a site, and says of every value in them what became of it.
 *
 * Pure: the same files give the same bytes, in whatever order they are given.
 *
 * @param options.network the network that addresses of hosts are on; without it they are kept as text.
 * @returns undefined for a format that there is not.
 */
export function importFiles(format: string, input: readonly InputFile[], { network }: { readonly network: string | undefined }): Imported | undefined {
  const importer = Object.hasOwn(IMPORTS, format) ? IMPORTS[format] : undefined
  if (importer === undefined) return undefined
  const found: Diagnostic[] = []
  const all = input.reduce((sum, { bytes }) => sum + bytes.length, 0)
  if (all > MAX_ALL_BYTES) return tooLarge(`The files have ${Math.ceil(all / 1024 / 1024)} MiB together; more than ${MAX_ALL_BYTES / 1024 / 1024} MiB are not read.`)
  const fields = new Fields()
  const remarks: string[] = []
  let files: readonly ImportedFile[]
  try {
    files = importer(input.toSorted((a, b) => byCodePoint(a.path, b.path)), { fields, network, remark: (sentence) => void remarks.push(sentence), report: (diagnostic) => void found.push(diagnostic) })
  } catch (cause) {
    if (!(cause instanceof TooManyValues)) throw cause
    return tooLarge(`The files have more than ${MAX_VALUES} values together, and no more are read.`)
  }
  const leaves = [...fields.leaves()]
  const beside = besideFiles(leaves, format)
  const ranges = new Map([...new Set(leaves.map(({ place }) => place.document))].map((document) => [document, rangesOf(document)]))
  const report = leaves.map(({ place, fate, to, note, beside: kept }): ReportedField => ({
    file: place.document.path, pointer: place.pointer, range: (ranges.get(place.document) ?? rangesOf(place.document))(place.pointer), fate, note,
    to: kept ? [...to, `${besidePath(place.document.path)}#${pointerText(place.pointer)}`] : to,
  }))
  return { files: [...files, ...beside].toSorted((a, b) => byCodePoint(a.path, b.path)), report, remarks: remarks.toSorted(byCodePoint), diagnostics: settle(found) }
}

function tooLarge(summary: string): Imported {
  return { files: [], report: [], remarks: [], diagnostics: [error('IMPORT_TOO_LARGE', undefined, summary, { fix: 'Import them in parts.' })] }
}

function besidePath(path: string): string {
  return `${BESIDE}/${path.split('/').filter((part) => part !== '' && part !== '.' && part !== '..').join('/')}.json`
}

/** Of each file of the input what is kept of it, in the form in which it was there. */
function besideFiles(leaves: readonly Leaf[], format: string): readonly ImportedFile[] {
  const kept = new Map<string, { [key: string]: Json }>()
  for (const { place, beside } of leaves) {
    if (!beside) continue
    const path = besidePath(place.document.path)
    const root = kept.get(path) ?? { from: format, values: {} }
    kept.set(path, root)
    // A site would not read 10000000000000000000 as a number.
    const isFar = typeof place.value === 'number' && Number.isInteger(place.value) && !Number.isSafeInteger(place.value)
    put(root, ['values', ...place.pointer], isFar ? String(place.value) : place.value)
  }
  return [...kept].map(([path, value]) => ({ path, text: `${JSON.stringify(value, null, 2)}\n` }))
}

/** Lists become maps by index, since some of their items may not be there. */
function put(into: { [key: string]: Json }, pointer: readonly (string | number)[], value: Json): void {
  const [key = '', ...rest] = pointer
  if (rest.length === 0) {
    Object.defineProperty(into, String(key), { value, enumerable: true, configurable: true, writable: true })
    return
  }
  const there = Object.hasOwn(into, key) ? into[key] : undefined
  const next = there !== null && typeof there === 'object' ? (there as { [key: string]: Json }) : {}
  if (next !== there) Object.defineProperty(into, String(key), { value: next, enumerable: true, configurable: true, writable: true })
  put(next, rest, value)
}
