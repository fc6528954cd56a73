import type { ValueType } from '../../schemas/documents/barclamp.ts'
import type { Step } from '../../schemas/plan.ts'
import type { TaskResult } from '../../schemas/protocol.ts'
import type { Json } from '../../schemas/shape.ts'

/** What a step provided, checked; sensitive values apart, still in the clear. */
export type CollectedProvides =
  | { readonly kind: 'collected'; readonly provides: Readonly<Record<string, Json>>; readonly sensitive: Readonly<Record<string, Json>> }
  | { readonly kind: 'refused'; readonly code: 'PROVIDE_MISSING' | 'PROVIDE_TYPE'; readonly message: string }

/**
 * Takes out of a result exactly what the step declares. Nothing is converted: "3" is a string. A value that nobody
 * declared is left out, since nobody can want it. The node has checked the same; a result is checked again where it counts.
 */
export function collectProvides(step: Pick<Step, 'id' | 'provides'>, result: Pick<TaskResult, 'provides'>): CollectedProvides {
  const provides: Record<string, Json> = {}
  const sensitive: Record<string, Json> = {}
  for (const [name, declared] of Object.entries(step.provides)) {
    const value = Object.hasOwn(result.provides, name) ? result.provides[name] : undefined
    if (value === undefined) return { kind: 'refused', code: 'PROVIDE_MISSING', message: `${step.id} ended without providing ${name}` }
    if (!isOfType(value, declared.type)) return { kind: 'refused', code: 'PROVIDE_TYPE', message: `${step.id} provided a ${kindOf(value)} as ${name}, which is declared as ${declared.type}` }
    if (declared.sensitive) sensitive[name] = value
    else provides[name] = value
  }
  return { kind: 'collected', provides, sensitive }
}

function isOfType(value: Json, type: ValueType): boolean {
  switch (type) {
    case 'any':
      return true
    case 'integer':
      return Number.isSafeInteger(value)
    case 'number':
    case 'string':
    case 'boolean':
    case 'list':
    case 'map':
      return kindOf(value) === type
  }
}

function kindOf(value: Json): string {
  if (value === null) return 'null'
  if (Array.isArray(value)) return 'list'
  return typeof value === 'object' ? 'map' : typeof value
}
