import type { BuildDocument } from '../../schemas/documents/rule.ts'
import type { Plan } from '../../schemas/plan.ts'

/** A git repository that a build takes files from. */
export interface GitUpstream {
  readonly name: string
  /** URLs of which each has the same, the best first. */
  readonly upstreams: readonly string[]
}

/** A git source that packages are built from: all that the site says of it. */
export interface BuildSource extends GitUpstream {
  /** A branch, a tag or a commit. */
  readonly ref: string
  /** In their order; `text` is base64. */
  readonly patches: readonly { readonly path: string; readonly text: string }[]
  /** Path in the tree → the source that has the submodule. */
  readonly submodules: Readonly<Record<string, GitUpstream>>
  readonly build: BuildDocument
  /** path:line:column of what says that it is built. */
  readonly at: string | null
}

/** Why a build did not give its packages. Codes are stable; messages are for people. */
export class BuildError extends Error {
  readonly code: 'BUILD_REF_UNKNOWN' | 'BUILD_SUBMODULE' | 'BUILD_PATCH' | 'BUILD_FAILED' | 'BUILD_DIFFERS' | 'BUILD_NEEDS_ROOT'
  readonly retryable = false

  constructor(code: BuildError['code'], message: string, options: { readonly cause?: unknown } = {}) {
    super(message, options)
    this.code = code
  }
}

/** `hello (sources.yaml:3:1)`. */
export function titleOf({ name, at }: Pick<BuildSource, 'name' | 'at'>): string {
  return at === null ? name : `${name} (${at})`
}

/** The sources that packages of an artifact set are built from, by name. */
export function buildSourcesOf(set: string, plan: Plan): BuildSource[] {
  return (plan.artifacts[set]?.builds ?? []).flatMap((name): BuildSource[] => {
    const source = plan.sources[name]
    if (source?.build === undefined) return []
    const submodules = Object.fromEntries(Object.entries(source.submodules ?? {}).map(([path, other]) => [path, gitUpstream(other, plan)]))
    return [{ ...gitUpstream(name, plan), ref: source.ref ?? '', patches: source.patches ?? [], submodules, build: source.build, at: source.at ?? null }]
  })
}

function gitUpstream(name: string, plan: Plan): GitUpstream {
  const upstream = plan.sources[name]?.upstream as string | readonly string[] | undefined
  return { name, upstreams: upstream === undefined ? [] : typeof upstream === 'string' ? [upstream] : upstream }
}
