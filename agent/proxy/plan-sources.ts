import { normalize } from 'node:path/posix'
import type { Plan } from '../../schemas/plan.ts'
import { StageError } from '../stage/stage-error.ts'
import { resolveSource } from './resolve-source.ts'
import type { HostApt } from './resolve-source.ts'
import type { ProxySource } from './source.ts'

export interface PlanSourcesOptions {
  readonly host: HostApt
  /** A file of the site at the plan's commit; undefined when there is none. */
  readonly file: (path: string) => Promise<Buffer | undefined>
}

/** What the proxy serves for a plan; `problems`: what it cannot serve, and why, in words. */
export async function planSources(plan: Plan, { host, file }: PlanSourcesOptions): Promise<{ readonly sources: readonly ProxySource[]; readonly problems: readonly string[] }> {
  const sources: ProxySource[] = []
  const problems: string[] = []
  for (const [name, one] of Object.entries(plan.sources)) {
    const keyring = one.keyring === undefined ? null : await file(normalize(one.keyring))
    if (keyring === undefined) {
      problems.push(`${name}: the site has no file ${one.keyring ?? ''}, its keyring`)
      continue
    }
    try {
      const source = resolveSource({ ...one, name, upstream: one.upstream as string | readonly string[], architectures: one.architectures ?? [], keyring, sha256: one.sha256 ?? null }, host)
      if (source !== null) sources.push(source)
    } catch (error) {
      if (!(error instanceof StageError)) throw error
      problems.push(`${name}: ${error.message}`)
    }
  }
  return { sources, problems }
}
