import { check } from '../../../schemas/cel/check.ts'
import { compile, evaluate } from '../../../schemas/cel/evaluate.ts'
import type { Environment } from '../../../schemas/cel/environment.ts'
import { parseDuration, parseTimestamp } from '../../../schemas/cel/library/time.ts'
import { parse } from '../../../schemas/cel/parse.ts'
import { formatType } from '../../../schemas/cel/type.ts'
import type { CelType } from '../../../schemas/cel/type.ts'
import {
  asDouble,
  double,
  Duration,
  entriesOf,
  isList,
  kindOf,
  MapValue,
  shrink,
  Timestamp,
  TypeValue,
  Uint,
} from '../../../schemas/cel/value.ts'
import type { CelValue } from '../../../schemas/cel/value.ts'

type Fields = Readonly<Record<string, unknown>>

/** A test of the specification, a `cel.expr.conformance.test.SimpleTest` as protobuf JSON. */
export interface ConformanceTest {
  readonly name?: string
  readonly expr: string
  readonly disableCheck?: boolean
  readonly checkOnly?: boolean
  readonly container?: string
  readonly value?: Fields
  readonly evalError?: unknown
  readonly typedResult?: { readonly result?: Fields; readonly deducedType: Fields }
  readonly typeEnv?: readonly {
    readonly name: string
    readonly ident?: { readonly type: Fields }
    readonly function?: { readonly overloads: readonly Fields[] }
  }[]
  readonly bindings?: Readonly<Record<string, { readonly value: Fields }>>
}

const SIMPLE: Readonly<Record<string, CelType>> = {
  BOOL: 'bool',
  INT64: 'int',
  UINT64: 'uint',
  DOUBLE: 'double',
  STRING: 'string',
  BYTES: 'bytes',
}

function readType(type: Fields): CelType {
  const [[kind, inner] = ['dyn', {}]] = Object.entries(type)
  const parts = inner as Fields
  const name = typeof inner === 'string' ? inner : ''
  switch (kind) {
    case 'primitive':
      return SIMPLE[name] ?? 'dyn'
    case 'null':
      return 'null'
    case 'listType':
      return { list: readType(parts['elemType'] as Fields) }
    case 'mapType':
      return { map: [readType(parts['keyType'] as Fields), readType(parts['valueType'] as Fields)] }
    case 'abstractType':
      return { opaque: String(parts['name']), parameters: (parts['parameterTypes'] as Fields[]).map(readType) }
    case 'typeParam':
      return { param: name }
    case 'messageType':
      if (name === 'google.protobuf.Timestamp') return 'timestamp'
      if (name === 'google.protobuf.Duration') return 'duration'
      throw new Error(`no type for message ${name}`)
    default:
      return 'dyn'
  }
}

function readValue(value: Fields): CelValue {
  const [[kind, inner] = ['nullValue', null]] = Object.entries(value)
  const parts = inner as Fields
  switch (kind) {
    case 'nullValue':
      return null
    case 'boolValue':
      return inner as boolean
    case 'int64Value':
      return shrink(BigInt(inner as string))
    case 'uint64Value':
      return new Uint(BigInt(inner as string))
    case 'doubleValue':
      return double(Number(inner))
    case 'stringValue':
      return inner as string
    case 'bytesValue':
      return new Uint8Array(Buffer.from(inner as string, 'base64'))
    case 'typeValue':
      return new TypeValue(inner as string)
    case 'listValue':
      return ((parts['values'] as Fields[] | undefined) ?? []).map(readValue)
    case 'mapValue': {
      const map = new MapValue()
      for (const entry of (parts['entries'] as { key: Fields; value: Fields }[] | undefined) ?? [])
        map.add(readValue(entry.key), readValue(entry.value))
      return map
    }
    case 'objectValue':
      if (String(parts['@type']).endsWith('Duration')) return parseDuration(String(parts['value']))
      if (String(parts['@type']).endsWith('Timestamp')) return parseTimestamp(String(parts['value']))
      throw new Error(`no value for ${String(parts['@type'])}`)
    default:
      throw new Error(`no value for ${kind}`)
  }
}

/** Of the same type and the same content; NaN is NaN, 0.0 is −0.0. */
function same(a: CelValue, b: CelValue): boolean {
  if (kindOf(a) !== kindOf(b)) return false
  const float = asDouble(a)
  if (float !== undefined) return float === asDouble(b) || Number.isNaN(float)
  if (isList(a) && isList(b)) return a.length === b.length && a.every((item, index) => same(item, b[index] ?? null))
  const entries = entriesOf(a)
  if (entries !== undefined) {
    const others = entriesOf(b) ?? []
    return (
      entries.length === others.length &&
      entries.every(([key, item]) => others.some(([otherKey, other]) => same(key, otherKey) && same(item, other)))
    )
  }
  if (a instanceof Uint8Array && b instanceof Uint8Array) return Buffer.compare(a, b) === 0
  if (a instanceof Uint && b instanceof Uint) return a.value === b.value
  if ((a instanceof Timestamp && b instanceof Timestamp) || (a instanceof Duration && b instanceof Duration))
    return a.nanos === b.nanos
  if (a instanceof TypeValue && b instanceof TypeValue) return a.name === b.name
  return a === b
}

function environmentOf(test: ConformanceTest): Environment {
  const variables: Record<string, CelType> = {}
  const functions: Environment['functions'][number][] = []
  for (const declaration of test.typeEnv ?? []) {
    if (declaration.ident !== undefined) variables[declaration.name] = readType(declaration.ident.type)
    for (const overload of declaration.function?.overloads ?? []) {
      const params = (overload['params'] as Fields[]).map(readType)
      functions.push({
        name: declaration.name,
        params,
        result: readType(overload['resultType'] as Fields),
        call: () => null,
      })
    }
  }
  return { variables, functions }
}

/** Runs one test. @returns undefined if it passed, else what was seen instead. */
export function runCase(test: ConformanceTest): string | undefined {
  const environment = environmentOf(test)
  const wantsError = test.evalError !== undefined
  if (test.typedResult !== undefined) {
    const { ast } = parse(test.expr)
    if (ast === undefined) return 'does not parse'
    const found = formatType(check(ast, environment).type)
    const wanted = formatType(readType(test.typedResult.deducedType))
    if (found !== wanted) return `has type ${found}, not ${wanted}`
  }
  const { program, errors } = compile(test.expr, environment, { evaluateUnchecked: test.disableCheck === true })
  if (program === undefined) return wantsError ? undefined : `does not compile: ${errors[0]?.message}`
  if (test.checkOnly === true) return undefined
  const bindings = Object.fromEntries(
    Object.entries(test.bindings ?? {}).map(([name, binding]) => [name, readValue(binding.value)]),
  )
  const result = evaluate(program, bindings)
  if (wantsError) return result.kind === 'error' ? undefined : `should fail, gives ${describe(result)}`
  const expected = test.value ?? test.typedResult?.result
  return result.kind === 'value' && same(result.value, expected === undefined ? true : readValue(expected))
    ? undefined
    : describe(result)
}

function describe(result: unknown): string {
  return JSON.stringify(result, (_key, value: unknown) => (typeof value === 'bigint' ? `${value}n` : value))
}
