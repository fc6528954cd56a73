import { artifactInputs } from '../../schemas/artifacts.ts'
import { byCodePoint } from '../../schemas/canonical.ts'
import { sourcesOfOs } from '../../schemas/documents/rule.ts'
import type { OsDocument } from '../../schemas/documents/rule.ts'
import type { ArtifactSet, Missing } from '../../schemas/plan.ts'
import { isImaged, packagesOf, packagesOfRole, rootfsOf } from '../order/artifacts.ts'
import type { InjectedSite } from '../inject/injected-site.ts'
import type { ResolvedSite } from '../resolve/resolved-site.ts'

export type ArtifactSets = { readonly [name: string]: ArtifactSet }

/**
 * What has to be in the store: root filesystems, and for each os all packages that roles on its nodes bring.
 *
 * @returns `unlocked`: sets whose packages are not locked, or that the site asks for otherwise since they were.
 */
export function artifactSets({ allocated, nodeRoles }: InjectedSite): { readonly artifacts: ArtifactSets; readonly unlocked: readonly Missing[] } {
  const wanted = new Map<string, { readonly kind: 'rootfs' | 'packages'; readonly os: OsDocument; readonly names: Set<string> }>()
  const { bound } = allocated
  for (const { os } of [...bound.nodes.values()].filter(isImaged)) {
    if (os !== null) wanted.set(rootfsOf(os.value), { kind: 'rootfs', os: os.value, names: new Set(os.value.packages ?? []) })
  }
  for (const { node, role } of nodeRoles.values()) {
    const brought = packagesOfRole(role.role, node)
    if (node.os === null || brought.length === 0) continue
    const name = packagesOf(node.os.value)
    const set = wanted.get(name) ?? { kind: 'packages', os: node.os.value, names: new Set() }
    for (const each of brought) set.names.add(each)
    wanted.set(name, set)
  }
  const artifacts: Record<string, ArtifactSet> = {}
  const unlocked: Missing[] = []
  for (const [name, { kind, os, names }] of wanted) {
    const packages = [...names].toSorted(byCodePoint)
    const builds = kind === 'packages' ? buildsOf(packages, bound.resolved) : []
    const lock = lockOf(name, { kind, os, packages, builds }, bound.resolved)
    artifacts[name] = { kind, os: os.name, packages, ...(builds.length === 0 ? {} : { builds }), ...('hash' in lock ? { locked: lock.hash } : {}) }
    if ('because' in lock && lock.because !== null) unlocked.push({ what: 'packages', for: `stage/${name}`, because: lock.because })
  }
  return { artifacts, unlocked }
}

/** The digest of what is locked for a set, or why there is none; null: there is nothing to lock. */
function lockOf(
  name: string, { kind, os, packages, builds }: { readonly kind: 'rootfs' | 'packages'; readonly os: OsDocument; readonly packages: readonly string[]; readonly builds: readonly string[] }, { artifacts, sources, patches }: ResolvedSite,
): { readonly hash: string } | { readonly because: string | null } {
  const own = sourcesOfOs(os).flatMap((each) => sources.get(each)?.value ?? [])
  const [source] = own
  if (source === undefined || os.family !== 'debian') return { because: null }
  const update = `\`crowbar lock --update ${source.name}\``
  const locked = artifacts.get(name)
  if (locked === undefined) return { because: `their versions are not locked: ${update}` }
  const inputs = artifactInputs({ kind, os: { ...os, packages: os.packages ?? [] }, sources: own.map((each) => ({ name: each.name, suites: each.suites ?? [], components: each.components ?? [] })), packages, builds: builds.map((each) => ({ ...(sources.get(each)?.value), name: each, patches: patches.get(each) })) })
  return inputs === locked.content.inputs ? { hash: locked.hash } : { because: `the site asks for others than are locked: ${update}` }
}

/** The git sources that give some of the packages, and those that these are said to depend on, or to be built with, by name. */
function buildsOf(packages: readonly string[], { sources }: ResolvedSite): readonly string[] {
  const found = new Set<string>()
  const wanted = [...packages]
  for (const name of wanted) {
    for (const { value } of sources.values()) {
      if (value.build?.packages.includes(name) !== true || found.has(value.name)) continue
      found.add(value.name)
      wanted.push(...(value.build.depends ?? []), ...(value.build.needs ?? []))
    }
  }
  return [...found].toSorted(byCodePoint)
}
