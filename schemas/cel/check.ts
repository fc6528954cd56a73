import { checkCall } from './check-call.ts'
import { CheckContext } from './check-context.ts'
import type { CheckResult } from './check-result.ts'
import { literalType, optionalContent } from './literal-type.ts'
import { knownNames } from './resolve.ts'
import { findLocal } from './scope.ts'
import type { Scope } from './scope.ts'
import { NEGATION, OPERATOR_SIGNATURES } from './operators.ts'
import { TYPE_NAMES } from './library/library.ts'
import { memberPath, qualifiedName } from './qualified-name.ts'
import { suggest } from './suggest.ts'
import { optionalOf } from './type.ts'
import type { CelType } from './type.ts'
import { joinTypes, settleType } from './unify.ts'
import type { Environment } from './environment.ts'
import type { Expression, NodeOf } from './ast.ts'

export type { CheckError, CheckResult, HostCall } from './check-result.ts'

/** Checks an expression against the types of what it names. What touches dyn is dyn and no error. */
export function check(ast: Expression, environment: Environment): CheckResult {
  const context = new CheckContext(environment)
  const type = new Checker(context).type(ast, undefined, [])
  const { bindings, errors, calls, resolutions } = context
  const reads = [...context.reads.values()].sort((a, b) => (a.join('\0') < b.join('\0') ? -1 : 1))
  return { type: settleType(bindings, type), errors, reads, calls, resolutions }
}

const KEY_TYPES: readonly CelType[] = ['string', 'int', 'uint', 'bool']

class Checker {
  readonly context: CheckContext

  constructor(context: CheckContext) {
    this.context = context
  }

  /** `path` is what the node around selects of this one, for `reads`. */
  type(node: Expression, scope: Scope | undefined, path: readonly string[]): CelType {
    switch (node.kind) {
      case 'literal':
        return literalType(node)
      case 'name':
        return this.#variable(node, scope, path) ?? this.#unknownName(node, scope)
      case 'select':
        return this.#variable(node, scope, path) ?? this.#select(node, scope, path)
      case 'has':
        this.#select(node, scope, path)
        return 'bool'
      case 'index':
        return this.#index(node, scope, path)
      case 'call':
        return this.#call(node, scope)
      case 'unary':
        return this.#unary(node, scope)
      case 'binary':
        return this.#binary(node, scope)
      case 'logical':
        this.#expectBool(node.left, scope, node.operator)
        this.#expectBool(node.right, scope, node.operator)
        return 'bool'
      case 'conditional':
        return this.#conditional(node, scope)
      case 'list':
        return { list: this.#joined(node.elements, scope) }
      case 'map':
        return this.#map(node, scope)
      case 'macro':
        return this.#macro(node, scope)
      case 'bind':
        return this.#bind(node, scope)
    }
  }

  /** The type of a variable or of a name that stands for a type; dotted names too. Undefined: no such. */
  #variable(
    node: NodeOf<'name'> | NodeOf<'select'>,
    scope: Scope | undefined,
    path: readonly string[],
  ): CelType | undefined {
    const parts = memberPath(node)
    const [root] = parts ?? []
    if (parts === undefined || root === undefined) return undefined
    const local = node.kind === 'name' && !node.absolute ? findLocal(scope, root) : undefined
    if (local !== undefined) return local.type
    if (node.kind === 'select' && findLocal(scope, root) !== undefined) return undefined
    const name = parts.join('.')
    const { variables } = this.context.environment
    if (Object.hasOwn(variables, name)) {
      this.context.resolutions.set(node, { kind: 'variable', name })
      const read = [name, ...path]
      this.context.reads.set(read.join('\0'), read)
      return variables[name] ?? 'dyn'
    }
    if (!TYPE_NAMES.has(name)) return undefined
    this.context.resolutions.set(node, { kind: 'type', name })
    return 'type'
  }

  #unknownName(node: NodeOf<'name'>, scope: Scope | undefined): CelType {
    const names = Object.keys(this.context.environment.variables)
    for (let at = scope; at !== undefined; at = at.outer) names.push(at.name)
    const found = suggest(node.name, names)
    if (found !== undefined)
      return this.context.error(node, `there is no variable ${node.name}; did you mean ${found}?`, found)
    const available = names.length === 0 ? '' : `; there are ${[...names].sort().join(', ')}`
    return this.context.error(node, `there is no variable ${node.name}${available}`)
  }

  #select(node: NodeOf<'select'> | NodeOf<'has'>, scope: Scope | undefined, path: readonly string[]): CelType {
    const operand = this.context.resolve(this.type(node.operand, scope, [node.field, ...path]))
    const holder = optionalContent(operand)
    const field = this.#field(holder ?? operand, node)
    return node.optional || holder !== undefined ? optionalOf(field) : field
  }

  #field(operand: CelType, node: NodeOf<'select'> | NodeOf<'has'>): CelType {
    const holder = this.context.resolve(operand)
    if (holder === 'dyn') return 'dyn'
    if (typeof holder === 'object') {
      if ('param' in holder) return 'dyn'
      if ('map' in holder)
        return this.context.fits(holder.map[0], 'string')
          ? holder.map[1]
          : this.context.error(
              node.fieldSpan,
              `the keys of this map are ${this.context.show(holder.map[0])}, not names`,
            )
      if ('object' in holder) {
        if (Object.hasOwn(holder.fields, node.field)) return holder.fields[node.field] ?? 'dyn'
        const names = Object.keys(holder.fields)
        const found = suggest(node.field, names)
        const hint =
          found === undefined
            ? names.length > 0
              ? `; it has ${names.sort().join(', ')}`
              : ''
            : `; did you mean ${found}?`
        return this.context.error(node.fieldSpan, `there is no field ${node.field} in ${holder.object}${hint}`, found)
      }
    }
    return this.context.error(node.fieldSpan, `${this.context.show(holder)} has no fields, so no ${node.field}`)
  }

  #index(node: NodeOf<'index'>, scope: Scope | undefined, path: readonly string[]): CelType {
    const { index } = node
    const key = index.kind === 'literal' && typeof index.value === 'string' ? index.value : undefined
    const operand = this.context.resolve(this.type(node.operand, scope, key === undefined ? [] : [key, ...path]))
    const indexType = this.type(index, scope, [])
    const holder = optionalContent(operand)
    const item = this.#item(this.context.resolve(holder ?? operand), node, key, indexType)
    return node.optional || holder !== undefined ? optionalOf(item) : item
  }

  #item(holder: CelType, node: NodeOf<'index'>, key: string | undefined, indexType: CelType): CelType {
    if (holder === 'dyn') return 'dyn'
    if (typeof holder === 'object') {
      if ('param' in holder) return 'dyn'
      if ('list' in holder) {
        if (this.context.isNumber(indexType)) return holder.list
        return this.context.error(node.index, `a list is indexed by int, not by ${this.context.show(indexType)}`)
      }
      if ('map' in holder) {
        if (this.context.comparable(holder.map[0], indexType)) return holder.map[1]
        return this.context.error(
          node.index,
          `the keys of this map are ${this.context.show(holder.map[0])}, not ${this.context.show(indexType)}`,
        )
      }
      if ('object' in holder) {
        if (key !== undefined)
          return this.#field(holder, { ...node, kind: 'select', field: key, fieldSpan: node.index })
        return this.context.fits('string', indexType)
          ? 'dyn'
          : this.context.error(node.index, `the fields of ${holder.object} are named by strings`)
      }
    }
    return this.context.error(node, `${this.context.show(holder)} cannot be indexed`)
  }

  #expectBool(node: Expression, scope: Scope | undefined, where: string): void {
    const type = this.type(node, scope, [])
    if (!this.context.fits('bool', type))
      this.context.error(node, `${where} needs true or false here, this is ${this.context.show(type)}`)
  }

  #unary(node: NodeOf<'unary'>, scope: Scope | undefined): CelType {
    if (node.operator === '-') {
      const operand = this.type(node.operand, scope, [])
      return (
        this.context.overload(NEGATION, [operand]) ??
        this.context.error(node, `- does not apply to ${this.context.show(operand)}`)
      )
    }
    this.#expectBool(node.operand, scope, '!')
    return 'bool'
  }

  #binary(node: NodeOf<'binary'>, scope: Scope | undefined): CelType {
    const { operator } = node
    const left = this.type(node.left, scope, [])
    const right = this.type(node.right, scope, [])
    if (operator === '==' || operator === '!=') {
      if (this.context.comparable(left, right)) return 'bool'
      return this.context.error(
        node,
        `${operator} compares ${this.context.show(left)} with ${this.context.show(right)}, which are never equal`,
      )
    }
    if (operator === 'in') return this.#in(node, left, this.context.resolve(right))
    return (
      this.context.overload(OPERATOR_SIGNATURES[operator], [left, right]) ??
      this.context.error(node.operatorSpan, this.#operatorMessage(operator, left, right))
    )
  }

  #operatorMessage(operator: string, left: CelType, right: CelType): string {
    const [a, b] = [this.context.show(left), this.context.show(right)]
    const numbers = ['int', 'uint', 'double']
    if (numbers.includes(a) && numbers.includes(b) && a !== b)
      return `${operator} does not mix ${a} and ${b}; convert one with ${a}(…) or ${b}(…)`
    if (operator === '+' && (a === 'string' || b === 'string') && a !== b)
      return `+ does not join ${a} and ${b}; convert with string(…)`
    return `${operator} does not apply to ${a} and ${b}`
  }

  #in(node: NodeOf<'binary'>, item: CelType, container: CelType): CelType {
    if (container === 'dyn') return 'bool'
    if (typeof container === 'object') {
      if ('param' in container) return 'bool'
      const member: CelType | undefined =
        'list' in container
          ? container.list
          : 'map' in container
            ? container.map[0]
            : 'object' in container
              ? 'string'
              : undefined
      if (member !== undefined) {
        return this.context.comparable(member, item)
          ? 'bool'
          : this.context.error(node, `${this.context.show(item)} is never in ${this.context.show(container)}`)
      }
    }
    return this.context.error(node.right, `in looks into a list or a map, this is ${this.context.show(container)}`)
  }

  #conditional(node: NodeOf<'conditional'>, scope: Scope | undefined): CelType {
    this.#expectBool(node.test, scope, '?')
    return joinTypes(this.context.bindings, this.type(node.yes, scope, []), this.type(node.no, scope, []))
  }

  #joined(
    elements: readonly { readonly value: Expression; readonly optional: boolean }[],
    scope: Scope | undefined,
  ): CelType {
    let joined: CelType | undefined
    for (const { value, optional } of elements) {
      let type = this.type(value, scope, [])
      if (optional) type = this.context.content(value, type)
      joined = joined === undefined ? type : joinTypes(this.context.bindings, joined, type)
    }
    return joined ?? this.context.newParam()
  }

  #map(node: NodeOf<'map'>, scope: Scope | undefined): CelType {
    let joined: CelType | undefined
    for (const { key } of node.entries) {
      let type = this.type(key, scope, [])
      if (!KEY_TYPES.some((wanted) => this.context.fits(wanted, type)))
        type = this.context.error(key, `a key is a string, int, uint or bool, not ${this.context.show(type)}`)
      joined = joined === undefined ? type : joinTypes(this.context.bindings, joined, type)
    }
    return { map: [joined ?? this.context.newParam(), this.#joined(node.entries, scope)] }
  }

  #bind(node: NodeOf<'bind'>, scope: Scope | undefined): CelType {
    const value = this.type(node.value, scope, [])
    const type = node.form === 'bind' ? value : this.context.content(node.value, value)
    const body = this.type(node.body, { name: node.variable, type, outer: scope }, [])
    if (node.form === 'optMap') return optionalOf(body)
    if (node.form === 'optFlatMap') return optionalOf(this.context.content(node.body, body))
    return body
  }

  #macro(node: NodeOf<'macro'>, scope: Scope | undefined): CelType {
    const [first, second] = this.#rangeTypes(node, this.context.resolve(this.type(node.range, scope, [])))
    const [one = '', two] = node.variables
    // With one variable it is the element of a list or the key of a map, with two the index or key comes first.
    let inner: Scope = { name: one, type: two === undefined ? second : first, outer: scope }
    if (two !== undefined) inner = { name: two, type: second, outer: inner }
    if (node.filter !== undefined) this.#expectBool(node.filter, inner, `the condition of ${node.macro}`)
    if (node.macro === 'map' || node.macro === 'transformList') return { list: this.type(node.body, inner, []) }
    if (node.macro === 'transformMap') return { map: [first, this.type(node.body, inner, [])] }
    this.#expectBool(node.body, inner, node.macro)
    return node.macro === 'filter' ? { list: second } : 'bool'
  }

  /** Index or key, and element; for one variable over a map the element is the key. */
  #rangeTypes(node: NodeOf<'macro'>, range: CelType): readonly [CelType, CelType] {
    if (range === 'dyn') return ['dyn', 'dyn']
    if (typeof range === 'object') {
      const keysOnly = node.variables.length === 1
      if ('param' in range) return ['dyn', 'dyn']
      if ('list' in range) return ['int', range.list]
      if ('map' in range) return [range.map[0], keysOnly ? range.map[0] : range.map[1]]
      if ('object' in range) return ['string', keysOnly ? 'string' : 'dyn']
    }
    this.context.error(node.range, `${node.macro} goes through a list or a map, this is ${this.context.show(range)}`)
    return ['dyn', 'dyn']
  }

  #call(node: NodeOf<'call'>, scope: Scope | undefined): CelType {
    const { target } = node
    const root = target === undefined ? undefined : memberPath(target)?.[0]
    const shadowed = root !== undefined && findLocal(scope, root) !== undefined
    const name = target === undefined || shadowed ? node.name : `${qualifiedName(target) ?? ''}.${node.name}`
    const method = target !== undefined && (shadowed || !knownNames(this.context.environment).has(name))
    const receiver = method ? [this.type(target, scope, [])] : []
    const args = [...receiver, ...node.args.map((arg) => this.type(arg, scope, []))]
    return checkCall(this.context, node, { name: method ? node.name : name, method, args })
  }
}
