import { suggest } from '../../schemas/cel/suggest.ts'
import type { Range, Report } from '../../schemas/diagnostic.ts'
import type { RolloutDocument } from '../../schemas/documents/words.ts'
import { error, warning } from '../diagnostics/diagnostic.ts'
import { rangeOf } from '../parse/document.ts'
import type { Pointer, SourceDocument } from '../parse/document.ts'
import { foldNames } from '../print/fold-names.ts'
import type { BoundNode, BoundOperation, BoundRole, BoundRollout } from './bound-site.ts'
import type { OperationContext } from './operations.ts'

interface Declared {
  readonly id: string
  readonly value: RolloutDocument
  readonly source: SourceDocument
  readonly pointer: Pointer
  /** Whom it is for: their labels matter. */
  readonly nodes: readonly BoundNode[]
  /** Where a gate's role is looked for; null: in all deployments. */
  readonly deployment: string | null
}

/** Every rollout of the site, of deployments and of operations, by id, with the role of its gate found. */
export function bindRollouts(context: OperationContext & { readonly operations: ReadonlyMap<string, BoundOperation> }, report: Report): readonly BoundRollout[] {
  return declared(context, report).map((one) => {
    checkLabel(one, report)
    const { id, value, source, pointer } = one
    return { id, value, gate: gateOf(one, context.roles, report), at: rangeOf(source, pointer) }
  })
}

/** An operation that says nothing goes one node at a time, and stops at the first that fails. */
const BY_ONE: RolloutDocument = { batches: [1], maxFailures: 0 }

function declared({ resolved, nodes, roles, operations }: Parameters<typeof bindRollouts>[0], report: Report): readonly Declared[] {
  const { value: site, source } = resolved.site.site
  const all = [...nodes.values()].filter((node) => !node.admin)
  const found: Declared[] = Object.entries(site.rollout ?? {}).map(([kind, value]) => ({ id: `rollout/${kind}`, value, source, pointer: ['rollout', kind], nodes: all, deployment: null }))
  for (const { name: deployment, document } of resolved.deployments.values()) {
    for (const [name, value] of Object.entries(document.value.rollout ?? {})) {
      const bound = roles.get(`${deployment}/${name}`)
      if (bound === undefined) {
        const near = suggest(name, [...roles.values()].filter((role) => role.deployment === deployment).map(({ role }) => role.name))
        report(error('REFERENCE_UNKNOWN', rangeOf(document.source, ['rollout', name], 'key'), `${deployment} has no role ${name}.`, { fix: near === undefined ? 'A rollout is for a role of its own deployment.' : `Did you mean ${near}?` }))
        continue
      }
      found.push({ id: `rollout/${bound.key}`, value, source: document.source, pointer: ['rollout', name], nodes: nodesOf(bound, nodes), deployment })
    }
  }
  for (const { name, document, members } of operations.values()) {
    const own = document.value.rollout
    const inherited = own ?? (document.value.do.includes('reboot') ? site.rollout?.['reboot'] : document.value.do.includes('packages') ? site.rollout?.['packages'] : undefined)
    const from = own === undefined && inherited !== undefined ? { source, pointer: ['rollout', document.value.do.includes('reboot') ? 'reboot' : 'packages'] } : { source: document.source, pointer: own === undefined ? ['name'] : ['rollout'] }
    found.push({ id: `operation/${name}`, value: inherited ?? BY_ONE, ...from, nodes: members ?? [], deployment: null })
  }
  return found
}

function nodesOf(role: BoundRole, nodes: ReadonlyMap<string, BoundNode>): readonly BoundNode[] {
  return role.members.flatMap(({ node }) => nodes.get(node) ?? [])
}

/** A label that no node has is a mistake; one that some lack makes these one group of their own. */
function checkLabel({ value, source, pointer, nodes }: Declared, report: Report): void {
  const { spreadBy } = value
  if (spreadBy === undefined) return
  const claimed = nodes.filter(({ machine }) => machine !== null)
  const without = claimed.filter(({ labels }) => !Object.hasOwn(labels, spreadBy)).map(({ name }) => name)
  if (without.length === 0) return
  const range: Range = rangeOf(source, [...pointer, 'spreadBy'])
  if (without.length < claimed.length) {
    report(warning('ROLLOUT_LABEL', range, `${foldNames(without)} ${without.length === 1 ? 'has' : 'have'} no label ${spreadBy}: in this rollout ${without.length === 1 ? 'it counts' : 'they count'} as if all had the same.`, { fix: `Give ${without.length === 1 ? 'it' : 'them'} the label ${spreadBy}.` }))
    return
  }
  const near = suggest(spreadBy, new Set(nodes.flatMap(({ labels }) => Object.keys(labels))))
  report(error('ROLLOUT_LABEL', range, `No node of this rollout has a label ${spreadBy}.`, { fix: near === undefined ? `Give the nodes the label ${spreadBy}, or take \`spreadBy\` away.` : `Did you mean ${near}?` }))
}

function gateOf({ value, source, pointer, deployment }: Declared, roles: ReadonlyMap<string, BoundRole>, report: Report): BoundRollout['gate'] {
  const { gate } = value
  if (gate === undefined) return null
  const range = rangeOf(source, [...pointer, 'gate', 'check'])
  // Nodes that match a `where` may still come: until then the gate has nothing to ask.
  const reachable = [...roles.values()].filter((role) => (role.members.length > 0 || role.binding.where !== undefined) && (deployment === null || role.deployment === deployment))
  const found = reachable.filter(({ role }) => role.name === gate.check)
  const [first, second] = found
  if (first === undefined) {
    const near = suggest(gate.check, new Set(reachable.map(({ role }) => role.name)))
    report(error('ROLLOUT_GATE', range, `The role ${gate.check} is bound to no node${deployment === null ? '' : ` in ${deployment}`}.`, { fix: near === undefined ? 'Name a role that the nodes have.' : `Did you mean ${near}?` }))
    return null
  }
  if (second !== undefined) {
    report(error('ROLLOUT_GATE', range, `The role ${gate.check} is bound in ${found.map(({ deployment: name }) => name).join(' and ')}: nothing says whose check is meant.`, { fix: 'Name a role that one deployment binds.' }))
    return null
  }
  if (first.role.declaration.check === undefined) {
    const related = [{ message: `${gate.check} is declared here`, range: rangeOf(first.role.barclamp.document.source, ['roles', gate.check], 'key') }]
    report(error('ROLLOUT_GATE', range, `${gate.check} has no \`check\`, so nothing could open this gate.`, { related, fix: 'Declare `check` in its barclamp, or take the gate away.' }))
    return null
  }
  return { role: first.key, timeout: gate.timeout ?? '10m' }
}
