import { canonical } from '../schemas/canonical.ts'
import type { Diagnostic, Report } from '../schemas/diagnostic.ts'
import { EMPTY_LOCK } from '../schemas/lock.ts'
import type { Lock } from '../schemas/lock.ts'
import type { Plan } from '../schemas/plan.ts'
import type { Json } from '../schemas/shape.ts'
import { allocate } from './allocate/allocate.ts'
import { bind } from './bind/bind.ts'
import type { BoundSite } from './bind/bound-site.ts'
import type { Rebind } from './bind/rebind.ts'
import { hasErrors } from './diagnostics/diagnostic.ts'
import { settle } from './diagnostics/settle.ts'
import { inject } from './inject/inject.ts'
import { order } from './order/order.ts'
import type { OrderedSite } from './order/ordered-site.ts'
import { placeOf } from './parse/document.ts'
import type { SourceDocument } from './parse/document.ts'
import { parse } from './parse/parse.ts'
import { plan } from './plan/plan.ts'
import { siteDigest } from './plan/site-digest.ts'
import type { GitTrees } from './resolve/git-source.ts'
import { resolve } from './resolve/resolve.ts'
import type { ResolvedSite } from './resolve/resolved-site.ts'
import { readSecrets } from './resolve/secrets.ts'
import type { SecretIndex } from './resolve/secrets.ts'
import type { Tree } from './tree/tree.ts'
import { validate } from './validate/validate.ts'

export interface CompileInput {
  readonly tree: Tree
  /** The folder barclamps/ of this installation; its paths begin with `builtin:`. */
  readonly builtin: Tree
  /** Gives the barclamps of other repositories; what the lock pins is the same wherever and whenever it is asked for. */
  readonly gitTrees: GitTrees
  /** The version of Crowbar that the plan says it was made by. */
  readonly crowbar: string
  /** What of the lock is to be decided anew; else nothing. */
  readonly rebind?: Rebind | undefined
  /** Packages are being locked anew: a plan without those that are locked. */
  readonly anew?: boolean | undefined
  /** Secrets that count instead of those of the tree. */
  readonly secrets?: SecretIndex | undefined
}

/** What became of a site: a plan with everything around it, or what is wrong. */
export type Compiled =
  | {
      readonly plan: Plan
      /** The lock that the plan was allocated under. */
      readonly lock: Lock
      /** It is not the one that the site has, and has to be committed before anything runs. */
      readonly lockChanged: boolean
      readonly diagnostics: readonly Diagnostic[]
      /** What `explain` asks. */
      readonly ordered: OrderedSite
      /** The files of `plan.contents`, by SHA-256 in hexadecimal. */
      readonly blobs: ReadonlyMap<string, Uint8Array>
    }
  | { readonly plan: null; readonly diagnostics: readonly Diagnostic[] }

/**
 * Compiles a site tree into a deployment plan.
 *
 * Pure: the same tree gives the same bytes, on any machine, at any time. Every problem that a phase finds is reported;
 * the phase after one with errors does not run. Never throws for a bad site.
 */
export function compile({ tree, builtin, gitTrees, crowbar, rebind, anew, secrets }: CompileInput): Compiled {
  const diagnostics: Diagnostic[] = []
  const report: Report = (diagnostic) => void diagnostics.push(diagnostic)
  const stop = (): Compiled => ({ plan: null, diagnostics: settle(diagnostics) })

  const found = bindTree({ tree, builtin, gitTrees, rebind, anew, secrets }, { report, failed: () => hasErrors(diagnostics) })
  if (found === undefined || hasErrors(diagnostics)) return stop()
  const { documents, bound } = found
  const { resolved } = bound
  const allocated = allocate(bound, report)
  if (hasErrors(diagnostics)) return stop()
  const injected = inject(allocated, report)
  if (hasErrors(diagnostics)) return stop()
  const ordered = order(injected, report)
  if (hasErrors(diagnostics)) return stop()

  const settled = settle(diagnostics)
  const warnings = settled.map(({ code, range, summary }) => `${range === undefined ? '' : `${placeOf(range)}: `}${code}: ${summary}`)
  const { lock } = allocated
  return {
    plan: plan(ordered, { crowbar, commit: tree.commit, tree: siteDigest({ tree, documents, resolved }), warnings }),
    lock,
    lockChanged: canonical(lock as unknown as Json) !== canonical({ ...EMPTY_LOCK, ...found.written } as unknown as Json),
    diagnostics: settled,
    ordered,
    blobs: blobsOf(resolved),
  }
}

export interface BoundTree {
  readonly documents: readonly SourceDocument[]
  readonly bound: BoundSite
  /** The lock as it is in the site. */
  readonly written: Lock | undefined
}

/** The phases up to `bind`: who has which machine and which role, also when bind itself found errors. */
export function bindTree({ tree, builtin, gitTrees, rebind, anew, secrets }: Omit<CompileInput, 'crowbar'>, { report, failed }: { readonly report: Report; readonly failed: () => boolean }): BoundTree | undefined {
  const documents = parse(tree, report)
  if (failed()) return undefined
  const site = validate(tree, documents, report)
  if (site === undefined || failed()) return undefined
  const resolved = resolve({ site, tree, builtin, gitTrees, secrets: secrets ?? readSecrets(tree, report), anew }, report)
  if (failed()) return undefined
  return { documents, bound: bind(resolved, report, rebind), written: site.lock?.value }
}

function blobsOf({ barclamps }: ResolvedSite): ReadonlyMap<string, Uint8Array> {
  return new Map([...barclamps.values()].flatMap(({ files }) => [...files.values()].map((file) => [file.sha256, file.content] as const)))
}
