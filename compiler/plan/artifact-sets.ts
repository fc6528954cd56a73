import { byCodePoint } from '../../schemas/canonical.ts'
import type { ArtifactSet } from '../../schemas/plan.ts'
import { isImaged, packagesOf, packagesOfRole, rootfsOf } from '../order/artifacts.ts'
import type { InjectedSite } from '../inject/injected-site.ts'

export type ArtifactSets = { readonly [name: string]: ArtifactSet }

/** What has to be in the store: root filesystems, and for each os all packages that roles on its nodes bring. */
export function artifactSets({ allocated, nodeRoles }: InjectedSite): ArtifactSets {
  const sets: Record<string, ArtifactSet> = {}
  for (const node of allocated.bound.nodes.values()) {
    if (node.os !== null && isImaged(node)) sets[rootfsOf(node.os.value)] = { kind: 'rootfs', os: node.os.value.name, packages: (node.os.value.packages ?? []).toSorted(byCodePoint) }
  }
  const packages = new Map<string, { readonly os: string; readonly names: Set<string> }>()
  for (const { node, role } of nodeRoles.values()) {
    const brought = packagesOfRole(role.role, node)
    if (node.os === null || brought.length === 0) continue
    const name = packagesOf(node.os.value)
    const set = packages.get(name) ?? { os: node.os.value.name, names: new Set() }
    for (const each of brought) set.names.add(each)
    packages.set(name, set)
  }
  for (const [name, { os, names }] of packages) sets[name] = { kind: 'packages', os, packages: [...names].toSorted(byCodePoint) }
  return sets
}
