import { byCodePoint } from '../../schemas/canonical.ts'
import { crowbarDocument } from '../../schemas/crowbar-document.ts'
import { isDeferred } from '../../schemas/deferred.ts'
import { EMPTY_LEDGER } from '../../schemas/ledger.ts'
import type { Plan, Step } from '../../schemas/plan.ts'
import type { Json } from '../../schemas/shape.ts'
import { stepDocument } from '../../schemas/step-values.ts'
import { provenance } from '../explain/provenance.ts'
import type { InjectedSite } from '../inject/injected-site.ts'
import { placeOf } from '../parse/document.ts'
import type { Pointer } from '../parse/document.ts'

/** A document: keys of its first level are barclamps, `wants` and `crowbar`. */
export type Document = { readonly [key: string]: Json }

/** A value that an export leaves out, since nobody can know it before a step has run, or since it is secret. */
export interface LeftOut {
  readonly node: string
  /** `deployment/role`. */
  readonly role: string
  /** Dotted. */
  readonly path: string
  readonly because: string
}

export interface ExportedRole {
  /** `deployment/role`. */
  readonly key: string
  readonly name: string
  readonly deployment: string
  readonly barclamp: string
  readonly jig: string
  readonly entry: string | null
  readonly content: string | null
  /** What the step is given, without what is left out; null when that is not known before the node has a machine. */
  readonly document: Document | null
  /** Where a value was said: `deployment.yaml:8:3 deployment`; undefined when nobody said it. */
  place(pointer: Pointer): string | undefined
}

export interface ExportedNode {
  readonly name: string
  readonly fqdn: string
  readonly admin: boolean
  readonly os: string | null
  readonly addresses: { readonly [network: string]: string }
  /** On the network that machines boot from; null when it is on another one only. */
  readonly address: string | null
  readonly tags: readonly string[]
  readonly labels: { readonly [key: string]: string }
  /** In plan order. */
  readonly roles: readonly ExportedRole[]
  /** Barclamp → its attributes on this node, of those whose roles agree on them. */
  readonly attributes: Document
  /** Barclamps whose roles differ on this node; what each is given stands with the role alone. */
  readonly differing: readonly string[]
}

/** A cluster as configuration tools see it. */
export interface Cluster {
  readonly site: string
  readonly domain: string
  readonly nodes: readonly ExportedNode[]
  /** Keys of roles that have steps, in plan order. */
  readonly order: readonly string[]
  readonly leftOut: readonly LeftOut[]
}

/** What a plan says of its nodes, with nothing that is secret or not known yet. */
export function clusterOf(plan: Plan, injected: InjectedSite): Cluster {
  const leftOut: LeftOut[] = []
  const steps = new Map<string, Step[]>()
  for (const step of plan.steps) {
    if (step.kind !== 'role' || step.node === null) continue
    if (step.runsOn === 'discovery') leftOut.push({ node: step.node, role: `${step.deployment}/${step.role}`, path: '', because: 'it runs in the discovery image, before there is a system' })
    else steps.set(step.node, [...(steps.get(step.node) ?? []), step])
  }
  const nodes = Object.entries(plan.nodes).toSorted(([a], [b]) => byCodePoint(a, b)).map(([name, node]): ExportedNode => {
    const roles = (steps.get(name) ?? []).map((step) => exportedRole(step, { plan, injected, leftOut }))
    const { attributes, differing } = agreed(roles)
    return {
      name, fqdn: `${name}.${plan.site.domain}`, admin: node.admin, os: node.os, addresses: node.addresses, address: node.addresses[plan.site.admin.network] ?? null,
      tags: node.tags, labels: node.labels, roles, attributes, differing,
    }
  })
  const order = [...new Set(plan.steps.flatMap((step) => (step.kind === 'role' && step.runsOn !== 'discovery' ? [`${step.deployment}/${step.role}`] : [])))]
  return { site: plan.site.name, domain: plan.site.domain, nodes, order, leftOut }
}

function exportedRole(step: Step, { plan, injected, leftOut }: { readonly plan: Plan; readonly injected: InjectedSite; readonly leftOut: LeftOut[] }): ExportedRole {
  const key = `${step.deployment}/${step.role}`
  const whole = stepDocument(step, plan.values)
  const known = whole === null ? null : without(whole, deferred, (pointer, because) => void leftOut.push({ node: step.node ?? '', role: key, path: pointer.join('.'), because }))
  if (whole === null) leftOut.push({ node: step.node ?? '', role: key, path: '', because: `${step.node} has no machine yet` })
  const nodeRole = injected.nodeRoles.get(step.id)
  return {
    key, name: step.role ?? '', deployment: step.deployment ?? '', barclamp: step.barclamp ?? '', jig: step.jig ?? 'noop', entry: step.entry, content: step.content,
    document: known === undefined || known === null ? null : { ...(known as Document), crowbar: crowbarDocument(step, { plan, ledger: EMPTY_LEDGER }) },
    place(pointer) {
      const voice = nodeRole === undefined ? undefined : provenance(injected, nodeRole, pointer)?.layers.find(({ wins }) => wins)
      return voice === undefined ? undefined : `${placeOf(voice.range)} ${voice.layer}`
    },
  }
}

/** Why a value of a document stays out; undefined when it does not. */
export type Leaves = (value: Json, name: string | undefined) => string | undefined

const deferred: Leaves = (value) => {
  if (!isDeferred(value)) return undefined
  return [...new Set(Object.values(value.deferred.inputs).map((input) => ('secret' in input ? `secret ${input.secret}` : `what ${input.step} reports`)))].join(', ')
}

/** A list that has a value which is left out is left out whole: a shorter one would mean something else. */
export function without(value: Json, leaves: Leaves, leave: (pointer: Pointer, because: string) => void, pointer: Pointer = []): Json | undefined {
  const name = pointer.at(-1)
  const because = leaves(value, typeof name === 'string' ? name : undefined)
  if (because !== undefined) {
    leave(pointer, because)
    return undefined
  }
  if (value === null || typeof value !== 'object') return value
  if (Array.isArray(value)) {
    const items = (value as readonly Json[]).map((item, i) => without(item, leaves, leave, [...pointer, i]))
    return items.includes(undefined) ? undefined : (items as Json[])
  }
  return Object.fromEntries(Object.entries(value).flatMap(([name, child]) => {
    const kept = without(child, leaves, leave, [...pointer, name])
    return kept === undefined ? [] : [[name, kept]]
  }))
}

export function agreed(roles: readonly ExportedRole[]): { readonly attributes: Document; readonly differing: readonly string[] } {
  const attributes: Record<string, Json> = {}
  const differing = new Set<string>()
  for (const { barclamp, document } of roles) {
    const value = document?.[barclamp]
    if (value === undefined) continue
    if (!Object.hasOwn(attributes, barclamp)) attributes[barclamp] = value
    else if (JSON.stringify(attributes[barclamp]) !== JSON.stringify(value)) differing.add(barclamp)
  }
  for (const name of differing) delete attributes[name]
  return { attributes, differing: [...differing].toSorted(byCodePoint) }
}
