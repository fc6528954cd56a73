import type { Program } from '../../schemas/cel/evaluate.ts'
import { isDeferred } from '../../schemas/deferred.ts'
import type { DeferredInput } from '../../schemas/deferred.ts'
import { readsOf, valueTypeOf } from '../../schemas/expression.ts'
import type { Json } from '../../schemas/shape.ts'
import { isSensitive } from './deferred-value.ts'
import type { DeferredJson } from './deferred-value.ts'
import { insert } from './scope.ts'

/**
 * What an expression gives that cannot be evaluated yet: its text, and of its scope exactly what it reads. A value that
 * one input gives as it is becomes an input of the same path; anything else that is deferred stays inside the scope.
 */
export function defer(program: Program, scope: { readonly [variable: string]: Json }): DeferredJson {
  const inputs: Record<string, DeferredInput> = {}
  let kept: Json = {}
  let sensitive = false
  let passed: DeferredJson | undefined
  const reads = readsOf(program)
  for (const read of reads) {
    const { value, path } = deepest(scope, read)
    if (value === undefined) continue
    sensitive ||= isSensitive(value)
    const name = path.join('.')
    if (isDeferred(value)) {
      const [input, ...others] = Object.entries(value.deferred.inputs)
      if (input !== undefined && others.length === 0 && input[0] === name && value.deferred.expression === `\${${name}}`) inputs[name] = input[1]
      else kept = insert(kept, path, value)
      if (reads.length === 1 && program.source === `\${${name}}`) passed = value
    } else {
      kept = insert(kept, path, value)
    }
  }
  return passed ?? { deferred: { type: valueTypeOf(program.type), expression: program.source, scope: kept as { readonly [key: string]: Json }, inputs, sensitive } }
}

/** What is at a path, or the first thing on the way to it that is not a map one can look into. */
function deepest(scope: Json, read: readonly string[]): { readonly value: Json | undefined; readonly path: readonly string[] } {
  let value: Json | undefined = scope
  for (const [i, key] of read.entries()) {
    if (value === null || typeof value !== 'object' || Array.isArray(value) || (i > 0 && isDeferred(value))) return { value, path: read.slice(0, i) }
    if (!Object.hasOwn(value, key)) return { value: undefined, path: read }
    value = (value as { readonly [key: string]: Json })[key]
  }
  return { value, path: read }
}
