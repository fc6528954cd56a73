import type { Report } from '../../schemas/diagnostic.ts'
import { error, warning } from '../diagnostics/diagnostic.ts'
import { rangeOf } from '../parse/document.ts'
import { hasFlag } from '../resolve/resolved-site.ts'
import type { BoundNode, BoundRole } from './bound-site.ts'
import { oncePerPlace } from './once-per-place.ts'

/** Says of bound roles what this version could not carry out, before a run finds it half-way. */
export function checkSupported(roles: ReadonlyMap<string, BoundRole>, nodes: ReadonlyMap<string, BoundNode>, sink: Report): void {
  const report = oncePerPlace(sink)
  for (const { role, members } of roles.values()) {
    if (members.length === 0) continue
    const { declaration, barclamp: { document: { source } } } = role
    const { retries } = declaration
    if (hasFlag(role, 'destructive') && retries !== undefined && retries.max > 0) report(error('UNSUPPORTED', rangeOf(source, ['roles', role.name, 'retries']), `${role.name} is destructive, and what destroys is never repeated unasked.`, { fix: 'Take `retries` away.' }))
    for (const { node, at } of members) {
      if (nodes.get(node)?.admin === true) report(warning('UNSUPPORTED', at, `${role.name} is bound to the admin node ${node}, on which no agent of this version runs roles: a run with it is refused.`, { fix: 'Bind it to another node.' }))
    }
  }
}
