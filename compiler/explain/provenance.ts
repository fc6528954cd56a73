import { findRole } from '../bind/find-role.ts'
import type { WantDeclaration } from '../../schemas/documents/barclamp.ts'
import type { Range } from '../../schemas/diagnostic.ts'
import { AttributeLanguage, readsOf } from '../../schemas/expression.ts'
import { isDeferred } from '../../schemas/deferred.ts'
import { shownVersion } from '../../schemas/secret-file.ts'
import { own } from '../../schemas/own.ts'
import type { Json } from '../../schemas/shape.ts'
import type { InjectedSite, NodeRole } from '../inject/injected-site.ts'
import { hasDeferred } from '../inject/deferred-value.ts'
import { placeOfOrigin } from '../inject/layer.ts'
import type { Layer, LayerName } from '../inject/layer.ts'
import { mergedAt } from '../inject/merge.ts'
import type { Merged } from '../inject/merge.ts'
import { claimedMembers, scopeOf } from '../inject/scope.ts'
import { rangeOf } from '../parse/document.ts'
import type { Pointer } from '../parse/document.ts'

/** What one layer says of a value, as it is written there. */
export interface LayerVoice {
  readonly layer: LayerName | 'want'
  readonly value: Json
  readonly range: Range
  /** It is what the value was made from; exactly one layer is. */
  readonly wins: boolean
}

/** Something that an expression read. */
export interface ReadInput {
  /** As an expression names it: `site.name`, `wants.token`. */
  readonly path: string
  /** null when it is not known before a step has run, or a machine has been seen. */
  readonly value: Json
  readonly deferred: boolean
}

/** Where a value comes from. */
export interface Provenance {
  /** The strongest first. */
  readonly layers: readonly LayerVoice[]
  readonly inputs: readonly ReadInput[]
}

/**
 * Where a leaf of a node role's document comes from, worked out anew from the documents.
 *
 * @param pointer keys and list indexes; the first is a part: the barclamp's name, or `wants`.
 * @returns undefined when there is no such value.
 */
export function provenance(injected: InjectedSite, nodeRole: NodeRole, pointer: Pointer): Provenance | undefined {
  const [part, ...path] = pointer
  if (part === 'wants') return wantProvenance(injected, nodeRole, path)
  if (part !== nodeRole.role.role.barclamp.name) return undefined
  const at = mergedAt(nodeRole.subject.merged, path)
  if (at === undefined) return undefined
  const voices = voicesOf(injected, nodeRole, { path, found: at.found })
  return { layers: voices, inputs: at.found.kind === 'template' ? inputsOf(injected, nodeRole, at.found.text) : secretInput(injected, at.found) }
}

function voicesOf({ evaluator }: InjectedSite, { subject }: NodeRole, { path, found }: { readonly path: Pointer; readonly found: Merged }): readonly LayerVoice[] {
  // What is inside a list is compared list by list: an index means another thing in each of them.
  const common = path.slice(0, path.findIndex((key) => typeof key === 'number') < 0 ? undefined : path.findIndex((key) => typeof key === 'number'))
  const winner = found.origin.layer
  const voices: LayerVoice[] = []
  for (const layer of evaluator.stack.layers(subject).toReversed()) {
    const wins = layer === winner
    const said = rawAt(layer, common)
    if (said === undefined && !wins) continue
    const place = wins ? placeOfOrigin(found.origin) : { document: layer.document, pointer: layer.at(common) }
    voices.push({ layer: layer.name, value: said ?? null, range: rangeOf(place.document, place.pointer), wins })
  }
  if (!voices.some((voice) => voice.wins)) {
    const place = placeOfOrigin(found.origin)
    voices.push({ layer: winner.name, value: rawAt(winner, common) ?? null, range: rangeOf(place.document, place.pointer), wins: true })
  }
  return voices
}

function rawAt(layer: Layer, path: Pointer): Json | undefined {
  let at: Json | undefined = layer.value
  for (const key of path) {
    if (at === null || typeof at !== 'object' || !Object.hasOwn(at, key)) return undefined
    at = (at as { readonly [key: string | number]: Json })[key]
  }
  return at
}

function inputsOf(injected: InjectedSite, { subject }: NodeRole, text: string): readonly ReadInput[] {
  const { program } = new AttributeLanguage().compile(text)
  if (program === undefined) return []
  const reads = readsOf(program)
  const scope = scopeOf(injected.evaluator, subject, reads)
  return reads.map((read) => {
    let at: Json | undefined = scope
    for (const key of read) {
      if (at === undefined || at === null || typeof at !== 'object' || isDeferred(at)) break
      at = (at as { readonly [key: string]: Json })[key]
    }
    const deferred = at !== undefined && isDeferred(at)
    return { path: read.join('.'), value: deferred ? null : (at ?? null), deferred }
  })
}

function secretInput({ allocated }: InjectedSite, found: Merged): readonly ReadInput[] {
  if (found.kind !== 'secret') return []
  const version = allocated.bound.resolved.secrets.get(found.path)?.version
  return [{ path: `secret ${found.path}${version === undefined ? '' : ` ${shownVersion(version)}`}`, value: null, deferred: true }]
}

function wantProvenance(injected: InjectedSite, nodeRole: NodeRole, path: Pointer): Provenance | undefined {
  const [name] = path
  const { role } = nodeRole
  const want = own(role.role.declaration.wants, String(name))
  if (want === undefined) return undefined
  const { source } = role.role.barclamp.document
  const pointer = ['roles', role.role.name, 'wants', String(name)]
  return { layers: [{ layer: 'want', value: want as unknown as Json, range: rangeOf(source, pointer), wins: true }], inputs: providedBy(injected, nodeRole, want) }
}

/** Who provides what a want brings, each with the value; nothing for secrets and attributes, which the want names itself. */
function providedBy({ allocated, evaluator }: InjectedSite, { role }: NodeRole, want: WantDeclaration): readonly ReadInput[] {
  const { from, provide } = want
  if (from === undefined || provide === undefined) return []
  const [found] = findRole(allocated.bound, { role: from, deployment: role.deployment, only: want.deployment, node: null }).found
  if (found === undefined) return []
  const members = want.only === 'founder' ? found.members.filter((member) => member.node === found.founder) : want.many === true ? claimedMembers(allocated, found) : found.members
  return members.map((member) => {
    const value = evaluator.provide(found, provide, member)
    const deferred = hasDeferred(value)
    return { path: `${provide} of ${found.key}@${member.node}`, value: deferred ? null : value, deferred }
  })
}
