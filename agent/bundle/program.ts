import { spawn } from 'node:child_process'
import { createReadStream } from 'node:fs'
import { lstat, mkdir, open, readdir, readFile, readlink, realpath, rename, rm, symlink } from 'node:fs/promises'
import { dirname, join, normalize } from 'node:path'
import { pipeline } from 'node:stream/promises'
import { Readable } from 'node:stream'
import { fileURLToPath } from 'node:url'
import { createGunzip, createGzip } from 'node:zlib'
import packageJson from '../../package.json' with { type: 'json' }
import type { BundleIndex } from '../../schemas/bundle.ts'
import type { Store } from '../stage/store.ts'
import { BundleError } from './bundle-error.ts'
import { readTar } from './read-tar.ts'
import { removeUnfinished } from './unfinished.ts'
import { tarEnd, tarHeader, tarPadding } from './write-tar.ts'

/** This installation of Crowbar. */
const ROOT = fileURLToPath(new URL('../../', import.meta.url))

/** What of it is its own, below its folder. */
const SOURCE = ['LICENSE', 'README.md', 'agent', 'barclamps', 'bin', 'compiler', 'docs', 'package-lock.json', 'package.json', 'schemas'] as const
/** Of the package with the runtime: not its headers and its npm. */
const RUNTIME_FILES = ['LICENSE', 'README.md', 'bin/node', 'package.json'] as const

/** Platforms as `uname -s` and `uname -m` have them. */
const UNAMES: Readonly<Record<string, string>> = { 'linux-x64': 'Linux-x86_64', 'linux-arm64': 'Linux-aarch64' }
const UNFINISHED = '.new-'

type Program = BundleIndex['program']

interface PackedFile {
  /** As it is called in the archive. */
  readonly name: string
  readonly path: string
  readonly target: string | null
  readonly executable: boolean
  readonly bytes: number
}

/**
 * Puts this installation of Crowbar into the store: its own files, the packages that it needs, the runtime, each as a tar
 * archive compressed by gzip. The same files give the same bytes with the same runtime.
 *
 * @param options.root another installation than the one that runs.
 * @throws {BundleError} BUNDLE_REFUSED when packages are missing.
 */
export async function packProgram(store: Store, { signal, root = ROOT }: { readonly signal: AbortSignal; readonly root?: string | undefined }): Promise<Program> {
  const { runtime, modules } = await modulesOf(root)
  const source = (await Promise.all(SOURCE.map(name => filesBelow(join(root, name), name)))).flat()
  const parts: { name: Program['parts'][number]['name']; sha256: string }[] = []
  for (const [name, files] of [['runtime', runtime], ['modules', modules], ['source', source]] as const) {
    const { hash } = await store.put(compressed(files, signal), { signal })
    parts.push({ name, sha256: hash.slice('sha256:'.length) })
  }
  return { version: packageJson.version, platform: `${process.platform}-${process.arch}`, parts }
}

/** Whether a program can run on this machine. */
export function runsHere({ platform }: Program): boolean {
  return platform === `${process.platform}-${process.arch}`
}

/** The name of the folder that a program is installed in. */
export function programFolder({ version, parts }: Program): string {
  return `${version}-${parts.map(one => one.sha256.slice(0, 4)).join('')}`
}

/**
 * Installs the program of a bundle: into `<folder>/<version>-<digits>`, with `<folder>/current` and the launcher
 * `<folder>/bin/crowbar` pointing there. What is there whole already is left; what was running goes on with its own files.
 *
 * @param options.instead whether it takes the place of another one that is there.
 * @returns the launcher, and whether it starts this program.
 * @throws {BundleError} BUNDLE_DAMAGED, BUNDLE_REFUSED
 */
export async function installProgram(program: Program, folder: string, { store, signal, instead }: { readonly store: Store; readonly signal: AbortSignal; readonly instead: boolean }): Promise<{ readonly launcher: string; readonly isCurrent: boolean }> {
  const installed = join(folder, programFolder(program))
  if (await lstat(installed).then(() => false, () => true)) {
    await mkdir(folder, { recursive: true })
    await removeUnfinished(join(folder, UNFINISHED))
    const work = join(folder, `${UNFINISHED}${String(process.pid)}`)
    try {
      for (const { sha256 } of program.parts) await unpack(store.path(`sha256:${sha256}`), work, signal)
      await flush(work)
      await rename(work, installed).catch((error: NodeJS.ErrnoException) => {
        if (error.code !== 'ENOTEMPTY' && error.code !== 'EEXIST') throw error
      })
    } catch (cause) {
      throw isFull(cause) ? new BundleError('BUNDLE_REFUSED', `no space is left for Crowbar in ${folder}`, { cause }) : cause
    } finally {
      await rm(work, { recursive: true, force: true })
    }
  }
  const launcher = join(folder, 'bin', 'crowbar')
  const current = join(folder, 'current')
  // One that leads nowhere is none.
  if (instead || await lstat(join(current, 'bin/crowbar')).then(() => false, () => true)) await point(current, programFolder(program))
  await mkdir(dirname(launcher), { recursive: true })
  await point(launcher, '../current/bin/crowbar')
  return { launcher, isCurrent: await readlink(current) === programFolder(program) }
}

function isFull(error: unknown): boolean {
  const { code } = error as NodeJS.ErrnoException
  return code === 'ENOSPC' || code === 'EDQUOT'
}

/** A symbolic link is replaced whole. */
async function point(path: string, target: string): Promise<void> {
  if (await readlink(path).catch(() => undefined) === target) return
  const found = await lstat(path).catch(() => undefined)
  if (found !== undefined && !found.isSymbolicLink()) throw new BundleError('BUNDLE_REFUSED', `${path} is there, and no link that a bundle made: name another folder with --program`)
  const fresh = `${path}.new-${String(process.pid)}`
  await rm(fresh, { force: true })
  await symlink(target, fresh)
  await rename(fresh, path)
}

async function unpack(archive: string, folder: string, signal: AbortSignal): Promise<void> {
  const gunzip = createGunzip()
  const fed = pipeline(createReadStream(archive), gunzip, { signal, end: true })
  fed.catch(() => undefined)
  for await (const { name, kind, executable, target, content } of readTar(gunzip as AsyncIterable<Buffer>)) {
    const inside = normalize(join(dirname(name), kind === 'link' ? target : '.'))
    if (name === '' || normalize(name) !== name || name.startsWith('/') || name.split('/').includes('..') || inside.startsWith('..') || target.startsWith('/')) {
      throw new BundleError('BUNDLE_DAMAGED', `the program of the bundle has a path that leaves its folder: ${JSON.stringify(name)}`)
    }
    const path = join(folder, name)
    await mkdir(dirname(path), { recursive: true })
    if (kind === 'link') {
      await symlink(target, path)
    } else {
      await using file = await open(path, 'wx', executable ? 0o755 : 0o644)
      await file.writeFile(content)
    }
  }
  await fed
}

/** All of the folder's file system, once: a program is thousands of small files. */
async function flush(folder: string): Promise<void> {
  await new Promise<void>((resolve, reject) => {
    const child = spawn('sync', ['--file-system', folder], { stdio: 'ignore' })
    child.once('error', reject)
    child.once('close', code => (code === 0 ? resolve() : reject(new Error(`sync ended with ${String(code)}`))))
  })
}

interface LockedModules {
  readonly packages: Readonly<Record<string, { readonly dev?: boolean; readonly optional?: boolean }>>
}

/** Packages that the program needs when it runs, as package-lock.json has them. */
async function modulesOf(root: string): Promise<{ readonly runtime: readonly PackedFile[]; readonly modules: readonly PackedFile[] }> {
  const base = await realpath(join(root, 'node_modules'))
  const lock = JSON.parse(await readFile(join(root, 'package-lock.json'), 'utf8')) as LockedModules
  const launched = await readlink(join(base, '.bin/node'))
  const runtimeFolder = launched.replace(/^\.\.\//, '').replace(/\/bin\/node$/, '')
  const runtime: PackedFile[] = [{ name: 'node_modules/.bin/node', path: '', target: launched, executable: true, bytes: 0 }]
  const modules: PackedFile[] = []
  for (const [place, { dev, optional }] of Object.entries(lock.packages)) {
    if (place === '' || dev === true) continue
    const name = place.replace(/^node_modules\//, '')
    const folder = join(base, name)
    if (await lstat(folder).then(() => false, () => true)) {
      if (optional === true) continue
      throw new BundleError('BUNDLE_REFUSED', `this installation lacks its package ${name}: npm ci in ${root}`)
    }
    if (name === runtimeFolder) for (const file of RUNTIME_FILES) runtime.push(...await filesBelow(join(folder, file), `${place}/${file}`))
    else modules.push(...await filesBelow(folder, place))
  }
  return { runtime, modules }
}

/** Files at or below a path, without packages inside packages, which the lock names by themselves. */
async function filesBelow(path: string, name: string): Promise<PackedFile[]> {
  const found = await lstat(path).catch((cause: NodeJS.ErrnoException) => {
    throw new BundleError('BUNDLE_REFUSED', `this installation of Crowbar lacks ${path}`, { cause })
  })
  if (found.isSymbolicLink()) return [{ name, path, target: await readlink(path), executable: true, bytes: 0 }]
  if (found.isFile()) return [{ name, path, target: null, executable: (found.mode & 0o111) !== 0, bytes: found.size }]
  const below = (await readdir(path)).filter(one => one !== 'node_modules').toSorted()
  return (await Promise.all(below.map(one => filesBelow(join(path, one), `${name}/${one}`)))).flat()
}

function compressed(files: readonly PackedFile[], signal: AbortSignal): AsyncIterable<Uint8Array> {
  const gzip = createGzip({ level: 6 })
  const fed = pipeline(Readable.from(archive(files)), gzip, { signal })
  fed.catch(() => undefined)
  return gzip as AsyncIterable<Buffer>
}

async function* archive(files: readonly PackedFile[]): AsyncGenerator<Buffer, void> {
  for (const { name, path, target, executable, bytes } of files.toSorted((a, b) => (a.name < b.name ? -1 : 1))) {
    if (target !== null) {
      yield tarHeader({ name, kind: 'link', bytes: 0, target })
      continue
    }
    const content = await readFile(path)
    if (content.length !== bytes) throw new BundleError('BUNDLE_REFUSED', `${path} changed while it was read`)
    yield tarHeader({ name, kind: 'file', bytes, executable })
    yield content
    yield tarPadding(bytes)
  }
  yield tarEnd()
}

/** The script in the first volume that unpacks the program where there is no Crowbar yet. */
export function installScript({ parts, version, platform }: Program): string {
  return `#!/bin/sh
# Unpacks Crowbar ${version} out of the bundle that this script lies in, where there is none yet:
#   tar -xOf BUNDLE install.sh | sh -s -- BUNDLE FOLDER
set -eu
[ "$(uname -s)-$(uname -m)" = ${UNAMES[platform] ?? platform} ] || { echo "this Crowbar is for ${platform}, and this machine is $(uname -s) on $(uname -m)" >&2; exit 1; }
[ $# -eq 2 ] || { echo "usage: install.sh BUNDLE FOLDER" >&2; exit 64; }
mkdir -p "$2"
for part in ${parts.map(one => one.sha256).join(' ')}; do
  tar -xOf "$1" --occurrence=1 "objects/$part" >"$2/.part"
  echo "$part  $2/.part" | sha256sum --check --quiet -
  tar -xzf "$2/.part" -C "$2" --no-same-owner
done
rm "$2/.part"
echo "next: $2/bin/crowbar bundle load $1 --trust FINGERPRINT"
`
}
