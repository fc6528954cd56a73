import { digest } from './canonical.ts'
import { isDeferred } from './deferred.ts'
import type { Ledger, LedgerEntry, LedgerNode } from './ledger.ts'
import type { Step } from './plan.ts'
import type { Renames } from './renames.ts'
import type { Json } from './shape.ts'
import { stepDigest } from './step-digest.ts'
import { stepParts } from './step-values.ts'
import { toldOf, toldToPart } from './told.ts'

type Nodes = Pick<Ledger, 'nodes' | 'values'>

/**
 * The nodes and values of a ledger with some nodes under other names: as if each step had run on a node of the new name,
 * with the same document. Steps of all nodes that need a step of a renamed one, read what it provides, or list it among
 * the nodes of an operation say so under its new name. What a document says of itself stays as it was, names too: what
 * mentions the old name comes to differ from the plan, and nothing else does.
 */
export function renameLedger({ nodes, values }: Nodes, renames: Renames): Nodes {
  if (renames.size === 0) return { nodes, values }
  const renamer = new Renamer({ nodes, values }, renames)
  const named = Object.values(nodes).map((node) => {
    const after = renamer.node(node)
    return [after.node, after] as const
  })
  return { nodes: Object.fromEntries(named), values: { ...values, ...renamer.made } }
}

/** The id of a step, with the node's new name. */
export function renamedId(id: string, renames: Renames): string {
  const at = id.lastIndexOf('@')
  if (at < 0) return id
  const [name = '', ...action] = id.slice(at + 1).split('#')
  const to = renames.get(name)
  return to === undefined ? id : [`${id.slice(0, at + 1)}${to}`, ...action].join('#')
}

class Renamer {
  /** Values that the ledger does not have under their new digests. */
  readonly made: { [digest: string]: Json } = {}
  /** All values, those that were made among them. */
  readonly #values: { [digest: string]: Json }
  readonly #renames: Renames
  /** Old digest → new digest, of parts and of documents. */
  readonly #digests = new Map<string, string>()

  /** What steps report, by their old ids and by their new ones. */
  readonly #before = new Map<string, LedgerEntry>()
  readonly #after = new Map<string, LedgerEntry>()

  constructor({ nodes, values }: Nodes, renames: Renames) {
    this.#values = { ...values }
    this.#renames = renames
    for (const { steps } of Object.values(nodes)) {
      for (const [id, entry] of Object.entries(steps)) {
        this.#before.set(id, entry)
        this.#after.set(renamedId(id, renames), entry)
      }
    }
  }

  node(node: LedgerNode): LedgerNode {
    const name = this.#renames.get(node.node)
    const steps = Object.entries(node.steps).map(([id, entry]) => [renamedId(id, this.#renames), this.#entry(entry)] as const)
    if (name === undefined && steps.every(([id, entry]) => node.steps[id] === entry)) return node
    const after = Object.fromEntries(steps)
    const attempted = Object.entries(node.attempted).map(([before, key]) => {
      const id = renamedId(before, this.#renames)
      // The same version that succeeded before stays that.
      return [id, key === node.steps[before]?.step.digest ? (after[id]?.step.digest ?? key) : key] as const
    })
    const erased = node.erased === undefined ? {} : { erased: { ...node.erased, step: renamedId(node.erased.step, this.#renames) } }
    return { ...node, node: name ?? node.node, ...erased, attempted: Object.fromEntries(attempted), steps: after }
  }

  #entry(entry: LedgerEntry): LedgerEntry {
    const { step } = entry
    const id = renamedId(step.id, this.#renames)
    const attributes = this.#document(step)
    const needs = step.needs.some((need) => renamedId(need.step, this.#renames) !== need.step) ? step.needs.map((need) => ({ ...need, step: renamedId(need.step, this.#renames) })) : step.needs
    if (id === step.id && attributes === step.attributes && needs === step.needs) return entry
    const after: Step = { ...step, id, node: step.node === null ? null : (this.#renames.get(step.node) ?? step.node), attributes, needs }
    // A digest that was made in another way stays another one.
    const fresh = step.digest === stepDigest(step) ? stepDigest(after) : step.digest
    const same = (of: string): string => (of === step.digest ? fresh : of)
    const told = entry.told === undefined || attributes === step.attributes ? {} : { told: this.#told(entry.told, step, after) }
    return { ...entry, digest: same(entry.digest), inputs: same(entry.inputs), ...told, step: { ...after, digest: fresh } }
  }

  /** What was told from steps of the old names, as it would be from the same steps of the new ones. Where something else has been reported since, it stays another digest. */
  #told(told: string, before: Step, after: Step): string {
    const of = (step: Step, reported: ReadonlyMap<string, LedgerEntry>): string | null => {
      return toldOf(Object.fromEntries(Object.entries(stepParts(step, this.#values) ?? {}).map(([part, key]) => [part, toldToPart(this.#values[key] ?? null, (id) => reported.get(id))])))
    }
    return of(before, this.#before) === told ? (of(after, this.#after) ?? told) : told
  }

  #document(step: Step): string | null {
    const parts = stepParts(step, this.#values)
    if (parts === null || step.attributes === null) return step.attributes
    const known = this.#digests.get(step.attributes)
    if (known !== undefined) return known
    const after = Object.fromEntries(Object.entries(parts).map(([part, key]) => [part, this.#part(key, step.kind === 'operation' ? part : null)]))
    const fresh = Object.entries(parts).every(([part, key]) => after[part] === key) ? step.attributes : this.#keep({ parts: after })
    this.#digests.set(step.attributes, fresh)
    return fresh
  }

  /** @param operation the part's name, of an operation's document. */
  #part(key: string, operation: string | null): string {
    const place = `${operation ?? ''} ${key}`
    const known = this.#digests.get(place)
    if (known !== undefined) return known
    const value = this.#values[key]
    const after = value === undefined ? undefined : operation === 'members' ? this.#members(value) : operation === 'operation' ? this.#steps(value) : this.#inputs(value)
    const fresh = after === undefined || after === value ? key : this.#keep(after)
    this.#digests.set(place, fresh)
    return fresh
  }

  #members(value: Json): Json {
    return Array.isArray(value) ? value.map((name: Json) => (typeof name === 'string' ? (this.#renames.get(name) ?? name) : name)) : value
  }

  /** Role steps of an operation. */
  #steps(value: Json): Json {
    const { roles, ...rest } = value as { readonly roles?: readonly { readonly [key: string]: Json }[]; readonly [key: string]: Json | undefined }
    if (roles === undefined) return value
    return { ...rest, roles: roles.map((role) => (typeof role['step'] === 'string' ? { ...role, step: renamedId(role['step'], this.#renames) } : role)) } as Json
  }

  /** The same value when no deferred value in it reads from a renamed node. */
  #inputs(value: Json): Json {
    if (value === null || typeof value !== 'object') return value
    if (Array.isArray(value)) {
      const after = value.map((one: Json) => this.#inputs(one))
      return after.every((one, index) => one === value[index]) ? value : after
    }
    if (isDeferred(value)) {
      const scope = this.#inputs(value.deferred.scope)
      const inputs = Object.entries(value.deferred.inputs).map(([path, input]) => [path, 'step' in input ? { ...input, step: renamedId(input.step, this.#renames) } : input] as const)
      const changed = inputs.some(([path, input]) => 'step' in input && JSON.stringify(input) !== JSON.stringify(value.deferred.inputs[path]))
      return changed || scope !== value.deferred.scope ? ({ deferred: { ...value.deferred, scope, inputs: Object.fromEntries(inputs) } } as unknown as Json) : value
    }
    const after = Object.entries(value).map(([key, one]) => [key, this.#inputs(one)] as const)
    return after.every(([key, one]) => one === (value as { readonly [key: string]: Json })[key]) ? value : Object.fromEntries(after)
  }

  #keep(value: Json): string {
    const key = digest(value)
    this.made[key] = value
    this.#values[key] = value
    return key
  }
}
