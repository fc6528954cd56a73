import { AttributeLanguage, isOfType, readsOf } from '../../schemas/expression.ts'
import type { Bindings } from '../../schemas/expression.ts'
import { isDeferred } from '../../schemas/deferred.ts'
import { suggest } from '../../schemas/cel/suggest.ts'
import type { Range, Report } from '../../schemas/diagnostic.ts'
import type { Json } from '../../schemas/shape.ts'
import { own } from '../../schemas/own.ts'
import type { AllocatedSite } from '../allocate/allocated-site.ts'
import type { BoundMember, BoundNode, BoundRole } from '../bind/bound-site.ts'
import { oncePerPlace } from '../bind/once-per-place.ts'
import { error } from '../diagnostics/diagnostic.ts'
import { expressionInvalid, failureAdvice, sentence } from '../diagnostics/expression-problem.ts'
import { rangeInside, rangeOf } from '../parse/document.ts'
import type { ResolvedBarclamp, ResolvedDeployment } from '../resolve/resolved-site.ts'
import { adviceFor, adviceForRead } from './advice.ts'
import { cycleOf } from './cycle.ts'
import type { Link } from './cycle.ts'
import { defer } from './defer.ts'
import { asBinding, deferredInput, FAILED, hasDeferred } from './deferred-value.ts'
import type { Evaluation } from './evaluation.ts'
import { layerAt, placeOfOrigin } from './layer.ts'
import { mergedAt, unmerged } from './merge.ts'
import type { Merged } from './merge.ts'
import { findNameServers } from './name-servers.ts'
import { scopeOf } from './scope.ts'
import { generatedSecrets, secretWithoutValue } from './secret.ts'
import type { GeneratedSecret, SecretUse } from './secret.ts'
import type { LayerStack, StackQuestion } from './stack.ts'
import type { Subject } from './subject.ts'
import { answerWant } from './wants.ts'

const RUNNING = Symbol('running')
/** Values that hang on each other one behind the other, and lists and maps around them, at most. */
const MAX_DEPTH = 300

/** Works out attributes, wants and provides when they are asked for, each once. Owned by one run of inject. */
export class Evaluator implements Evaluation {
  readonly allocated: AllocatedSite
  readonly report: Report
  readonly stack: LayerStack
  readonly #language = new AttributeLanguage()
  /** By barclamp, by role or deployment, by node or address. */
  readonly #subjects = new Map<ResolvedBarclamp, Map<BoundRole | ResolvedDeployment | null, Map<BoundNode | string | null, Subject>>>()
  readonly #values = new Map<Subject, Map<Merged, Json | typeof RUNNING>>()
  readonly #wants = new Map<Subject, Map<string, Json | typeof RUNNING>>()
  /** By role, by name, by node or address. */
  readonly #provides = new Map<BoundRole, Map<string, Map<BoundNode | string | null, Json>>>()
  readonly #declared = new Map<string, Merged>()
  readonly #failed = new WeakSet<Subject>()
  readonly #reportOnce: Report
  #nameServers: readonly string[] | undefined
  #generated: ReadonlyMap<string, GeneratedSecret> | undefined
  /** Values and wants that are being worked out, the outermost first. */
  readonly #running: Link[] = []

  constructor(allocated: AllocatedSite, stack: LayerStack, report: Report) {
    this.allocated = allocated
    this.stack = stack
    this.report = report
    this.#reportOnce = oncePerPlace(report)
  }

  subject(question: StackQuestion, external?: string): Subject {
    const { barclamp, node, deployment, role } = question
    const known = mapIn(mapIn(this.#subjects, barclamp), role ?? deployment)
    const who = node ?? external ?? null
    let subject = known.get(who)
    if (subject === undefined) {
      subject = { barclamp, node, deployment, role, external: external ?? null, merged: this.stack.merged(question) }
      known.set(who, subject)
    }
    return subject
  }

  /** Whether some value of a subject could not be worked out, so that its document says nothing. */
  isFailed(subject: Subject): boolean {
    return this.#failed.has(subject)
  }

  attribute(subject: Subject, path: readonly string[]): Json | undefined {
    const at = mergedAt(subject.merged, path)
    if (at === undefined) return undefined
    let value: Json | undefined = this.value(subject, at.found)
    for (const key of path.slice(at.depth)) {
      // What is deferred cannot be looked into: whoever reads it waits for all of it.
      if (isDeferred(value)) return value
      if (value === null || typeof value !== 'object' || Array.isArray(value) || !Object.hasOwn(value, key)) return undefined
      value = (value as { readonly [key: string]: Json })[key] as Json
    }
    return value
  }

  value(subject: Subject, merged: Merged): Json {
    if (merged.plain !== undefined) return merged.plain
    const known = mapIn(this.#values, subject)
    const value = known.get(merged)
    if (value === RUNNING) return this.#cycle((link) => link.subject === subject && link.merged === merged)
    if (value !== undefined) return value
    known.set(merged, RUNNING)
    this.#running.push({ subject, merged })
    const worked = this.#running.length > MAX_DEPTH ? this.#tooDeep(subject, merged) : this.#work(subject, merged)
    this.#running.pop()
    known.set(merged, worked)
    return worked
  }

  want(subject: Subject, name: string): Json | undefined {
    const { role, deployment } = subject
    const want = own(role?.role.declaration.wants, name)
    if (role === null || deployment === null || want === undefined) return undefined
    const known = mapIn(this.#wants, subject)
    const value = known.get(name)
    if (value === RUNNING) return this.#cycle((link) => link.subject === subject && link.want === name)
    if (value !== undefined) return value
    known.set(name, RUNNING)
    const range = rangeOf(role.role.barclamp.document.source, ['roles', role.role.name, 'wants', name])
    this.#running.push({ subject, want: name })
    const answer = answerWant(this, { subject, role, deployment, name, want, range })
    this.#running.pop()
    known.set(name, answer)
    return answer
  }

  provide(role: BoundRole, name: string, from: BoundMember | { readonly external: string }): Json {
    const external = 'external' in from ? from.external : undefined
    const node = 'external' in from ? null : (this.allocated.bound.nodes.get(from.node) ?? null)
    const known = mapIn(mapIn(this.#provides, role), name)
    const who = external ?? node
    let value = known.get(who)
    if (value === undefined) {
      value = this.#provide(role, name, { node, external })
      known.set(who, value)
    }
    return value
  }

  #provide(role: BoundRole, name: string, { node, external }: { readonly node: Subject['node']; readonly external: string | undefined }): Json {
    const declaration = own(role.role.declaration.provides, name)
    const { source } = role.role.barclamp.document
    const pointer = ['roles', role.role.name, 'provides', name]
    if (declaration === undefined) return null
    if (declaration.value === undefined) {
      if (node !== null) {
        const owner = this.allocated.bound.owners.get(`${role.role.name}@${node.name}`) ?? role.deployment
        return deferredInput('value', { step: `${owner}/${role.role.name}@${node.name}`, provide: name }, { type: declaration.type, sensitive: declaration.sensitive ?? false })
      }
      this.report(error('WANT_UNMET', rangeOf(source, pointer), `${role.key} is external, and ${name} is known only once a step of ours has run.`, { fix: 'Give the provide a `value`.' }))
      return FAILED
    }
    const barclamp = role.role.barclamp
    const deployment = this.allocated.bound.resolved.deployments.get(role.deployment) as ResolvedDeployment
    const subject = this.subject({ barclamp, node, deployment, role }, external)
    const declared = this.#declaredValue(role, name, declaration.value)
    const value = this.value(subject, declared)
    const fits = isDeferred(value) ? value.deferred.type === 'any' || declaration.type === 'any' || value.deferred.type === declaration.type || (declaration.type === 'number' && value.deferred.type === 'integer') : hasDeferred(value) || isOfType(value, declaration.type)
    if (!fits && !this.isFailed(subject)) {
      const is = isDeferred(value) ? `is of type ${value.deferred.type}` : `is ${JSON.stringify(value)}`
      this.report(error('WANT_TYPE', rangeOf(source, [...pointer, 'value']), `${name} of ${role.role.name} is declared as ${declaration.type}, and its value ${is}.`, { fix: `Declare another \`type\`, or give it a value that is of type ${declaration.type}.` }))
    }
    return value
  }

  #declaredValue(role: BoundRole, name: string, value: Json): Merged {
    const key = `${role.role.name} ${name}`
    let merged = this.#declared.get(key)
    if (merged === undefined) {
      const layer = layerAt('default', value, { document: role.role.barclamp.document.source, prefix: ['roles', role.role.name, 'provides', name, 'value'] })
      merged = unmerged(value, { layer, pointer: [] }, this.report)
      this.#declared.set(key, merged)
    }
    return merged
  }

  nameServers(): readonly string[] {
    if (this.#nameServers === undefined) {
      this.#nameServers = []
      this.#nameServers = findNameServers(this)
    }
    return this.#nameServers
  }

  secret(path: string, { as, range, optional = false }: SecretUse): Json {
    const { bound } = this.allocated
    const known = bound.resolved.secrets.get(path)
    if (known !== undefined) return deferredInput(as, { secret: path, version: known.version }, { type: 'string', sensitive: true })
    if (optional) return null
    this.#generated ??= generatedSecrets(bound, () => {})
    this.#reportOnce(secretWithoutValue(path, { bound, generated: this.#generated, range }))
    return FAILED
  }

  #work(subject: Subject, merged: Merged): Json {
    switch (merged.kind) {
      case 'map':
        return Object.fromEntries([...merged.entries].map(([key, entry]) => [key, this.value(subject, entry)]))
      case 'list':
        return merged.items.map((item) => this.value(subject, item))
      case 'scalar':
        return merged.plain ?? null
      case 'secret': {
        const { document, pointer } = placeOfOrigin(merged.origin)
        return this.secret(merged.path, { as: 'value', range: rangeOf(document, pointer) })
      }
      case 'template':
        return this.#template(subject, merged)
    }
  }

  #template(subject: Subject, merged: Extract<Merged, { readonly kind: 'template' }>): Json {
    const { program, errors } = this.#language.compile(merged.text)
    if (program === undefined) {
      for (const found of errors) this.#invalid(subject, merged, found, adviceForRead(this, merged.text.slice(found.offset)))
      return FAILED
    }
    const scope = scopeOf(this, subject, readsOf(program))
    const waiting: Bindings = Object.fromEntries(Object.entries(scope).map(([name, value]) => [name, asBinding(value, () => name)]))
    const result = this.#language.evaluate(program, waiting)
    if (result.kind === 'value') return result.value
    if (result.kind === 'unknown') return defer(program, scope)
    const stranger = strangeWant(subject, merged.text, program.reads)
    if (stranger === undefined) this.#unevaluable(subject, merged, result, adviceFor(this, subject, program))
    else this.#invalid(subject, merged, stranger, `Add it to \`wants\` of ${subject.role?.role.name ?? 'a role'}.`)
    return FAILED
  }

  #invalid(subject: Subject, merged: Merged, found: Mistake, fix: string | undefined): void {
    this.#fail(subject)
    this.#reportOnce(expressionInvalid(found, rangeOfMistake(merged, found), { fix }))
  }

  #unevaluable(subject: Subject, merged: Merged, found: Mistake, advice: string | undefined): void {
    this.#fail(subject)
    const { role, node } = subject
    const who = role === null ? '' : ` (for ${role.key}${node === null ? '' : ` on ${node.name}`})`
    const fix = found.suggestion === undefined ? (advice ?? failureAdvice(found.message)) : `Did you mean ${found.suggestion}?`
    this.#reportOnce(error('EXPRESSION_FAILED', rangeOfMistake(merged, found), `${sentence(found.message)}${who}.`, { fix }))
  }

  #cycle(begins: (link: Link) => boolean): Json {
    const links = this.#running.slice(this.#running.findLastIndex(begins))
    for (const { subject } of links) this.#fail(subject)
    this.#reportOnce(cycleOf(links))
    return FAILED
  }

  #tooDeep(subject: Subject, merged: Merged): Json {
    // The rest of the chain is too deep as well: once is enough for whoever has it.
    if (this.isFailed(subject)) return FAILED
    this.#fail(subject)
    const { document, pointer } = placeOfOrigin(merged.origin)
    this.#reportOnce(error('EXPRESSION_FAILED', rangeOf(document, pointer), `More than ${MAX_DEPTH} values hang on this one, one behind the other.`, { fix: 'Let some of them read what the others are made from.' }))
    return FAILED
  }

  #fail(subject: Subject): void {
    this.#failed.add(subject)
  }
}

/** The map at a key of a map of maps; an empty one is put there when there is none. Keys are objects: to make a text of three names costs more than the rest. */
function mapIn<K, Inner, V>(maps: Map<K, Map<Inner, V>>, key: K): Map<Inner, V> {
  let map = maps.get(key)
  if (map === undefined) maps.set(key, (map = new Map()))
  return map
}

interface Mistake {
  readonly message: string
  readonly offset: number
  readonly length: number
  readonly suggestion?: string
}

function rangeOfMistake({ origin }: Merged, { offset, length }: Mistake): Range {
  const { document, pointer } = placeOfOrigin(origin)
  return rangeInside(document, pointer, offset, offset + length)
}

/** The want that an expression reads and the role does not have: what was probably the mistake when the expression fails. */
function strangeWant({ role }: Subject, text: string, reads: readonly (readonly string[])[]) {
  const wants = role?.role.declaration.wants ?? {}
  const name = reads.find(([variable, want]) => variable === 'wants' && want !== undefined && own(wants, want) === undefined)?.[1]
  if (name === undefined) return undefined
  const suggestion = suggest(name, Object.keys(wants))
  const message = `${role === null ? 'what belongs to no role' : `the role ${role.role.name}`} wants nothing called ${name}`
  return { message, offset: Math.max(0, text.indexOf('wants')), length: 'wants'.length, ...(suggestion === undefined ? {} : { suggestion }) }
}
