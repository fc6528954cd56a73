import { access } from 'node:fs/promises'
import { join } from 'node:path'
import type { Plan } from '../../schemas/plan.ts'
import { buildSourcesOf } from '../build/build-source.ts'
import { GitMirror, mirrorFolder } from '../proxy/git/mirror.ts'
import { openRefetch } from '../proxy/refetch.ts'
import { noteOrigin } from '../stage/origin.ts'
import type { Store } from '../stage/store.ts'
import { StagerError } from './order.ts'

type PlanSource = Plan['sources'][string]

/** A source that is staged as a whole: one file, or a git repository. */
export type WholeSource = PlanSource & { readonly type: 'git' | 'file' }

const ROUNDS = 3
const BACKOFF_MS = 500

/** Sources of a plan that are staged as a whole, by name. Those of packages are staged by the sets that are made of them. */
export function wholeSources(plan: Plan): readonly (readonly [string, WholeSource])[] {
  return Object.entries(plan.sources).filter((one): one is [string, WholeSource] => one[1].type === 'git' || one[1].type === 'file').toSorted(([a], [b]) => (a < b ? -1 : 1))
}

/** Artifact sets that are built from a git source, by its name; those of submodules too. */
export function buildersOf(plan: Plan): ReadonlyMap<string, readonly string[]> {
  const sets = new Map<string, string[]>()
  for (const set of Object.keys(plan.artifacts).toSorted()) {
    for (const { name, submodules } of buildSourcesOf(set, plan)) {
      for (const one of new Set([name, ...Object.values(submodules).map(submodule => submodule.name)])) sets.set(one, [...(sets.get(one) ?? []), set])
    }
  }
  return sets
}

/** Whether a source is in the store; `problem`: why it never can be. */
export async function hasSource(source: WholeSource, store: Store): Promise<{ readonly staged: boolean; readonly problem: string | null }> {
  if (source.type === 'git') return { staged: await access(join(mirrorFolder(store, upstreamsOf(source)), 'HEAD')).then(() => true, () => false), problem: null }
  if (source.sha256 === undefined) return { staged: false, problem: 'it has no sha256, so nothing vouches for it' }
  return { staged: await store.use(`sha256:${source.sha256}`), problem: null }
}

/**
 * Has a source in the store: a file that matches its SHA-256, once; a copy of a repository, as it is now.
 *
 * @throws {StagerError} STAGER_FAILED, which names what each upstream said.
 */
export async function stageSource(name: string, source: WholeSource, { store, signal, upstreamProxy: proxy }: { readonly store: Store; readonly signal: AbortSignal; readonly upstreamProxy: string | null }): Promise<void> {
  const upstreams = upstreamsOf(source)
  try {
    if (source.type === 'git') {
      await new GitMirror(name, { upstreams, proxy }, { store, signal, rounds: ROUNDS, backoffMs: BACKOFF_MS, now: () => Date.now(), online: () => true, maxAgeMs: 0, log: () => undefined }).refresh(true)
      return
    }
    const hash = `sha256:${source.sha256 ?? ''}` as const
    await using upstream = openRefetch(store, { online: true, proxy, signal })
    await upstream.refetch(hash, upstreams)
    await noteOrigin(store, hash, upstreams)
  } catch (cause) {
    signal.throwIfAborted()
    throw new StagerError('STAGER_FAILED', `the source ${name} cannot be had: ${(cause as Error).message}`, { retryable: true, cause })
  }
}

function upstreamsOf({ upstream }: WholeSource): readonly string[] {
  return [upstream].flat() as readonly string[]
}
