import type { CelType } from './type.ts'

/** What each type variable has turned out to be. */
export class Bindings {
  readonly #base: Bindings | undefined
  readonly #own = new Map<string, CelType>()

  constructor(base?: Bindings) {
    this.#base = base
  }

  get(param: string): CelType | undefined {
    return this.#own.get(param) ?? this.#base?.get(param)
  }

  set(param: string, type: CelType): void {
    this.#own.set(param, type)
  }

  /** The same with room for what is only tried; `keep` of the fork makes it count. */
  fork(): Bindings {
    return new Bindings(this)
  }

  /** Hands what this fork has found to what it was forked from. */
  keep(): void {
    for (const [param, type] of this.#own) this.#base?.set(param, type)
  }
}

/** The type with its variables replaced by what is known of them; free ones stay. */
export function resolveType(bindings: Bindings, type: CelType): CelType {
  if (typeof type === 'string') return type
  if ('param' in type) {
    const bound = bindings.get(type.param)
    return bound === undefined ? type : resolveType(bindings, bound)
  }
  if ('list' in type) return { list: resolveType(bindings, type.list) }
  if ('map' in type) return { map: [resolveType(bindings, type.map[0]), resolveType(bindings, type.map[1])] }
  if ('opaque' in type)
    return { opaque: type.opaque, parameters: type.parameters.map((part) => resolveType(bindings, part)) }
  return type
}

/** The type with every free variable replaced by dyn. */
export function settleType(bindings: Bindings, type: CelType): CelType {
  const resolved = resolveType(bindings, type)
  if (typeof resolved === 'string') return resolved
  if ('param' in resolved) return 'dyn'
  if ('list' in resolved) return { list: settleType(bindings, resolved.list) }
  if ('map' in resolved) return { map: [settleType(bindings, resolved.map[0]), settleType(bindings, resolved.map[1])] }
  if ('opaque' in resolved)
    return { opaque: resolved.opaque, parameters: resolved.parameters.map((part) => settleType(bindings, part)) }
  return resolved
}

/** The type with the variables of a signature renamed, so that each call has its own. */
export function renameParams(type: CelType, suffix: string): CelType {
  if (typeof type === 'string') return type
  if ('param' in type) return { param: type.param + suffix }
  if ('list' in type) return { list: renameParams(type.list, suffix) }
  if ('map' in type) return { map: [renameParams(type.map[0], suffix), renameParams(type.map[1], suffix)] }
  if ('opaque' in type)
    return { opaque: type.opaque, parameters: type.parameters.map((part) => renameParams(part, suffix)) }
  return type
}

function occurs(bindings: Bindings, param: string, type: CelType): boolean {
  const resolved = resolveType(bindings, type)
  if (typeof resolved === 'string') return false
  if ('param' in resolved) return resolved.param === param
  if ('list' in resolved) return occurs(bindings, param, resolved.list)
  if ('map' in resolved) return resolved.map.some((part) => occurs(bindings, param, part))
  return 'opaque' in resolved && resolved.parameters.some((part) => occurs(bindings, param, part))
}

function bind(bindings: Bindings, param: string, type: CelType): boolean {
  if (typeof type === 'object' && 'param' in type && type.param === param) return true
  if (occurs(bindings, param, type)) return false
  bindings.set(param, type)
  return true
}

/**
 * Whether a value of type `given` may stand where `wanted` is asked for; binds variables on the way (also when the
 * answer is no: hand in a copy if that matters). dyn goes with everything, null with objects, times and opaque types.
 */
export function isAssignable(bindings: Bindings, wanted: CelType, given: CelType): boolean {
  const to = resolveType(bindings, wanted)
  const from = resolveType(bindings, given)
  if (to === from) return true
  if (typeof to === 'object' && 'param' in to && from === 'dyn') return bind(bindings, to.param, from)
  if (to === 'dyn' || from === 'dyn') return true
  if (typeof from === 'object' && 'param' in from) return bind(bindings, from.param, to)
  if (typeof to === 'object' && 'param' in to) return bind(bindings, to.param, from)
  if (from === 'null') return isNullable(to)
  if (to === 'null') return isNullable(from)
  if (typeof to === 'string' || typeof from === 'string') return false
  if ('list' in to) return 'list' in from && isAssignable(bindings, to.list, from.list)
  if ('map' in to) {
    if ('object' in from) return isAssignable(bindings, to.map[0], 'string') && isAssignable(bindings, to.map[1], 'dyn')
    return (
      'map' in from && isAssignable(bindings, to.map[0], from.map[0]) && isAssignable(bindings, to.map[1], from.map[1])
    )
  }
  if ('object' in to)
    return 'object' in from ? to.object === from.object : 'map' in from && isAssignable(bindings, from.map[0], 'string')
  if (
    !('opaque' in to && 'opaque' in from) ||
    to.opaque !== from.opaque ||
    to.parameters.length !== from.parameters.length
  )
    return false
  return to.parameters.every((part, index) => isAssignable(bindings, part, from.parameters[index] ?? 'dyn'))
}

function isNullable(type: CelType): boolean {
  return (
    type === 'timestamp' || type === 'duration' || (typeof type === 'object' && ('object' in type || 'opaque' in type))
  )
}

/** The type of a place that holds values of both: the more general one, or dyn if neither holds the other. */
export function joinTypes(bindings: Bindings, a: CelType, b: CelType): CelType {
  const trial = bindings.fork()
  if (!isAssignable(trial, a, b)) return 'dyn'
  trial.keep()
  const left = resolveType(bindings, a)
  const right = resolveType(bindings, b)
  if (left === 'null') return right
  return isMoreGeneral(right, left) ? right : left
}

/** Whether `a` has dyn somewhere that `b` has something else. */
function isMoreGeneral(a: CelType, b: CelType): boolean {
  if (a === 'dyn') return b !== 'dyn'
  if (typeof a === 'string' || typeof b === 'string') return false
  if ('list' in a && 'list' in b) return isMoreGeneral(a.list, b.list)
  if ('map' in a && 'map' in b) return isMoreGeneral(a.map[0], b.map[0]) || isMoreGeneral(a.map[1], b.map[1])
  if ('map' in a && 'object' in b) return true
  return (
    'opaque' in a &&
    'opaque' in b &&
    a.parameters.some((part, index) => isMoreGeneral(part, b.parameters[index] ?? 'dyn'))
  )
}
