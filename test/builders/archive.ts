import { createHash } from 'node:crypto'
import { gzipSync } from 'node:zlib'

/** Files of an apt archive, by path below its base. */
export type Archive = Map<string, Buffer>

export interface ArchiveOptions {
  /** `dists/test/` or, for a flat one, empty. */
  readonly folder?: string
  /** Path → content, below the base. */
  readonly packages: Readonly<Record<string, Buffer>>
  /** Further files below the Release's folder. */
  readonly others?: Readonly<Record<string, Buffer>>
  /** Of the Release. */
  readonly date?: string
  readonly byHash?: boolean
  /** Path → the first lines of its stanza. Default: a name, version 1, amd64. */
  readonly control?: Readonly<Record<string, string>>
  /** Default: `test`. */
  readonly suite?: string
}

const sha256 = (bytes: Buffer): string => createHash('sha256').update(bytes).digest('hex')

/** An archive without signature, with one index for amd64. Each call with other packages is another state of it. */
export function archive({ folder = 'dists/test/', packages, others = {}, date = 'Mon, 05 Oct 2020 10:00:00 UTC', byHash = false, control = {}, suite = 'test' }: ArchiveOptions): Archive {
  const index = Buffer.from(Object.entries(packages).map(([path, bytes], at) => `${control[path] ?? `Package: p${String(at)}\nVersion: 1\nArchitecture: amd64\n`}Filename: ${path}\nSize: ${String(bytes.length)}\nSHA256: ${sha256(bytes)}\n`).join('\n'))
  const place = folder === '' ? '' : 'main/binary-amd64/'
  const named: Record<string, Buffer> = { [`${place}Packages`]: index, [`${place}Packages.gz`]: gzipSync(index), ...others }
  const sums = Object.entries(named).map(([name, bytes]) => ` ${sha256(bytes)} ${String(bytes.length)} ${name}`)
  const release = Buffer.from(`Suite: ${suite}\nCodename: ${suite}\nArchitectures: amd64\nComponents: main\nDate: ${date}\n${byHash ? 'Acquire-By-Hash: yes\n' : ''}SHA256:\n${sums.join('\n')}\n`)
  const files = new Map<string, Buffer>([[`${folder}Release`, release], ...Object.entries(packages)])
  for (const [name, bytes] of Object.entries(named)) {
    files.set(`${folder}${name}`, bytes)
    if (byHash) files.set(`${folder}${name.replace(/[^/]*$/, '')}by-hash/SHA256/${sha256(bytes)}`, bytes)
  }
  return files
}
