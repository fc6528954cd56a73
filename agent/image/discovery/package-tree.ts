import { lstat, readFile, readlink } from 'node:fs/promises'
import { dirname, join, normalize } from 'node:path'
import { ImageError } from '../image-error.ts'
import type { CpioEntry } from './cpio.ts'
import { readElfNeeds } from './elf-needs.ts'

/** Folders of programs in an unpacked package, in the order of a root's path. */
const PROGRAM_FOLDERS = ['usr/sbin', 'usr/bin', 'sbin', 'bin']

/** As many as Linux follows. */
const MOST_LINKS = 40

/** What is copied out of unpacked packages, by its path in the image, where all of `bin`, `sbin` and `lib` is in `usr`. */
export type ImageEntries = Map<string, CpioEntry>

/**
 * Finds a program in the folder that packages were unpacked into, and adds it, what it links to, its loader and its
 * libraries.
 *
 * @throws {ImageError} IMAGE_FILE_MISSING if it, or a library, is not in the folder.
 */
export async function addProgram(entries: ImageEntries, tree: string, program: string): Promise<void> {
  for (const folder of PROGRAM_FOLDERS) {
    if (await kindOf(tree, `${folder}/${program}`) !== undefined) return addPath(entries, tree, `${folder}/${program}`)
  }
  throw new ImageError('IMAGE_FILE_MISSING', `no package of the image has the program ${program}`, { data: { program } })
}

/** Adds a file of the tree, with what it links to and, if it is a program or a library, with what that needs. */
export async function addPath(entries: ImageEntries, tree: string, path: string): Promise<void> {
  const place = merged(path)
  if (entries.has(place)) return
  const kind = await kindOf(tree, path)
  if (kind === undefined) throw new ImageError('IMAGE_FILE_MISSING', `no package of the image has the file ${path}`, { data: { path } })
  if (kind === 'link') {
    const resolved = await targetOf(tree, path)
    if (merged(resolved) !== place) entries.set(place, { kind: 'link', path: place, target: `/${merged(resolved)}` })
    return addPath(entries, tree, resolved)
  }
  const file = join(tree, path)
  const executable = ((await lstat(file)).mode & 0o111) !== 0
  entries.set(place, { kind: 'file', path: place, mode: executable ? 0o755 : 0o644, content: () => readFile(file) })
  await addNeeds(entries, tree, await readFile(file))
}

/**
 * The file itself that a path of the tree leads to, where `/` is the tree: a link never leads to a file of this machine.
 *
 * @throws {ImageError} IMAGE_FILE_MISSING
 */
export async function fileAt(tree: string, path: string, links: number = MOST_LINKS): Promise<string> {
  const kind = links < 0 ? undefined : await kindOf(tree, path)
  if (kind === undefined) throw new ImageError('IMAGE_FILE_MISSING', `no package of the image has the file ${path}`, { data: { path } })
  return kind === 'file' ? join(tree, path) : fileAt(tree, await targetOf(tree, path), links - 1)
}

/** Adds the loader and the libraries of a program that is not in the tree itself. */
export async function addNeeds(entries: ImageEntries, tree: string, program: Buffer): Promise<void> {
  const needs = readElfNeeds(program)
  if (needs === undefined) return
  if (needs.interpreter !== undefined) await addPath(entries, tree, needs.interpreter.slice(1))
  for (const library of needs.libraries) await addLibrary(entries, tree, library)
}

async function addLibrary(entries: ImageEntries, tree: string, name: string): Promise<void> {
  for (const folder of LIBRARY_FOLDERS) {
    if (await kindOf(tree, `${folder}/${name}`) !== undefined) return addPath(entries, tree, `${folder}/${name}`)
  }
  throw new ImageError('IMAGE_FILE_MISSING', `no package of the image has the library ${name}`, { data: { library: name } })
}

const TRIPLETS = ['x86_64-linux-gnu', 'aarch64-linux-gnu']
const LIBRARY_FOLDERS = ['usr/lib', 'lib'].flatMap(folder => [...TRIPLETS.map(triplet => `${folder}/${triplet}`), folder]).concat('lib64', 'usr/lib64')

function merged(path: string): string {
  return /^(bin|sbin|lib|lib32|lib64)\//.test(path) ? `usr/${path}` : path
}

/** Where a link leads, as a path of the tree. */
async function targetOf(tree: string, path: string): Promise<string> {
  const target = await readlink(join(tree, path))
  return target.startsWith('/') ? target.slice(1) : normalize(join(dirname(path), target))
}

async function kindOf(tree: string, path: string): Promise<'file' | 'link' | undefined> {
  const found = await lstat(join(tree, path)).catch(() => undefined)
  if (found === undefined) return undefined
  return found.isSymbolicLink() ? 'link' : 'file'
}
