import type { Plan } from '../../schemas/plan.ts'
import { siteSource } from '../stage/site-sources.ts'
import type { HostApt } from '../stage/site-sources.ts'
import { StageError } from '../stage/stage-error.ts'
import { resolveSource } from './resolve-source.ts'
import type { ProxySource } from './source.ts'

/** What the proxy serves for a plan; `problems`: what it cannot serve, and why, in words. */
export function planSources(plan: Plan, host: HostApt): { readonly sources: readonly ProxySource[]; readonly problems: readonly string[] } {
  const sources: ProxySource[] = []
  const problems: string[] = []
  for (const [name, one] of Object.entries(plan.sources)) {
    if (one.keyring !== undefined && one.keys === undefined) {
      problems.push(`${name}: the plan is of a version that did not have its keyring: compile it again`)
      continue
    }
    try {
      const source = resolveSource({ ...siteSource(name, one), type: one.type, sha256: one.sha256 ?? null }, host)
      if (source !== null) sources.push(source)
    } catch (error) {
      if (!(error instanceof StageError)) throw error
      problems.push(`${name}: ${error.message}`)
    }
  }
  return { sources, problems }
}
