import { runProgram } from './run-program.ts'
import { hashOf } from './object-hash.ts'
import type { ObjectHash } from './object-hash.ts'
import type { Store } from './store.ts'

/** A package that is in the store. */
export interface StoredPackage {
  readonly name: string
  readonly version: string
  readonly architecture: string
  readonly hash: ObjectHash
  readonly bytes: number
}

/** The place of a package in a flat repository: without its version's epoch, as in Debian's own pool, so that no path needs escaping twice. */
export function poolPath({ name, version, architecture }: Pick<StoredPackage, 'name' | 'version' | 'architecture'>): string {
  return `pool/${name}_${version.replace(/^\d+:/, '')}_${architecture}.deb`
}

/** The file `Packages` of a flat repository: a stanza for each package, as its own control file says. */
export async function packageIndex(packages: readonly StoredPackage[], { store, signal }: { readonly store: Store; readonly signal: AbortSignal }): Promise<string> {
  const stanzas: string[] = []
  for (const one of packages) {
    const { stdout } = await runProgram(['dpkg-deb', '--field', store.path(one.hash)], { signal })
    stanzas.push(`${stdout.trimEnd()}\nFilename: ${poolPath(one)}\nSize: ${String(one.bytes)}\nSHA256: ${one.hash.slice(7)}\n`)
  }
  return stanzas.join('\n')
}

/** Its file `Release`. No date in it: the same content is the same repository. Repository format: wiki.debian.org/DebianRepository/Format. */
export function releaseOf(os: { readonly suite: string; readonly architecture: string }, index: string): string {
  return [
    'Origin: Crowbar', 'Label: Crowbar', `Suite: ${os.suite}`, `Codename: ${os.suite}`, `Architectures: ${os.architecture}`,
    'Acquire-By-Hash: yes', 'SHA256:', ` ${hashOf(index).slice(7)} ${String(Buffer.byteLength(index))} Packages`, '',
  ].join('\n')
}
