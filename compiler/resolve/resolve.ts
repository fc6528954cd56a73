import { byCodePoint } from '../../schemas/canonical.ts'
import type { Report } from '../../schemas/diagnostic.ts'
import type { BarclampDocument } from '../../schemas/documents/barclamp.ts'
import { compileCondition } from '../bind/condition.ts'
import { error } from '../diagnostics/diagnostic.ts'
import { POLICY_ENVIRONMENT } from '../judge/policy-environment.ts'
import { rangeOf } from '../parse/document.ts'
import { parseFile } from '../parse/parse.ts'
import type { Tree } from '../tree/tree.ts'
import type { Located, Site } from '../validate/site.ts'
import { checkDocument } from '../validate/check-document.ts'
import { resolveDeployments } from './deployments.ts'
import { answeringRoles, collectRoles, loadBarclamps } from './load-barclamps.ts'
import type { BarclampTree } from './load-barclamps.ts'
import { gitBarclamps } from './git-barclamps.ts'
import type { GitTrees } from './git-source.ts'
import { readKeyrings } from './keyrings.ts'
import { checkBuilds, readPatches } from './source-builds.ts'
import { checkUpstreams } from './source-upstreams.ts'
import { loadDocuments } from './load-documents.ts'
import { checkSubnets, resolveNetwork } from './networks.ts'
import { checkReferences } from './references.ts'
import { reportUnsupported } from './unsupported.ts'
import type { ResolvedSite } from './resolved-site.ts'
import { readArtifacts } from './artifacts.ts'
import type { SecretIndex } from './secrets.ts'
import { withUpstream } from './upstream.ts'

export interface ResolveInput {
  readonly site: Site
  /** The tree that `site` was read from. */
  readonly tree: Tree
  /** What ships with Crowbar: the folder barclamps/ of this installation. Its paths begin with `builtin:`. */
  readonly builtin: Tree
  readonly gitTrees: GitTrees
  readonly secrets: SecretIndex
  /** Packages are being locked anew, so that what is locked does not matter. */
  readonly anew?: boolean | undefined
}

/** Loads the barclamps that the site names, and looks every name up that a document uses. */
export function resolve(input: ResolveInput, report: Report): ResolvedSite {
  const { site, secrets, tree } = input
  let barclampsMissed = false
  const { trees, pins } = barclampTrees(input, (diagnostic) => {
    barclampsMissed ||= diagnostic.severity === 'error'
    report(diagnostic)
  })
  const barclamps = loadBarclamps(withUpstream(trees, { site, gitTrees: input.gitTrees, pins }, (diagnostic) => {
    barclampsMissed ||= diagnostic.severity === 'error'
    report(diagnostic)
  }), report)
  const { systems, sources, keyrings, patches } = loadDocuments(trees, report)
  const roles = collectRoles(barclamps, report)
  const resolved: ResolvedSite = {
    site,
    barclamps,
    roles,
    answering: answeringRoles(roles),
    networks: new Map([...site.networks].map(([name, document]) => [name, resolveNetwork(document, report)])),
    systems: sorted([...systems, ...site.systems]),
    sources: sorted([...sources, ...site.sources]),
    keyrings: new Map([...[...keyrings].filter(([name]) => !site.sources.has(name)), ...readKeyrings(site.sources, { tree, folder: '' }, report)]),
    patches: new Map([...[...patches].filter(([name]) => !site.sources.has(name)), ...readPatches(site.sources, { tree, folder: '' }, report)]),
    deployments: resolveDeployments(site.deployments, report),
    secrets,
    artifacts: input.anew === true ? new Map() : readArtifacts(tree, site.lock, report),
    pins,
  }
  checkSubnets(resolved.networks, report)
  checkReferences(resolved, { barclampsMissed, report })
  checkUpstreams(resolved.sources, report)
  checkBuilds(resolved.sources, report)
  reportUnsupported(site, report)
  for (const { value, source } of site.policies.values()) compileCondition({ text: value.check, document: source, pointer: ['check'], environment: POLICY_ENVIRONMENT }, report)
  return resolved
}

function barclampTrees({ site, tree, builtin, gitTrees }: ResolveInput, report: Report): { readonly trees: readonly BarclampTree[]; readonly pins: Record<string, string> } {
  const { value, source } = site.site
  const shipped: BarclampTree[] = []
  const fetched: BarclampTree[] = []
  const pins: Record<string, string> = {}
  const own = new Map<string, Located<BarclampDocument>>()
  for (const [i, entry] of (value.barclamps ?? ['builtin'] as const).entries()) {
    if (entry === 'builtin') {
      if (shipped.length === 0) shipped.push({ origin: 'builtin', tree: builtin, barclamps: builtinBarclamps(builtin, report) })
    } else if ('git' in entry) {
      const found = gitBarclamps({ site, index: i, entry, gitTrees }, report)
      if (found === undefined) continue
      fetched.push(...found.trees)
      pins[found.pin[0]] = found.pin[1]
    } else {
      const folder = entry.path.replace(/^(?:\.\/)+/, '').replace(/\/*$/, '/')
      const found = [...site.barclamps].filter(([path]) => folder === './' || folder === '/' || path.startsWith(folder))
      if (found.length === 0) report(error('REFERENCE_UNKNOWN', rangeOf(source, ['barclamps', i, 'path']), `There is no barclamp.yaml in or below ${entry.path}.`, { fix: 'Name a folder of this repository that has one, or take the line away.' }))
      for (const [path, document] of found) own.set(path, document)
    }
  }
  // What stands in for another of the same name comes after it, whatever the order of the list.
  const written: readonly BarclampTree[] = own.size === 0 ? [] : [{ origin: 'site', tree, barclamps: sorted([...own]) }]
  return { trees: [...shipped, ...fetched, ...written], pins }
}

function builtinBarclamps(builtin: Tree, report: Report): ReadonlyMap<string, Located<BarclampDocument>> {
  const found = new Map<string, Located<BarclampDocument>>()
  for (const path of builtin.files.keys()) {
    if (!path.endsWith('/barclamp.yaml')) continue
    for (const document of parseFile(builtin, path, report)) {
      const checked = checkDocument(document, report)
      if (checked?.kind === 'barclamp') found.set(path, checked)
    }
  }
  return found
}

function sorted<T>(entries: readonly (readonly [string, T])[]): ReadonlyMap<string, T> {
  return new Map([...new Map(entries)].toSorted(([a], [b]) => byCodePoint(a, b)))
}
