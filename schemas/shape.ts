/** A JSON Schema (2020-12) fragment, as plain data. */
export type JsonSchema = Readonly<Record<string, unknown>>

/** Any JSON value. Objects are plain; `undefined` never occurs. */
export type Json = null | boolean | number | string | readonly Json[] | { readonly [key: string]: Json }

/**
 * One definition from which both halves of the contract follow: `json` validates at run time, `T` checks at compile
 * time. They cannot drift apart, because neither is written twice.
 */
export interface Shape<T> {
  readonly json: JsonSchema
  /** Never present at run time; carries the type. */
  readonly type?: T
}

/** A property that may be absent. Absent and `null` are different things; `null` needs a shape of its own. */
export interface OptionalShape<T> extends Shape<T> {
  readonly optional: true
}

/** The TypeScript type of a shape. */
export type TypeOf<S> = S extends Shape<infer T> ? T : never

type Fields = Readonly<Record<string, Shape<unknown>>>
type OptionalKeys<F> = { [K in keyof F]: F[K] extends OptionalShape<unknown> ? K : never }[keyof F]
type ObjectOf<F extends Fields> = { readonly [K in Exclude<keyof F, OptionalKeys<F>>]: TypeOf<F[K]> } & {
  readonly [K in OptionalKeys<F>]?: TypeOf<F[K]>
}
type Flat<T> = { readonly [K in keyof T]: T[K] }

/** A closed object: a key that is not listed is an error (with did-you-mean, since the listed keys are known). */
export function object<F extends Fields>(fields: F, description?: string): Shape<Flat<ObjectOf<F>>> {
  const properties: Record<string, JsonSchema> = {}
  const required: string[] = []
  for (const [key, shape] of Object.entries(fields)) {
    properties[key] = shape.json
    if (!('optional' in shape)) required.push(key)
  }
  return { json: described({ type: 'object', properties, required, additionalProperties: false }, description) }
}

/** Marks a property as one that may be absent. */
export function optional<T>(shape: Shape<T>): OptionalShape<T> {
  return { json: shape.json, optional: true }
}

/** A map from names to values of one shape. `names` is a regular expression that every key must match. */
export function map<T>(value: Shape<T>, names?: string, description?: string): Shape<{ readonly [key: string]: T }> {
  const json: Record<string, unknown> = { type: 'object', additionalProperties: value.json }
  if (names !== undefined) json['propertyNames'] = { pattern: names }
  return { json: described(json, description) }
}

/** A list; `min` entries at least. */
export function list<T>(item: Shape<T>, options: { readonly min?: number } = {}, description?: string): Shape<readonly T[]> {
  const json: Record<string, unknown> = { type: 'array', items: item.json }
  if (options.min !== undefined) json['minItems'] = options.min
  return { json: described(json, description) }
}

/** A string; `pattern` is ECMAScript, anchored by its author, and must not backtrack badly. */
export function string(options: { readonly pattern?: string; readonly min?: number } = {}, description?: string): Shape<string> {
  const json: Record<string, unknown> = { type: 'string' }
  if (options.pattern !== undefined) json['pattern'] = options.pattern
  if (options.min !== undefined) json['minLength'] = options.min
  return { json: described(json, description) }
}

/** A whole number within inclusive bounds. */
export function integer(options: { readonly min?: number; readonly max?: number } = {}, description?: string): Shape<number> {
  const json: Record<string, unknown> = { type: 'integer' }
  if (options.min !== undefined) json['minimum'] = options.min
  if (options.max !== undefined) json['maximum'] = options.max
  return { json: described(json, description) }
}

export function boolean(description?: string): Shape<boolean> {
  return { json: described({ type: 'boolean' }, description) }
}

/** Exactly one of these words. */
export function oneOf<const W extends readonly (string | number | boolean | null)[]>(words: W, description?: string): Shape<W[number]> {
  return { json: described({ enum: words }, description) }
}

/** Exactly this value; `kind: site` and the like. */
export function literal<const V extends string | number | boolean | null>(value: V): Shape<V> {
  return { json: { const: value } }
}

/** Any of several shapes. Keep the alternatives distinct in JSON type or in one required key. */
export function either<S extends readonly Shape<unknown>[]>(shapes: S, description?: string): Shape<TypeOf<S[number]>> {
  return { json: described({ anyOf: shapes.map((shape) => shape.json) }, description) }
}

/** A value or `null`. */
export function nullable<T>(shape: Shape<T>): Shape<T | null> {
  return { json: { anyOf: [shape.json, { type: 'null' }] } }
}

/** Any JSON value: an author's own data, or a document checked elsewhere. */
export function anything(description?: string): Shape<Json> {
  return { json: described({}, description) }
}

/** Any JSON object. */
export function anyObject(description?: string): Shape<{ readonly [key: string]: Json }> {
  return { json: described({ type: 'object' }, description) }
}

function described(json: Record<string, unknown>, description: string | undefined): JsonSchema {
  return description === undefined ? json : { ...json, description }
}
