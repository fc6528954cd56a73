import { createHash } from 'node:crypto'
import { gzipSync } from 'node:zlib'
import { ARCHIVE_TIME, joined, padded } from './archive-file.ts'
import type { ArchiveFile, PackageOf } from './archive-file.ts'
import { tar } from './tar.ts'

/** Writes a Debian package (deb(5)) for every architecture. */
export function deb({ packageName, version, summary, maintainer, files }: PackageOf): Uint8Array {
  const bytes = files.reduce((sum, { content }) => sum + content.length, 0)
  const control = [
    `Package: ${packageName}`, `Version: ${version}`, 'Architecture: all', `Maintainer: ${maintainer}`, 'Section: admin', 'Priority: optional',
    `Installed-Size: ${Math.ceil(bytes / 1024)}`, `Description: ${summary}`, '',
  ].join('\n')
  const sums = files.map(({ path, content }) => `${createHash('md5').update(content).digest('hex')}  ${path}\n`).join('')
  const members: readonly (readonly [string, Uint8Array])[] = [
    ['debian-binary', Buffer.from('2.0\n')],
    ['control.tar.gz', gzipSync(tar([text('control', control), text('md5sums', sums)], './'), { level: 9 })],
    ['data.tar.gz', gzipSync(tar(files, './'), { level: 9 })],
  ]
  return joined([Buffer.from('!<arch>\n'), ...members.flatMap(([name, content]) => [arHeader(name, content.length), padded(content, 2)])])
}

function text(path: string, content: string): ArchiveFile {
  return { path, mode: '0644', content: Buffer.from(content) }
}

function arHeader(name: string, size: number): Uint8Array {
  return Buffer.from(`${name.padEnd(16)}${String(ARCHIVE_TIME).padEnd(12)}${'0'.padEnd(6)}${'0'.padEnd(6)}${'100644'.padEnd(8)}${String(size).padEnd(10)}\`\n`)
}
