import { writeLedger, readLedger } from '../../schemas/ledger-tree.ts'
import { LEDGER_REF } from '../../schemas/ledger.ts'
import type { Ledger } from '../../schemas/ledger.ts'
import type { ContentFile } from '../../schemas/plan.ts'
import { SEEN_LEDGER } from '../site/repository.ts'
import type { SiteRepository } from '../site/repository.ts'
import type { Store } from '../stage/store.ts'
import { isLater } from './compare-ledger.ts'

/** The published ledger is damaged or from a newer Crowbar; to go on without it could repeat what was done. */
export class LedgerBranchError extends Error {
  readonly code = 'LEDGER_UNREADABLE'
}

const BYTES = 'content/'

/**
 * The files of the ledger's branch: the ledger itself, and the bytes of every file of a barclamp that an applied step
 * ran, so that it can be undone when its commit or its barclamp is gone. Bytes that the store has lost are left out.
 */
export async function ledgerFiles(ledger: Ledger, store: Store): Promise<Map<string, string | Uint8Array>> {
  const files = new Map<string, string | Uint8Array>(writeLedger(ledger))
  const contents = new Set(Object.values(ledger.nodes).flatMap(node => Object.values(node.steps).flatMap(entry => (entry.step.content === null ? [] : [entry.step.content]))))
  for (const content of contents) {
    for (const { sha256 } of Object.values((ledger.values[content] ?? {}) as Record<string, ContentFile>)) {
      const path = `${BYTES}${sha256}`
      if (!files.has(path) && (await store.has(`sha256:${sha256}`))) files.set(path, await store.read(`sha256:${sha256}`))
    }
  }
  return files
}

/**
 * The ledger that was published last: as the remote was seen to have it, or, when that did not reach it, as the clone
 * has it. The files of its barclamps are put into the store. Null when nothing was ever published.
 *
 * @throws {LedgerBranchError}
 */
export async function adoptLedger(site: SiteRepository, store: Store, signal: AbortSignal): Promise<Ledger | null> {
  const commits = await Promise.all([LEDGER_REF, SEEN_LEDGER].map(ref => site.readRef(ref, signal)))
  let last: Ledger | null = null
  for (const commit of new Set(commits)) {
    const ledger = commit === null ? null : await readCommit(site, store, commit, signal)
    if (last === null || isLater(ledger?.run ?? null, last.run)) last = ledger
  }
  return last
}

async function readCommit(site: SiteRepository, store: Store, commit: string, signal: AbortSignal): Promise<Ledger> {
  const bytes = await site.readBytes(commit, '', signal)
  const read = readLedger(new Map([...bytes].map(([path, content]) => [path, content.toString('utf8')])))
  if (!read.ok) throw new LedgerBranchError(`${LEDGER_REF} at ${commit} cannot be read: ${read.problems.map(one => `${one.path}: ${one.message}`).join('; ')}`)
  for (const [path, content] of bytes) {
    const sha256 = path.slice(BYTES.length)
    if (path.startsWith(BYTES) && /^[0-9a-f]{64}$/.test(sha256)) await store.put(content, { expected: `sha256:${sha256}` })
  }
  return read.ledger
}
