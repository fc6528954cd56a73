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
import { collectRoles, loadBarclamps } from './load-barclamps.ts'
import type { BarclampTree } from './load-barclamps.ts'
import { loadDocuments } from './load-documents.ts'
import { resolveNetwork } from './networks.ts'
import { checkReferences } from './references.ts'
import { reportUnsupported } from './unsupported.ts'
import type { ResolvedSite } from './resolved-site.ts'

export interface ResolveInput {
  readonly site: Site
  /** The tree that `site` was read from. */
  readonly tree: Tree
  /** What ships with Crowbar: the folder barclamps/ of this installation. Its paths begin with `builtin:`. */
  readonly builtin: Tree
  readonly secrets: ReadonlyMap<string, number> | null
}

/** Loads the barclamps that the site names, and looks every name up that a document uses. */
export function resolve({ site, tree, builtin, secrets }: ResolveInput, report: Report): ResolvedSite {
  let barclampsMissed = false
  const trees = barclampTrees({ site, tree, builtin, secrets }, (diagnostic) => {
    barclampsMissed ||= diagnostic.severity === 'error'
    report(diagnostic)
  })
  const barclamps = loadBarclamps(trees, report)
  const { systems, sources } = loadDocuments(trees, report)
  const resolved: ResolvedSite = {
    site,
    barclamps,
    roles: collectRoles(barclamps, report),
    networks: new Map([...site.networks].map(([name, document]) => [name, resolveNetwork(document, report)])),
    systems: sorted([...systems, ...site.systems]),
    sources: sorted([...sources, ...site.sources]),
    deployments: resolveDeployments(site.deployments, report),
    secrets,
  }
  checkReferences(resolved, { barclampsMissed, report })
  reportUnsupported(site, report)
  for (const { value, source } of site.policies.values()) compileCondition({ text: value.check, document: source, pointer: ['check'], environment: POLICY_ENVIRONMENT }, report)
  return resolved
}

function barclampTrees({ site, tree, builtin }: ResolveInput, report: Report): readonly BarclampTree[] {
  const { value, source } = site.site
  const trees: BarclampTree[] = []
  const own = new Map<string, Located<BarclampDocument>>()
  for (const [i, entry] of (value.barclamps ?? ['builtin'] as const).entries()) {
    const range = rangeOf(source, ['barclamps', i])
    if (entry === 'builtin') {
      trees.push({ origin: 'builtin', tree: builtin, barclamps: builtinBarclamps(builtin, report) })
    } else if ('git' in entry) {
      report(error('BARCLAMP_UNSUPPORTED', range, 'Barclamps from git repositories are not supported yet.', { fix: 'Copy the folder into this repository and name it with `path`.' }))
    } else {
      const folder = entry.path.replace(/^(?:\.\/)+/, '').replace(/\/*$/, '/')
      const found = [...site.barclamps].filter(([path]) => folder === './' || folder === '/' || path.startsWith(folder))
      if (found.length === 0) report(error('REFERENCE_UNKNOWN', rangeOf(source, ['barclamps', i, 'path']), `There is no barclamp.yaml in or below ${entry.path}.`))
      for (const [path, document] of found) own.set(path, document)
    }
  }
  // The site's own come last whatever the order of the list: they stand in for builtin ones of the same name.
  const builtinFirst = trees.slice(0, 1)
  return own.size === 0 ? builtinFirst : [...builtinFirst, { origin: 'site', tree, barclamps: sorted([...own]) }]
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
