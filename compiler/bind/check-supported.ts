import type { Report } from '../../schemas/diagnostic.ts'
import { jigPackages } from '../../schemas/jig-packages.ts'
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
    const brought = [...Object.values(declaration.packages ?? {}).flat(), ...(declaration.jig === undefined ? [] : jigPackages(declaration.jig, { family: 'debian', version: '12' }))]
    for (const { node: name, at } of members) {
      const node = nodes.get(name)
      if (node?.admin === true && node.os === null && brought.length > 0) report(warning('UNSUPPORTED', at, `${role.name} brings packages, and nobody knows which the admin node ${name} would take: they are not installed there.`, { fix: `Give ${name} an \`os\`, or install ${[...new Set(brought)].join(', ')} there yourself.` }))
    }
  }
}
