import { artifactsPath, artifactsShape } from '../../schemas/artifacts.ts'
import type { Artifacts } from '../../schemas/artifacts.ts'
import { digestBytes } from '../../schemas/canonical.ts'
import type { Range, Report } from '../../schemas/diagnostic.ts'
import type { Json } from '../../schemas/shape.ts'
import { error } from '../diagnostics/diagnostic.ts'
import { rangeOf } from '../parse/document.ts'
import { rangeOfFile } from '../tree/listing.ts'
import type { Tree } from '../tree/tree.ts'
import { checkValue } from '../validate/check-value.ts'
import type { Site } from '../validate/site.ts'

/** What the lock says that an artifact set is made of. */
export interface LockedSet {
  /** Digest of its file. */
  readonly hash: string
  readonly content: Artifacts
  /** Its line in the lock. */
  readonly range: Range
}

/** Name of an artifact set → what is locked for it. */
export type LockedSets = ReadonlyMap<string, LockedSet>

/** Reads the files that the lock names for artifact sets, and holds each against its digest. */
export function readArtifacts(tree: Tree, lock: Site['lock'], report: Report): LockedSets {
  const sets = new Map<string, LockedSet>()
  for (const [set, hash] of Object.entries(lock?.value.artifacts ?? {})) {
    if (lock === null) break
    const range = rangeOf(lock.source, ['artifacts', set])
    const content = readSet(tree, { set, hash, range }, report)
    if (content !== undefined) sets.set(set, { hash, content, range })
  }
  return sets
}

function readSet(tree: Tree, { set, hash, range }: { readonly set: string; readonly hash: string; readonly range: Range }, report: Report): Artifacts | undefined {
  const path = artifactsPath(hash)
  const again = `Restore it from the last commit, or resolve the packages anew: \`crowbar lock --update\`.`
  const invalid = (summary: string): undefined => {
    report(error('ARTIFACTS_INVALID', rangeOfFile(path), summary, { fix: again, related: [{ message: 'the lock names it here', range }] }))
    return undefined
  }
  const file = /^sha256:[0-9a-f]{64}$/.test(hash) ? tree.files.get(path) : undefined
  if (file === undefined) {
    report(error('ARTIFACTS_MISSING', range, `The packages of ${set} are in ${path}, which is not there.`, { fix: `Commit the file that belongs to this line. ${again}` }))
    return undefined
  }
  const bytes = file.bytes()
  if (digestBytes(bytes) !== hash) return invalid(`This file is not the one that the lock names for ${set}: its content has another SHA-256 than its name.`)
  let value: Json
  try {
    value = JSON.parse(new TextDecoder().decode(bytes)) as Json
  } catch {
    return invalid('This file is not JSON.')
  }
  const [complaint] = checkValue(artifactsShape.json, value, 'a file of artifacts')
  if (complaint !== undefined) return invalid(complaint.summary)
  const content = value as Artifacts
  return content.set === set ? content : invalid(`This file is about ${content.set}, and the lock names it for ${set}.`)
}
