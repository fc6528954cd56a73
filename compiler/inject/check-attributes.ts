import { isDeferred } from '../../schemas/deferred.ts'
import type { ValueType } from '../../schemas/documents/barclamp.ts'
import { suggest } from '../../schemas/cel/suggest.ts'
import type { Json } from '../../schemas/shape.ts'
import { error } from '../diagnostics/diagnostic.ts'
import { rangeOf } from '../parse/document.ts'
import type { Pointer } from '../parse/document.ts'
import { hasDeferred } from './deferred-value.ts'
import { describeProblem } from './attribute-problem.ts'
import type { Evaluator } from './evaluator.ts'
import { placeOfOrigin } from './layer.ts'
import { mergedAt } from './merge.ts'
import { pointerOf } from './pointer-of.ts'
import type { AttributeSchema } from './schema.ts'
import type { Subject } from './subject.ts'

const checked = new WeakMap<AttributeSchema, WeakSet<object>>()

/** Checks a document against the schema of its barclamp. What is deferred is checked by its type. */
export function checkAttributes(evaluator: Evaluator, subject: Subject, document: Json): void {
  const schema = evaluator.stack.schema(subject.barclamp)
  const known = checked.get(schema) ?? new WeakSet()
  checked.set(schema, known)
  // Only what nothing had to be evaluated for is the same for many nodes.
  if (document !== null && typeof document === 'object' && subject.merged.plain !== undefined) {
    if (known.has(document)) return
    known.add(document)
  }
  const deferred: DeferredPlace[] = []
  const sample = hasDeferred(document) ? withSamples(document, [], deferred) : document
  for (const { pointer, type } of deferred) {
    const declared = schema.typeAt(pointer)
    if (type === 'any' || declared === undefined || declared === type || (declared === 'number' && type === 'integer')) continue
    evaluator.report(error('ATTRIBUTE_INVALID', rangeOfAttribute(subject, pointer, 'value'), `${nameOf(subject, pointer)} has to be of type ${declared}, and what it hangs on is of type ${type}.`, { fix: `Let it hang on something of type ${declared}, or convert it in the expression.` }))
  }
  for (const problem of schema.check(sample)) {
    // What is wrong with the name comes by itself.
    if (problem.keyword === 'propertyNames') continue
    const at = pointerOf(problem.instancePath, document)
    // An alternative, or the document around a value that is not known yet, cannot be judged before it is.
    if (deferred.some(({ pointer }) => startsWith(at, pointer) || (COMBINING.has(problem.keyword) && startsWith(pointer, at)))) continue
    const related = [{ message: 'the schema of its barclamp', range: rangeOf(subject.barclamp.document.source, ['attributes'], 'key') }]
    if (problem.propertyName !== undefined) {
      const { summary, fix } = describeProblem(problem, problem.propertyName)
      evaluator.report(error('ATTRIBUTE_INVALID', rangeOfAttribute(subject, [...at, problem.propertyName], 'key'), `A name in ${nameOf(subject, at)} ${summary}.`, { fix, related }))
      continue
    }
    const extra = (problem.params as { readonly additionalProperty?: string }).additionalProperty
    const pointer = extra === undefined ? at : [...at, extra]
    const near = extra === undefined ? undefined : suggest(extra, Object.keys((problem.parentSchema as { readonly properties?: object } | undefined)?.properties ?? subject.barclamp.document.value.attributes?.['properties'] ?? {}))
    const { summary, fix } = extra === undefined
      ? describeProblem(problem, valueAt(document, at))
      : { summary: `has no attribute ${extra}`, fix: near === undefined ? `Take it away, or describe it in the schema of ${subject.barclamp.name}.` : `Did you mean ${near}?` }
    evaluator.report(error('ATTRIBUTE_INVALID', rangeOfAttribute(subject, pointer, extra === undefined ? 'value' : 'key'), `${nameOf(subject, at)} ${summary}.`, { fix, related }))
  }
}

interface DeferredPlace {
  readonly pointer: Pointer
  readonly type: ValueType
}

const COMBINING: ReadonlySet<string> = new Set(['anyOf', 'oneOf', 'allOf', 'not', 'if', 'uniqueItems', 'contains', 'const', 'enum', 'dependentSchemas'])
const SAMPLES: Readonly<Record<ValueType, Json>> = { string: '', integer: 0, number: 0, boolean: false, list: [], map: {}, any: null }

function withSamples(value: Json, pointer: Pointer, found: DeferredPlace[]): Json {
  if (!hasDeferred(value)) return value
  if (isDeferred(value)) {
    found.push({ pointer, type: value.deferred.type })
    return SAMPLES[value.deferred.type]
  }
  if (Array.isArray(value)) return value.map((item, i) => withSamples(item as Json, [...pointer, i], found))
  return Object.fromEntries(Object.entries(value as { readonly [key: string]: Json }).map(([key, item]) => [key, withSamples(item, [...pointer, key], found)]))
}

function valueAt(document: Json, pointer: Pointer): Json {
  return pointer.reduce<Json>((at, key) => (at as { readonly [key: string | number]: Json })[key] as Json, document)
}

function startsWith(pointer: Pointer, prefix: Pointer): boolean {
  return prefix.length <= pointer.length && prefix.every((key, i) => pointer[i] === key)
}

function nameOf(subject: Subject, pointer: Pointer): string {
  return [subject.barclamp.name, ...pointer].join('.')
}

/** Where the layer that set a value says it; of what nobody set, the nearest thing around it. */
export function rangeOfAttribute(subject: Subject, pointer: Pointer, what: 'key' | 'value') {
  for (let length = pointer.length; length > 0; length--) {
    const at = mergedAt(subject.merged, pointer.slice(0, length))
    if (at === undefined) continue
    const { document, pointer: place } = placeOfOrigin(at.found.origin)
    return rangeOf(document, [...place, ...pointer.slice(at.depth, length)], what)
  }
  return subject.role === null ? rangeOf(subject.barclamp.document.source, ['attributes']) : roleRange(subject)
}

function roleRange({ role, deployment, barclamp }: Subject) {
  return deployment === null || role === null ? rangeOf(barclamp.document.source, ['attributes']) : rangeOf(deployment.document.source, ['roles', role.role.name], 'key')
}
