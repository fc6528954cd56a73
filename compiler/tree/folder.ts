import { closeSync, constants, fstatSync, lstatSync, openSync, readFileSync, readdirSync, readlinkSync } from 'node:fs'
import type { Dirent } from 'node:fs'
import { join } from 'node:path'
import type { Report } from '../../schemas/diagnostic.ts'
import { MAX_FILES, assemble, isLeftOut } from './listing.ts'
import type { Listed } from './listing.ts'
import { TreeError } from './tree-error.ts'
import type { Tree, TreeFile } from './tree.ts'

/**
 * Reads a working folder as it is now, committed or not, tracked or not.
 *
 * @throws {TreeError} FOLDER_UNREADABLE when there is no such folder or a part of it cannot be listed.
 */
export function readFolder(folder: string, report: Report): Tree {
  const listed = new Map<string, Listed>()
  walk(folder, '', listed)
  return assemble(listed, null, report)
}

function walk(folder: string, prefix: string, listed: Map<string, Listed>): void {
  for (const entry of list(join(folder, prefix))) {
    if (listed.size > MAX_FILES) return
    if (isLeftOut(entry.name)) continue
    const path = prefix + entry.name
    if (entry.isSymbolicLink()) listed.set(path, { kind: 'link', target: targetOf(join(folder, path)) })
    else if (entry.isFile()) {
      const file = lstatSync(join(folder, path), { throwIfNoEntry: false })
      if (file !== undefined) listed.set(path, { kind: 'file', file: fileOf(join(folder, path), path, file.size, file.mode) })
    } else if (!entry.isDirectory()) listed.set(path, { kind: 'special' })
    else if (lstatSync(join(folder, path, '.git'), { throwIfNoEntry: false }) !== undefined) listed.set(path, { kind: 'repository' })
    else walk(folder, `${path}/`, listed)
  }
}

function list(folder: string): readonly Dirent[] {
  try {
    return readdirSync(folder, { withFileTypes: true })
  } catch (cause) {
    const code = (cause as NodeJS.ErrnoException).code
    const why = code === 'ENOENT' ? 'there is no such folder' : code === 'ENOTDIR' ? 'it is not a folder' : (cause as Error).message
    throw new TreeError('FOLDER_UNREADABLE', `cannot read ${folder}: ${why}`, { cause })
  }
}

function targetOf(link: string): string {
  try {
    return readlinkSync(link)
  } catch (cause) {
    throw new TreeError('FOLDER_UNREADABLE', `cannot read the link ${link}: ${(cause as Error).message}`, { cause })
  }
}

function fileOf(file: string, path: string, size: number, mode: number): TreeFile {
  let content: Uint8Array | undefined
  return { mode: (mode & 0o100) === 0 ? '0644' : '0755', size, bytes: () => (content ??= readRegularFile(file, path)) }
}

function readRegularFile(file: string, path: string): Uint8Array {
  try {
    // What was a regular file when it was listed may be a link or a pipe by now.
    const descriptor = openSync(file, constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK)
    try {
      if (!fstatSync(descriptor).isFile()) throw new TreeError('FILE_UNREADABLE', `cannot read ${path}: it is no regular file any more`)
      return readFileSync(descriptor)
    } finally {
      closeSync(descriptor)
    }
  } catch (cause) {
    if (cause instanceof TreeError) throw cause
    throw new TreeError('FILE_UNREADABLE', `cannot read ${path}: ${(cause as Error).message}`, { cause })
  }
}
