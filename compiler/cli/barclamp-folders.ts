import type { Report } from '../../schemas/diagnostic.ts'
import type { BarclampFolder } from '../barclamp/read-barclamp.ts'
import { error } from '../diagnostics/diagnostic.ts'
import { readFolder } from '../tree/folder.ts'
import { rangeOfFile } from '../tree/listing.ts'
import { TreeError } from '../tree/tree-error.ts'

/** Reads a folder from disk; undefined: there is none, which is reported. */
export function readBarclampFolder(dir: string, report: Report): BarclampFolder | undefined {
  const folder = dir === '.' || dir === './' ? '' : `${dir.replace(/\/+$/, '')}/`
  const inFolder: Report = (diagnostic) => report(diagnostic.range === undefined ? diagnostic : { ...diagnostic, range: { ...diagnostic.range, path: folder + diagnostic.range.path } })
  try {
    const { files } = readFolder(dir, inFolder)
    return { folder, tree: { commit: null, files: new Map([...files].map(([path, file]) => [folder + path, file])) } }
  } catch (cause) {
    if (!(cause instanceof TreeError)) throw cause
    report(error(cause.code, rangeOfFile(dir), `${cause.message.charAt(0).toUpperCase()}${cause.message.slice(1)}.`, { fix: 'Name the folder of a barclamp.' }))
    return undefined
  }
}

/** The barclamps in a folder: it is one itself, or there are some below it; the outermost ones. */
export function barclampsBelow({ tree, folder }: BarclampFolder): readonly BarclampFolder[] {
  const folders = [...tree.files.keys()].filter((path) => /(?:^|\/)barclamp\.yaml$/.test(path.slice(folder.length))).map((path) => path.slice(0, -'barclamp.yaml'.length))
  const outermost = folders.filter((one) => !folders.some((other) => other !== one && one.startsWith(other)))
  return outermost.length === 0 ? [{ tree, folder }] : outermost.map((one) => ({ tree, folder: one }))
}
