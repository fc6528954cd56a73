import { byCodePoint, canonical } from '../../schemas/canonical.ts'
import type { Changes } from '../../schemas/changes.ts'
import type { Ledger } from '../../schemas/ledger.ts'
import { own } from '../../schemas/own.ts'
import type { Attachment, Plan } from '../../schemas/plan.ts'
import type { Json } from '../../schemas/shape.ts'
import { foldNames } from '../print/fold-names.ts'
import { installDocument } from './install-change.ts'

export interface ReaddressedOptions {
  /** Whether the step has to run anyway: then the node is installed with what the plan says. */
  readonly runs: (step: string) => boolean
  readonly at: ((step: string, path: string | null) => string | null) | undefined
}

/**
 * Installed nodes whose network the plan has otherwise than their installation wrote it. Nothing changes the network of
 * an installed node yet: other addresses are refused, since everybody else would be told addresses that the node does
 * not have; anything else of the network is warned of. Joined nodes have set up their network themselves.
 */
export function readdressed(base: Ledger, plan: Plan, { runs, at }: ReaddressedOptions): Changes['violations'] {
  const warned: Found[] = []
  const denied: Found[] = []
  for (const step of plan.steps) {
    if (step.kind !== 'install' || step.node === null || runs(step.id)) continue
    const node = own(base.nodes, step.node)
    const entry = own(node?.steps, step.id)
    if (node === undefined || node.incarnation === null || entry === undefined) continue
    const before = installDocument(entry.step, base.values)
    const after = installDocument(step, plan.values)
    if (before === null || after === null || before.method !== 'image' || canonical(before.attachments as unknown as Json) === canonical(after.attachments as unknown as Json)) continue
    const place = at?.(step.id, 'attachments') ?? own(plan.nodes, step.node)?.at ?? null
    const [was, is] = [addressesOf(before.attachments), addressesOf(after.attachments)]
    const moved = [...new Set([...was.keys(), ...is.keys()])].toSorted(byCodePoint).filter((network) => was.get(network) !== is.get(network))
    if (moved.length === 0) warned.push({ node: step.node, at: place, what: '' })
    else denied.push({ node: step.node, at: place, what: moved.map((network) => `on ${network} from ${was.get(network) ?? 'none'} to ${is.get(network) ?? 'none'}`).join(', ') })
  }
  return [...refusals(denied), ...(warned.length === 0 ? [] : [warning(warned)])]
}

interface Found {
  readonly node: string
  readonly at: string | null
  readonly what: string
}

/** Nodes of whom one by one is told what is refused. */
const TOLD = 6

/** One for each node; one for all where a whole network moved. */
function refusals(found: readonly Found[]): Changes['violations'] {
  const deny = (message: string, at: string | null): Changes['violations'][number] => ({ policy: 'addresses', level: 'deny', message, at })
  const [first] = found
  if (first === undefined || found.length <= TOLD) return found.map(({ node, what, at }) => deny(`the addresses of ${node}, which is installed, cannot be changed yet (${what}): install it again with \`crowbar reinstall ${node}\`, or put the address back.`, at))
  return [deny(`the addresses of ${foldNames(found.map(({ node }) => node))}, which are installed, cannot be changed yet (of ${first.node} ${first.what}, and so on): put them back, or install each again with \`crowbar reinstall NODE\`.`, first.at)]
}

function warning(found: readonly Found[]): Changes['violations'][number] {
  const one = found.length === 1
  return { policy: 'network', level: 'warn', message: `the network of ${foldNames(found.map(({ node }) => node))}, which ${one ? 'is' : 'are'} installed, is not changed yet: it stays as it was written, until ${one ? 'the node is' : 'they are'} installed again.`, at: found[0]?.at ?? null }
}

/** How many nodes the base has on another machine, or with other addresses than the plan. */
export function movedSince(base: Ledger, plan: Plan): Changes['moved'] {
  let claims = 0
  let addresses = 0
  for (const step of plan.steps) {
    if (step.kind !== 'install' || step.node === null) continue
    const node = own(base.nodes, step.node)
    const entry = own(node?.steps, step.id)
    const before = entry === undefined ? null : installDocument(entry.step, base.values)
    if (before === null) continue
    if (before.machine !== own(plan.nodes, step.node)?.machine) claims++
    const after = installDocument(step, plan.values)
    if (after !== null && addressText(before.attachments) !== addressText(after.attachments)) addresses++
  }
  return { claims, addresses }
}

function addressText(attachments: readonly Attachment[]): string {
  return [...addressesOf(attachments)].map((one) => one.join(' ')).toSorted(byCodePoint).join('\n')
}

/** Network → addresses with their prefixes, in words. */
function addressesOf(attachments: readonly Attachment[]): ReadonlyMap<string, string> {
  return new Map(attachments.map(({ network, addresses }) => [network, addresses.map(({ address, prefix }) => `${address}/${prefix}`).join(' and ')]))
}
