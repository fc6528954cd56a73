import { gzipSync } from 'node:zlib'
import type { BarclampDocument } from '../../schemas/documents/barclamp.ts'
import { byCodePoint } from '../../schemas/canonical.ts'
import type { Tree } from '../tree/tree.ts'
import type { ArchiveFile, PackageOf } from './archive-file.ts'
import { deb } from './deb.ts'
import { rpm } from './rpm.ts'
import { tar } from './tar.ts'

/** Where the packages put a barclamp: below here, in a folder of its name. */
const INSTALLED = 'usr/share/crowbar/barclamps'

/**
 * Packs a barclamp: a tar.gz with one folder, a .deb and an .rpm. The same files give the same bytes, whatever their
 * times and the machine's; of their modes only the run bit counts.
 *
 * @param tree the barclamp's folder.
 * @returns file name → bytes.
 */
export function packageBarclamp(barclamp: BarclampDocument, tree: Tree, maintainer: string): ReadonlyMap<string, Uint8Array> {
  const { name } = barclamp
  const files = [...tree.files].toSorted(([a], [b]) => byCodePoint(a, b)).map(([path, file]): ArchiveFile => ({ path, mode: file.mode, content: file.bytes() }))
  const packageName = `crowbar-barclamp-${name.replaceAll('_', '-')}`
  const version = barclamp.version.replace('-', '~').replaceAll('-', '.')
  const summary = (barclamp.description ?? `the Crowbar barclamp ${name}`).replaceAll(/\s+/g, ' ').trim()
  const wanted: PackageOf = { packageName, version, summary, maintainer, files: files.map((file) => ({ ...file, path: `${INSTALLED}/${name}/${file.path}` })) }
  return new Map([
    [`${name}-${barclamp.version}.tar.gz`, gzipSync(tar(files.map((file) => ({ ...file, path: `${name}-${barclamp.version}/${file.path}` }))), { level: 9 })],
    [`${packageName}_${version}_all.deb`, deb(wanted)],
    [`${packageName}-${version}-1.noarch.rpm`, rpm(wanted)],
  ])
}
