import { suggest } from '../../schemas/cel/suggest.ts'
import type { Range, Report } from '../../schemas/diagnostic.ts'
import type { OperationDocument } from '../../schemas/documents/deployment.ts'
import type { OperationAction } from '../../schemas/documents/words.ts'
import { NODE_ENVIRONMENT } from '../../schemas/expression.ts'
import { packagesOfRole } from '../order/artifacts.ts'
import { error, warning } from '../diagnostics/diagnostic.ts'
import { rangeOf } from '../parse/document.ts'
import { foldNames } from '../print/fold-names.ts'
import { hasFlag } from '../resolve/resolved-site.ts'
import type { ResolvedSite } from '../resolve/resolved-site.ts'
import { expandNames } from '../validate/expand-names.ts'
import type { Located } from '../validate/site.ts'
import type { BoundNode, BoundOperation, BoundRole } from './bound-site.ts'
import { compileCondition } from './condition.ts'
import { conditionBindings } from './nodes.ts'

/** What operations are bound to. */
export interface OperationContext {
  readonly resolved: ResolvedSite
  readonly nodes: ReadonlyMap<string, BoundNode>
  readonly roles: ReadonlyMap<string, BoundRole>
}

/** Actions that roles carry out. */
const OF_ROLES: ReadonlySet<OperationAction> = new Set(['drain', 'resume', 'check', 'run', 'upgrade'])

/** Finds the nodes of every operation, and whether what it asks for can be done there. */
export function bindOperations(context: OperationContext, report: Report): ReadonlyMap<string, BoundOperation> {
  const operations = new Map<string, BoundOperation>()
  for (const [name, document] of context.resolved.site.operations) {
    const asking = { document, context, report }
    const members = membersOf(asking)
    operations.set(name, { name, document, members })
    if (members === null) continue
    if (members.length === 0) report(warning('OPERATION_EMPTY', rangeOf(document.source, ['name']), `The operation ${name} has no node to work on.`, { fix: 'Look at its `where` and its `role`; take the document out of the site when it is not needed any more.' }))
    else checkActions(asking, members)
  }
  return operations
}

interface Asking {
  readonly document: Located<OperationDocument>
  readonly context: OperationContext
  readonly report: Report
}

/** By index; null: what it says of its nodes is at fault, which was said. */
function membersOf({ document: { value, source }, context, report }: Asking): readonly BoundNode[] | null {
  const { nodes } = context
  const bearers = value.role === undefined ? null : bearersOf(value.role, context)
  if (value.role !== undefined && !context.resolved.roles.has(value.role)) {
    const near = suggest(value.role, context.resolved.roles.keys())
    report(error('REFERENCE_UNKNOWN', rangeOf(source, ['role']), `There is no role ${value.role}.`, { fix: near === undefined ? undefined : `Did you mean ${near}?` }))
    return null
  }
  if (value.nodes === undefined && value.where === undefined && bearers === null) {
    report(error('FIELD_MISSING', rangeOf(source, ['name']), `The operation ${value.name} does not say on which nodes.`, { fix: 'Add `nodes`, `where` or `role`.' }))
    return null
  }
  const found = new Set<BoundNode>()
  let good = true
  const refuse = (range: Range, code: 'REFERENCE_UNKNOWN' | 'OPERATION_ROLE' | 'UNSUPPORTED', summary: string, fix?: string): void => {
    report(error(code, range, summary, { fix }))
    good = false
  }
  for (const [i, text] of (value.nodes ?? []).entries()) {
    const range = rangeOf(source, ['nodes', i])
    for (const name of expandNames(text) ?? [text]) {
      const node = nodes.get(name)
      const near = node === undefined ? suggest(name, nodes.keys()) : undefined
      if (node === undefined) refuse(range, 'REFERENCE_UNKNOWN', `There is no node ${name}.`, near === undefined ? undefined : `Did you mean ${near}?`)
      else if (node.admin) refuse(range, 'UNSUPPORTED', `${name} is an admin node, and operations on admin nodes are not supported yet.`)
      else if (bearers !== null && !bearers.has(name)) refuse(range, 'OPERATION_ROLE', `${name} does not have the role ${value.role}.`, `Take ${name} out of \`nodes\`, or bind the role to it.`)
      else found.add(node)
    }
  }
  if (value.where !== undefined || value.nodes === undefined) {
    const pointer = ['where'] as const
    const where = value.where === undefined ? () => true : compileCondition({ text: value.where, document: source, pointer, environment: NODE_ENVIRONMENT }, report)
    for (const node of nodes.values()) {
      if (!node.admin && (bearers === null || bearers.has(node.name)) && where(conditionBindings(node), `node ${node.name}`) === true) found.add(node)
    }
  }
  return good ? [...found].toSorted((a, b) => a.index - b.index) : null
}

/** The nodes that have a role, of whatever deployment. */
function bearersOf(name: string, { roles }: OperationContext): ReadonlySet<string> {
  return new Set([...roles.values()].filter(({ role }) => role.name === name).flatMap(({ members }) => members.map(({ node }) => node)))
}

function checkActions({ document: { value, source }, context, report }: Asking, members: readonly BoundNode[]): void {
  const named = value.role === undefined ? undefined : context.resolved.roles.get(value.role)
  const seen = new Set<OperationAction>()
  for (const [i, action] of value.do.entries()) {
    const range = rangeOf(source, ['do', i])
    if (seen.has(action)) continue
    seen.add(action)
    if (action === 'run' && named === undefined) report(error('OPERATION_ROLE', range, `The operation ${value.name} does not say which role is to run.`, { fix: 'Add `role`.' }))
    if (action === 'run' && named !== undefined && hasFlag(named, 'destructive')) report(error('OPERATION_ROLE', range, `${named.name} is destructive, and an operation does not run it again.`, { fix: 'Install the nodes again, or give the role an action of another name, such as `upgrade`.' }))
    if (action === 'run' && named !== undefined && hasFlag(named, 'discovery')) report(error('OPERATION_ROLE', range, `${named.name} runs in the discovery image only, before an installation.`, { fix: 'Install the nodes again: `crowbar reinstall`.' }))
    if (action === 'packages') checkPackages({ document: { value, source }, context, report }, members, range)
    if (action === 'reinstall') checkGenerations({ document: { value, source }, context, report }, members, range)
    if (action === 'erase') checkErase({ document: { value, source }, context, report }, members, i)
    if (!OF_ROLES.has(action)) continue
    const field = action as 'drain' | 'resume' | 'check' | 'run' | 'upgrade'
    if (named !== undefined) {
      if (named.declaration[field] !== undefined) continue
      const related = [{ message: `${named.name} is declared here`, range: rangeOf(named.barclamp.document.source, ['roles', named.name], 'key') }]
      report(error('OPERATION_ROLE', range, `${named.name} has no \`${action}\`.`, { related, fix: `Declare \`${action}\` in its barclamp, or take ${action} out of the operation.` }))
    } else if (action !== 'run' && !someRole(context, members, field)) {
      report(warning('OPERATION_ROLE', range, `No role on the nodes of ${value.name} has \`${action}\`: nothing happens there.`, { fix: `Declare \`${action}\` in the barclamp of a role, or take ${action} out of the operation.` }))
    }
  }
}

function someRole({ roles }: OperationContext, members: readonly BoundNode[], field: 'drain' | 'resume' | 'check' | 'run' | 'upgrade'): boolean {
  const names = new Set(members.map(({ name }) => name))
  return [...roles.values()].some(({ role, members: bearers }) => role.declaration[field] !== undefined && bearers.some(({ node }) => names.has(node)))
}

/** Packages are upgraded to what is staged; that is what roles bring to nodes of an operating system. */
function checkPackages({ context, report }: Asking, members: readonly BoundNode[], range: Range): void {
  const staged = new Set<string>()
  for (const { role, members: bearers } of context.roles.values()) {
    for (const { node } of bearers) {
      const bound = context.nodes.get(node)
      if (bound?.os !== null && bound !== undefined && packagesOfRole(role, bound).length > 0) staged.add(bound.os.value.name)
    }
  }
  const without = members.filter(({ os }) => os !== null && !staged.has(os.value.name)).map(({ name }) => name)
  if (without.length > 0) report(error('OPERATION_ROLE', range, `Nothing is staged to upgrade ${foldNames(without)} with: no role brings packages to their operating system.`, { fix: 'Take `packages` out of the operation, or bind a role that brings packages.' }))
}

/** An operation drains and goes round; that nodes are installed again is for the lock to say, node by node. */
function checkGenerations({ document: { value }, report }: Asking, members: readonly BoundNode[], range: Range): void {
  const unasked = members.filter(({ generation }) => generation === 0).map(({ name }) => name)
  if (unasked.length === 0) return
  report(error('OPERATION_LOCK', range, `The operation ${value.name} installs ${foldNames(unasked)} again, and site.lock.json does not ask for that.`, { fix: `Write it into the lock first: crowbar reinstall ${unasked[0]}${unasked.length > 1 ? ' ...' : ''}.` }))
}

/** Disks are erased by the discovery image, and nothing is installed afterwards until something installs it. */
function checkErase({ document: { value, source }, report }: Asking, members: readonly BoundNode[], place: number): void {
  const range = rangeOf(source, ['do', place])
  const related = [{ message: 'the disks are erased here', range }]
  const refuse = (at: number, summary: string, fix: string): void => report(error('OPERATION_ERASE', rangeOf(source, ['do', at]), summary, { related, fix }))
  const [last, again] = [value.do.lastIndexOf('erase'), value.do.indexOf('reinstall')]
  if (last !== place) refuse(last, `${value.name} erases twice.`, 'Take one of the two out.')
  if (again >= 0 && again < place) refuse(again, `What ${value.name} installs here it erases again.`, 'Put `reinstall` after `erase`, or take it out.')
  for (const [offset, action] of value.do.slice(place + 1, again > place ? again : last > place ? last : undefined).entries()) {
    refuse(place + 1 + offset, `\`${action}\` comes after \`erase\`, when nothing is installed on the node.`, again > place ? `Put ${action} after \`reinstall\`.` : `Take ${action} out, or put it before \`erase\`.`)
  }
  const unreached = (names: readonly string[], why: string): void => {
    if (names.length > 0) report(error('OPERATION_ERASE', range, `${value.name} cannot erase ${foldNames(names)}: ${why}.`, { fix: `Take ${names.length === 1 ? names[0] : 'these nodes'} out of the operation, and erase by hand what is to be erased there.` }))
  }
  unreached(members.filter(({ os }) => os?.value.install === 'joined').map(({ name }) => name), 'joined machines are not booted from the network, and their disks are left as they are')
  unreached(members.filter(({ os, machine }) => os?.value.install !== 'joined' && machine?.facts.firmware.kind === 'container').map(({ name }) => name), 'a container has no disks of its own, and is not booted from the network')
}
