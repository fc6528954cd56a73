import { unknown } from './cel/value.ts'
import type { CelValue } from './cel/value.ts'
import { canonical } from './canonical.ts'
import { isDeferred } from './deferred.ts'
import type { Deferred, DeferredInput } from './deferred.ts'
import { AttributeLanguage, isOfType } from './expression.ts'
import type { Json } from './shape.ts'

/** What an input turned out to be. */
export interface ResolvedInput {
  readonly value: Json
  readonly sensitive: boolean
}

/** A deferred value that cannot be worked out although all of its inputs are there. */
export interface DeferredFailure {
  /** JSON pointer (RFC 6901) into the document. */
  readonly pointer: string
  readonly message: string
}

export interface ResolvedDocument {
  /** Without a deferred value, unless something is missing or failed: what could not be resolved stands as it was. */
  readonly document: Json
  /** JSON pointers (RFC 6901) of values that must not be logged; what lies below one is sensitive too. */
  readonly sensitive: readonly string[]
  /** Inputs that `lookup` did not have, once each, in canonical order. */
  readonly missing: readonly DeferredInput[]
  readonly failed: readonly DeferredFailure[]
}

/**
 * Works out the deferred values of a document, with the evaluator that the compiler used.
 *
 * A value is sensitive when it was declared so, or when an input of it is. Its type is the one that it was planned with;
 * nothing is coerced: another type is a failure.
 *
 * @param lookup the value of an input; undefined when it is not there yet.
 */
export function resolveDocument(document: Json, lookup: (input: DeferredInput) => ResolvedInput | undefined): ResolvedDocument {
  const resolution = new Resolution(lookup)
  const { value } = resolution.resolve(document, '')
  const missing = [...resolution.missing.keys()].toSorted().map((key) => resolution.missing.get(key) as DeferredInput)
  return { document: value, sensitive: resolution.sensitive, missing, failed: resolution.failed }
}

/** Every input that a document waits for, those of values inside a deferred value's scope included; once each, in canonical order. */
export function inputsOfDocument(document: Json): readonly DeferredInput[] {
  return resolveDocument(document, () => undefined).missing
}

interface Found {
  readonly value: Json
  /** False: something is missing or failed. */
  readonly known: boolean
  readonly sensitive: boolean
}

class Resolution {
  readonly sensitive: string[] = []
  readonly missing = new Map<string, DeferredInput>()
  readonly failed: DeferredFailure[] = []
  readonly #lookup: (input: DeferredInput) => ResolvedInput | undefined
  readonly #language = new AttributeLanguage()

  constructor(lookup: (input: DeferredInput) => ResolvedInput | undefined) {
    this.#lookup = lookup
  }

  resolve(value: Json, pointer: string): Found {
    if (isDeferred(value)) {
      const found = this.#work(value, pointer)
      if (found.sensitive) this.sensitive.push(pointer)
      return found
    }
    if (value === null || typeof value !== 'object') return { value, known: true, sensitive: false }
    let known = true
    let sensitive = false
    const inner = (item: Json, key: string | number): Json => {
      const found = this.resolve(item, `${pointer}/${String(key).replaceAll('~', '~0').replaceAll('/', '~1')}`)
      known &&= found.known
      sensitive ||= found.sensitive
      return found.value
    }
    if (Array.isArray(value)) {
      const list = value.map((item, i) => inner(item as Json, i))
      return { value: list, known, sensitive }
    }
    const entries = Object.entries(value as { readonly [key: string]: Json }).map(([key, item]) => [key, inner(item, key)] as const)
    return { value: Object.fromEntries(entries), known, sensitive }
  }

  #work(whole: Json & Deferred, pointer: string): Found {
    const { type, expression, inputs, sensitive: declared } = whole.deferred
    const scope = this.#scope(whole, pointer)
    const unresolved: Found = { value: whole, known: false, sensitive: declared || scope.sensitive }
    const { program, errors } = this.#language.compile(expression, Object.keys(inputs))
    if (program === undefined) return this.#fail(unresolved, pointer, errors[0]?.message ?? 'it is no expression')
    const result = this.#language.evaluate(program, scope.bindings)
    if (result.kind === 'unknown') return unresolved
    // What a function says of an argument that it cannot use would say what the argument is.
    if (result.kind === 'error') return scope.known ? this.#fail(unresolved, pointer, unresolved.sensitive ? 'the expression cannot be evaluated; why is not said, because a sensitive value is in it' : result.message) : unresolved
    if (!isOfType(result.value, type)) return this.#fail(unresolved, pointer, `it was to be of type ${type}, and is not`)
    return { value: result.value, known: true, sensitive: unresolved.sensitive }
  }

  /** What the expression reads: what was known, what is deferred itself, and the inputs. What is missing is unknown. */
  #scope({ deferred }: Deferred, pointer: string): { readonly bindings: Readonly<Record<string, CelValue>>; readonly known: boolean; readonly sensitive: boolean } {
    let bindings: CelValue = {}
    let known = true
    let sensitive = false
    for (const [variable, value] of Object.entries(deferred.scope)) {
      const found = this.#inner(value, pointer)
      known &&= found.known
      sensitive ||= found.sensitive
      bindings = put(bindings, [variable], found.value)
    }
    for (const [path, input] of Object.entries(deferred.inputs)) {
      const found = this.#lookup(input)
      if (found === undefined) this.missing.set(canonical(input), input)
      known &&= found !== undefined
      sensitive ||= found?.sensitive ?? false
      bindings = put(bindings, path.split('.'), found === undefined ? unknown(path) : (found.value as CelValue))
    }
    return { bindings: bindings as Readonly<Record<string, CelValue>>, known, sensitive }
  }

  /** A value inside a scope: deferred ones become what they are, or unknown. */
  #inner(value: Json, pointer: string): { readonly value: CelValue; readonly known: boolean; readonly sensitive: boolean } {
    if (isDeferred(value)) {
      const found = this.#work(value, pointer)
      return found.known ? { ...found, value: found.value as CelValue } : { value: unknown(pointer), known: false, sensitive: found.sensitive }
    }
    if (value === null || typeof value !== 'object') return { value: value as CelValue, known: true, sensitive: false }
    const entries = Object.entries(value).map(([key, item]) => [key, this.#inner(item as Json, pointer)] as const)
    const known = entries.every(([, item]) => item.known)
    const sensitive = entries.some(([, item]) => item.sensitive)
    if (Array.isArray(value)) return { value: entries.map(([, item]) => item.value), known, sensitive }
    return { value: Object.fromEntries(entries.map(([key, item]) => [key, item.value])), known, sensitive }
  }

  #fail(unresolved: Found, pointer: string, message: string): Found {
    this.failed.push({ pointer, message })
    return unresolved
  }
}

function put(into: CelValue, path: readonly string[], value: CelValue): CelValue {
  const [key, ...rest] = path
  if (key === undefined) return value
  const object = into as { readonly [key: string]: CelValue }
  return { ...object, [key]: put(object[key] ?? {}, rest, value) }
}
