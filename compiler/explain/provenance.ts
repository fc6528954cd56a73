import type { BoundRole } from '../bind/bound-site.ts'
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
import type { Subject } from '../inject/subject.ts'
import { providersOf, subjectsOfAttribute } from '../inject/wants.ts'
import { rangeOf } from '../parse/document.ts'
import type { Pointer } from '../parse/document.ts'

/** What one layer says of a value, as it is written there. */
export interface LayerVoice {
  /** `provide`: the role that gives what a want asks for; `want`: the want itself. */
  readonly layer: LayerName | 'provide' | 'want'
  /** The winner's is what stands at `range`; of a list, a layer that lost shows all of its own. */
  readonly value: Json
  readonly range: Range
  /** It is what the value was made from; exactly one layer is. */
  readonly wins: boolean
}

/** Something that an expression read; what it asked for and is not there is none. */
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
  return part === nodeRole.role.role.barclamp.name ? attributeProvenance(injected, nodeRole.subject, path) : undefined
}

function attributeProvenance(injected: InjectedSite, subject: Subject, path: Pointer): Provenance | undefined {
  const at = mergedAt(subject.merged, path)
  if (at === undefined) return undefined
  const layers = voicesOf(injected, subject, { path: path.slice(0, at.depth), found: at.found })
  return { layers, inputs: at.found.kind === 'template' ? inputsOf(injected, subject, at.found.text) : secretInput(injected, at.found) }
}

function voicesOf({ evaluator }: InjectedSite, subject: Subject, { path, found }: { readonly path: Pointer; readonly found: Merged }): readonly LayerVoice[] {
  // An index means another thing in each layer's list: those that lost are shown whole.
  const index = path.findIndex((key) => typeof key === 'number')
  const common = index < 0 ? path : path.slice(0, index)
  const voices: LayerVoice[] = []
  const winner = (): void => {
    const { document, pointer } = placeOfOrigin(found.origin)
    voices.push({ layer: found.origin.layer.name, value: rawAt(found.origin.layer, found.origin.pointer) ?? null, range: rangeOf(document, pointer), wins: true })
  }
  for (const layer of evaluator.stack.layers(subject).toReversed()) {
    if (layer === found.origin.layer) {
      winner()
      continue
    }
    const said = rawAt(layer, common)
    if (said !== undefined) voices.push({ layer: layer.name, value: said, range: rangeOf(layer.document, layer.at(common)), wins: false })
  }
  if (!voices.some((voice) => voice.wins)) winner()
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

function inputsOf(injected: InjectedSite, subject: Subject, text: string): readonly ReadInput[] {
  const { program } = new AttributeLanguage().compile(text)
  if (program === undefined) return []
  const reads = readsOf(program)
  const scope = scopeOf(injected.evaluator, subject, reads)
  return reads.flatMap((read) => {
    let at: Json | undefined = scope
    for (const key of read) {
      if (at === undefined || at === null || typeof at !== 'object' || isDeferred(at)) break
      at = own(at as { readonly [key: string]: Json }, key)
    }
    if (at === undefined) return []
    const deferred = isDeferred(at)
    return [{ path: read.join('.'), value: deferred ? null : at, deferred }]
  })
}

function secretInput({ allocated }: InjectedSite, found: Merged): readonly ReadInput[] {
  return found.kind === 'secret' ? secretRead(allocated, found.path) : []
}

function secretRead({ bound }: InjectedSite['allocated'], secret: string): readonly ReadInput[] {
  const version = bound.resolved.secrets.get(secret)?.version
  return [{ path: `secret ${secret}${version === undefined ? '' : ` ${shownVersion(version)}`}`, value: null, deferred: true }]
}

/** What a want brings was said by whoever provides it; a want that nobody answers, or with a secret, speaks for itself. */
function wantProvenance(injected: InjectedSite, nodeRole: NodeRole, path: Pointer): Provenance | undefined {
  const [name, ...inside] = path
  const { role, subject } = nodeRole
  const want = own(role.role.declaration.wants, String(name))
  if (want === undefined) return undefined
  const { source } = role.role.barclamp.document
  const asks = { layer: 'want', value: want as unknown as Json, range: rangeOf(source, ['roles', role.role.name, 'wants', String(name)]) } as const
  const answer = want.attribute === undefined ? providedProvenance(injected, role, { want, inside }) : wantedAttribute(injected, subject, want.attribute, inside)
  if (answer === undefined) return { layers: [{ ...asks, wins: true }], inputs: want.secret === undefined ? [] : secretRead(injected.allocated, want.secret) }
  return { layers: [...answer.layers, { ...asks, wins: false }], inputs: answer.inputs }
}

function wantedAttribute(injected: InjectedSite, subject: Subject, attribute: string, inside: Pointer): Provenance | undefined {
  const [name, ...path] = attribute.split('.') as [string, ...string[]]
  const barclamp = injected.allocated.bound.resolved.barclamps.get(name)
  if (barclamp === undefined) return undefined
  return attributeProvenance(injected, subjectsOfAttribute(injected.evaluator, subject, barclamp)[0], [...path, ...inside])
}

/** The value of the provide, as the barclamp has it, and what each member that is meant gives. */
function providedProvenance({ allocated, evaluator }: InjectedSite, role: BoundRole, { want, inside }: { readonly want: WantDeclaration; readonly inside: Pointer }): Provenance | undefined {
  const [provider] = providersOf(evaluator, role, want)
  const provide = want.provide ?? ''
  const declared = own(provider?.role.declaration.provides, provide)
  if (provider === undefined || declared === undefined) return undefined
  const { source } = provider.role.barclamp.document
  const pointer = ['roles', provider.role.name, 'provides', provide, ...(declared.value === undefined ? [] : ['value'])]
  const members = want.only === 'founder' ? provider.members.filter((member) => member.node === provider.founder) : want.many === true ? claimedMembers(allocated, provider) : provider.members
  const all = provider.external?.map((external) => ({ name: external, from: { external } })) ?? members.map((member) => ({ name: member.node, from: member }))
  // One member of a list is the only one that its place in it is about.
  const [index] = inside
  const meant = want.many !== true ? all.slice(0, 1) : typeof index === 'number' ? all.slice(index, index + 1) : all
  if (meant.length === 0) return undefined
  const inputs = meant.map(({ name, from }) => {
    const value = evaluator.provide(provider, provide, from)
    const deferred = hasDeferred(value)
    return { path: `${provide} of ${provider.key}@${name}`, value: deferred ? null : value, deferred }
  })
  return { layers: [{ layer: 'provide', value: declared.value ?? (declared as unknown as Json), range: rangeOf(source, pointer), wins: true }], inputs }
}
