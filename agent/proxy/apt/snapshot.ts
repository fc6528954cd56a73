import { dirname } from 'node:path/posix'
import type { ObjectHash, StoredObject } from '../../stage/object-hash.ts'
import type { Store } from '../../stage/store.ts'
import { readPackageTable } from './package-table.ts'
import type { PackageTable } from './package-table.ts'
import { parseRelease } from './release.ts'
import type { Release } from './release.ts'

/** One state of a repository: a signed Release and what is had of all that it names. Its files never change. */
export interface Snapshot {
  readonly release: Release
  /** The files that bear the signature, by name: `InRelease`, or `Release` and `Release.gpg`. Of the former, `Release` is its text. */
  readonly files: Readonly<Record<string, StoredObject>>
  /** Seconds since 1970: the Release's date, but later than that of the state before. */
  readonly modified: number
  /** Names of the files that clients asked for: the next state has to have them before it counts. */
  readonly wanted: Set<string>
  /** By folder of the index: `main/binary-amd64`. */
  readonly tables: Map<string, { readonly hash: ObjectHash; readonly table: PackageTable }>
}

interface SnapshotDocument {
  readonly files: Readonly<Record<string, StoredObject>>
  readonly modified: number
  /** Name → hash, so that the store keeps them. */
  readonly wanted: Readonly<Record<string, ObjectHash>>
  readonly tables: Readonly<Record<string, ObjectHash>>
}
interface RepositoryDocument {
  readonly kind: 'apt-snapshots'
  readonly version: 1
  /** The newest first. */
  readonly snapshots: readonly SnapshotDocument[]
}

/** Writes the states of a repository as one object, so that all that they name is kept. The newest comes first. */
export async function saveSnapshots(store: Store, reference: string, snapshots: readonly Snapshot[]): Promise<void> {
  const document: RepositoryDocument = {
    kind: 'apt-snapshots', version: 1,
    snapshots: snapshots.map(({ files, modified, wanted, tables, release }) => ({
      files, modified,
      wanted: Object.fromEntries([...wanted].flatMap(name => {
        const file = release.files.get(name)
        return file === undefined ? [] : [[name, file.hash]]
      })),
      tables: Object.fromEntries([...tables].map(([folder, { hash }]) => [folder, hash])),
    })),
  }
  for (const { tables } of snapshots) for (const { hash, table } of tables.values()) await store.put(table.bytes, { expected: hash })
  const { hash } = await store.put(Buffer.from(`${JSON.stringify(document)}\n`))
  await store.refer(reference, hash)
}

/** The states that are whole in the store, the newest first. What another version of Crowbar wrote is none. */
export async function loadSnapshots(store: Store, reference: string): Promise<Snapshot[]> {
  const hash = await store.resolve(reference)
  if (hash === undefined) return []
  const document = JSON.parse((await store.read(hash)).toString('utf8')) as Partial<RepositoryDocument>
  if (document.kind !== 'apt-snapshots' || document.version !== 1) return []
  const loaded = await Promise.all((document.snapshots ?? []).map(one => load(store, one).catch(() => undefined)))
  return loaded.filter(one => one !== undefined)
}

async function load(store: Store, { files, modified, wanted, tables }: SnapshotDocument): Promise<Snapshot> {
  const text = files['Release']
  if (text === undefined) throw new TypeError('a state without a Release')
  const read = await Promise.all(Object.entries(tables).map(async ([folder, hash]) => [folder, { hash, table: readPackageTable(await store.read(hash)) }] as const))
  for (const { hash } of Object.values(files)) if (!await store.use(hash)) throw new TypeError('a state with a file that is gone')
  return { files, modified, release: parseRelease((await store.read(text.hash)).toString('utf8')), wanted: new Set(Object.keys(wanted)), tables: new Map(read) }
}

/** The folder that a package index stands for: its compressions are one. */
export function indexFolder(name: string): string {
  return dirname(name)
}
