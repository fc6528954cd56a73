import { CONVERSIONS } from './convert.ts'
import { ENCODERS } from './encoders.ts'
import { FORMAT } from './format.ts'
import { LIST_FUNCTIONS } from './lists.ts'
import { MATH_FUNCTIONS } from './math.ts'
import { OPTIONAL_FUNCTIONS } from './optional.ts'
import { STRING_FUNCTIONS } from './strings.ts'
import { TIME_FUNCTIONS } from './time.ts'
import type { LibraryFunction } from './function.ts'

const ALL: readonly LibraryFunction[] = [
  ...CONVERSIONS,
  ...STRING_FUNCTIONS,
  FORMAT,
  ...LIST_FUNCTIONS,
  ...TIME_FUNCTIONS,
  ...MATH_FUNCTIONS,
  ...OPTIONAL_FUNCTIONS,
  ...ENCODERS,
]

/** Every function of the standard library by its qualified name, methods and number of arguments apart. */
export const LIBRARY: ReadonlyMap<string, readonly LibraryFunction[]> = Map.groupBy(
  ALL,
  (definition) => definition.name,
)

/** Names that stand for a type: `type(x) == int`. */
export const TYPE_NAMES: ReadonlySet<string> = new Set([
  'bool',
  'bytes',
  'double',
  'int',
  'list',
  'map',
  'null_type',
  'string',
  'type',
  'uint',
  'optional_type',
  'google.protobuf.Timestamp',
  'google.protobuf.Duration',
])
