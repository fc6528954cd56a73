import { LIBRARY } from './library/library.ts'
import type { LibraryFunction, Signature } from './library/function.ts'
import type { Environment, HostFunction } from './environment.ts'

/** A function that a call may mean. `arity` counts the receiver; undefined: any number of arguments. */
export type Callable =
  | { readonly kind: 'library'; readonly arity: number | undefined; readonly library: LibraryFunction }
  | { readonly kind: 'host'; readonly arity: number; readonly host: HostFunction }

/** The functions of a name, of the library and of the host. Without `arity`: for any number of arguments. */
export function findFunctions(
  environment: Environment,
  { name, method, arity }: { readonly name: string; readonly method: boolean; readonly arity: number | undefined },
): readonly Callable[] {
  const found: Callable[] = []
  for (const library of LIBRARY.get(name) ?? []) {
    if (library.method === method && (arity === undefined || library.arity === undefined || library.arity === arity)) {
      found.push({ kind: 'library', arity: library.arity, library })
    }
  }
  for (const host of environment.functions) {
    const count = host.params.length + (host.receiver === undefined ? 0 : 1)
    if (host.name === name && (host.receiver !== undefined) === method && (arity === undefined || arity === count)) {
      found.push({ kind: 'host', arity: count, host })
    }
  }
  return found
}

/** How a function may be called with so many arguments, the receiver first. */
export function callSignatures(callable: Callable, count: number): readonly Signature[] {
  if (callable.kind === 'host') {
    const { receiver, params, result } = callable.host
    return [{ params: receiver === undefined ? params : [receiver, ...params], result }]
  }
  if (callable.arity === undefined)
    return [{ params: Array.from({ length: count }, () => 'dyn' as const), result: 'dyn' }]
  return callable.library.signatures
}

const names = new WeakMap<Environment, ReadonlySet<string>>()

/** The names of all functions, of the library and of the host. */
export function knownNames(environment: Environment): ReadonlySet<string> {
  let known = names.get(environment)
  if (known === undefined) {
    known = new Set([...LIBRARY.keys(), ...environment.functions.map((host) => host.name)])
    names.set(environment, known)
  }
  return known
}
