import type { Report } from '../../schemas/diagnostic.ts'
import { own } from '../../schemas/own.ts'
import { error } from '../diagnostics/diagnostic.ts'
import { rangeOf } from '../parse/document.ts'
import { hasFlag } from '../resolve/resolved-site.ts'
import type { ResolvedSite } from '../resolve/resolved-site.ts'
import type { BoundNode, BoundRole } from './bound-site.ts'
import { discoveryProblems } from './discovery-role.ts'
import { oncePerPlace } from './once-per-place.ts'

/** Whether a node is installed by us, and so boots the discovery image first. One whose system nobody knows yet may be. */
export function hasDiscovery(node: BoundNode): boolean {
  return !node.admin && node.os?.value.install !== 'joined'
}

/** Checks roles with the flag `discovery` that are bound: that the image can run them, and that their nodes boot it. */
export function checkDiscovery({ resolved, nodes, roles }: { readonly resolved: ResolvedSite; readonly nodes: ReadonlyMap<string, BoundNode>; readonly roles: ReadonlyMap<string, BoundRole> }, sink: Report): void {
  const report = oncePerPlace(sink)
  for (const { role, members, deployment } of roles.values()) {
    if (!hasFlag(role, 'discovery')) continue
    const { source } = role.barclamp.document
    if (members.length > 0) {
      for (const { pointer, summary, fix } of discoveryProblems(role.name, role.declaration, role.barclamp)) report(error('ROLE_DISCOVERY', rangeOf(source, ['roles', role.name, ...pointer]), summary, { fix }))
    }
    const document = resolved.deployments.get(deployment)?.document
    if (document !== undefined && own(document.value.rollout, role.name) !== undefined) report(error('ROLE_DISCOVERY', rangeOf(document.source, ['rollout', role.name], 'key'), `${role.name} goes out with the installations that it comes before, and in no waves of its own.`, { fix: 'Say it of installations: `rollout: { install: ... }` in the site document.' }))
    for (const { node: name, at } of members) {
      const node = nodes.get(name)
      if (node === undefined || hasDiscovery(node)) continue
      report(error('ROLE_DISCOVERY', at, `${role.name} runs in the discovery image, and ${name}, ${node.admin ? 'an admin node' : 'which is joined as it is'}, never boots it.`, { related: [{ message: 'its flags', range: rangeOf(source, ['roles', role.name, 'flags']) }], fix: `Take it off ${name}; without \`nodes\` it is bound to all nodes that Crowbar installs.` }))
    }
  }
}
