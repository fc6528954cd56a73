import { literalType, optionalContent } from './literal-type.ts'
import { findLocal } from './scope.ts'
import type { Scope } from './scope.ts'
import type { CheckError, CheckResult, HostCall, Resolution } from './check-result.ts'
import { callSignatures, findFunctions, knownNames } from './resolve.ts'
import type { Callable } from './resolve.ts'
import { NEGATION, OPERATOR_SIGNATURES } from './operators.ts'
import { TYPE_NAMES } from './library/library.ts'
import { regexOf } from './library/strings.ts'
import { memberPath, qualifiedName } from './qualified-name.ts'
import { suggest } from './suggest.ts'
import { formatType, optionalOf } from './type.ts'
import type { CelType } from './type.ts'
import { Bindings, isAssignable, joinTypes, renameParams, resolveType, settleType } from './unify.ts'
import type { Environment } from './environment.ts'
import type { Signature } from './library/function.ts'
import type { Expression, NodeOf, Span } from './ast.ts'

export type { CheckError, CheckResult, HostCall } from './check-result.ts'

/** Checks an expression against the types of what it names. What touches dyn is dyn and no error. */
export function check(ast: Expression, environment: Environment): CheckResult {
  const checker = new Checker(environment)
  const type = checker.type(ast, undefined, [])
  const reads = [...checker.reads.values()].sort((a, b) => (a.join('\0') < b.join('\0') ? -1 : 1))
  return { type: settleType(checker.bindings, type), errors: checker.errors, reads, calls: checker.calls, resolutions: checker.resolutions }
}

const KEY_TYPES: readonly CelType[] = ['string', 'int', 'uint', 'bool']

class Checker {
  readonly #environment: Environment
  readonly bindings = new Bindings()
  readonly errors: CheckError[] = []
  readonly reads = new Map<string, readonly string[]>()
  readonly calls: HostCall[] = []
  readonly resolutions = new Map<Expression, Resolution>()
  #fresh = 0

  constructor(environment: Environment) {
    this.#environment = environment
  }

  #error(span: Span, message: string, suggestion?: string): CelType {
    const { offset, length } = span
    this.errors.push({ message, offset, length, ...(suggestion === undefined ? {} : { suggestion }) })
    return 'dyn'
  }

  #newParam(): CelType {
    return { param: `?${this.#fresh++}` }
  }

  #resolve(type: CelType): CelType {
    return resolveType(this.bindings, type)
  }

  #fits(wanted: CelType, given: CelType): boolean {
    return isAssignable(this.bindings, wanted, given)
  }

  #show(type: CelType): string {
    return formatType(settleType(this.bindings, type))
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
  #variable(node: NodeOf<'name'> | NodeOf<'select'>, scope: Scope | undefined, path: readonly string[]): CelType | undefined {
    const parts = memberPath(node)
    const [root] = parts ?? []
    if (parts === undefined || root === undefined) return undefined
    const local = node.kind === 'name' && !node.absolute ? findLocal(scope, root) : undefined
    if (local !== undefined) return local.type
    if (node.kind === 'select' && findLocal(scope, root) !== undefined) return undefined
    const name = parts.join('.')
    const { variables } = this.#environment
    if (Object.hasOwn(variables, name)) {
      this.resolutions.set(node, { kind: 'variable', name })
      const read = [name, ...path]
      this.reads.set(read.join('\0'), read)
      return variables[name] ?? 'dyn'
    }
    if (!TYPE_NAMES.has(name)) return undefined
    this.resolutions.set(node, { kind: 'type', name })
    return 'type'
  }

  #unknownName(node: NodeOf<'name'>, scope: Scope | undefined): CelType {
    const names = Object.keys(this.#environment.variables)
    for (let at = scope; at !== undefined; at = at.outer) names.push(at.name)
    const found = suggest(node.name, names)
    if (found !== undefined) return this.#error(node, `there is no variable ${node.name}; did you mean ${found}?`, found)
    const available = names.length === 0 ? '' : `; there are ${[...names].sort().join(', ')}`
    return this.#error(node, `there is no variable ${node.name}${available}`)
  }

  #select(node: NodeOf<'select'> | NodeOf<'has'>, scope: Scope | undefined, path: readonly string[]): CelType {
    const operand = this.#resolve(this.type(node.operand, scope, [node.field, ...path]))
    const holder = optionalContent(operand)
    const field = this.#field(holder ?? operand, node)
    return node.optional || holder !== undefined ? optionalOf(field) : field
  }

  #field(operand: CelType, node: NodeOf<'select'> | NodeOf<'has'>): CelType {
    const holder = this.#resolve(operand)
    if (holder === 'dyn') return 'dyn'
    if (typeof holder === 'object') {
      if ('param' in holder) return 'dyn'
      if ('map' in holder) return this.#fits(holder.map[0], 'string') ? holder.map[1] : this.#error(node.fieldSpan, `the keys of this map are ${this.#show(holder.map[0])}, not names`)
      if ('object' in holder) {
        if (Object.hasOwn(holder.fields, node.field)) return holder.fields[node.field] ?? 'dyn'
        const names = Object.keys(holder.fields)
        const found = suggest(node.field, names)
        const hint = found === undefined ? (names.length > 0 ? `; it has ${names.sort().join(', ')}` : '') : `; did you mean ${found}?`
        return this.#error(node.fieldSpan, `${holder.object} has no field ${node.field}${hint}`, found)
      }
    }
    return this.#error(node.fieldSpan, `${this.#show(holder)} has no fields, so no ${node.field}`)
  }

  #index(node: NodeOf<'index'>, scope: Scope | undefined, path: readonly string[]): CelType {
    const { index } = node
    const key = index.kind === 'literal' && typeof index.value === 'string' ? index.value : undefined
    const operand = this.#resolve(this.type(node.operand, scope, key === undefined ? [] : [key, ...path]))
    const indexType = this.type(index, scope, [])
    const holder = optionalContent(operand)
    const item = this.#item(this.#resolve(holder ?? operand), node, key, indexType)
    return node.optional || holder !== undefined ? optionalOf(item) : item
  }

  #item(holder: CelType, node: NodeOf<'index'>, key: string | undefined, indexType: CelType): CelType {
    if (holder === 'dyn') return 'dyn'
    if (typeof holder === 'object') {
      if ('param' in holder) return 'dyn'
      if ('list' in holder) {
        if (this.#isNumber(indexType)) return holder.list
        return this.#error(node.index, `a list is indexed by int, not by ${this.#show(indexType)}`)
      }
      if ('map' in holder) {
        if (this.#comparable(holder.map[0], indexType)) return holder.map[1]
        return this.#error(node.index, `the keys of this map are ${this.#show(holder.map[0])}, not ${this.#show(indexType)}`)
      }
      if ('object' in holder) {
        if (key !== undefined) return this.#field(holder, { ...node, kind: 'select', field: key, fieldSpan: node.index })
        return this.#fits('string', indexType) ? 'dyn' : this.#error(node.index, `the fields of ${holder.object} are named by strings`)
      }
    }
    return this.#error(node, `${this.#show(holder)} cannot be indexed`)
  }

  #isNumber(type: CelType): boolean {
    const resolved = this.#resolve(type)
    return resolved === 'dyn' || resolved === 'int' || resolved === 'uint' || resolved === 'double' || (typeof resolved === 'object' && 'param' in resolved)
  }

  #comparable(a: CelType, b: CelType): boolean {
    return (this.#isNumber(a) && this.#isNumber(b)) || this.#fits(a, b) || this.#fits(b, a)
  }

  #expectBool(node: Expression, scope: Scope | undefined, where: string): void {
    const type = this.type(node, scope, [])
    if (!this.#fits('bool', type)) this.#error(node, `${where} needs true or false here, this is ${this.#show(type)}`)
  }

  #unary(node: NodeOf<'unary'>, scope: Scope | undefined): CelType {
    if (node.operator === '-') {
      const operand = this.type(node.operand, scope, [])
      return this.#overload(NEGATION, [operand]) ?? this.#error(node, `- does not apply to ${this.#show(operand)}`)
    }
    this.#expectBool(node.operand, scope, '!')
    return 'bool'
  }

  #binary(node: NodeOf<'binary'>, scope: Scope | undefined): CelType {
    const { operator } = node
    const left = this.type(node.left, scope, [])
    const right = this.type(node.right, scope, [])
    if (operator === '==' || operator === '!=') {
      if (this.#comparable(left, right)) return 'bool'
      return this.#error(node, `${operator} compares ${this.#show(left)} with ${this.#show(right)}, which are never equal`)
    }
    if (operator === 'in') return this.#in(node, left, this.#resolve(right))
    return this.#overload(OPERATOR_SIGNATURES[operator], [left, right]) ?? this.#error(node.operatorSpan, this.#operatorMessage(operator, left, right))
  }

  #operatorMessage(operator: string, left: CelType, right: CelType): string {
    const [a, b] = [this.#show(left), this.#show(right)]
    const numbers = ['int', 'uint', 'double']
    if (numbers.includes(a) && numbers.includes(b) && a !== b) return `${operator} does not mix ${a} and ${b}; convert one with ${a}(…) or ${b}(…)`
    if (operator === '+' && (a === 'string' || b === 'string') && a !== b) return `+ does not join ${a} and ${b}; convert with string(…)`
    return `${operator} does not apply to ${a} and ${b}`
  }

  #in(node: NodeOf<'binary'>, item: CelType, container: CelType): CelType {
    if (container === 'dyn') return 'bool'
    if (typeof container === 'object') {
      if ('param' in container) return 'bool'
      const member: CelType | undefined = 'list' in container ? container.list : 'map' in container ? container.map[0] : 'object' in container ? 'string' : undefined
      if (member !== undefined) {
        return this.#comparable(member, item) ? 'bool' : this.#error(node, `${this.#show(item)} is never in ${this.#show(container)}`)
      }
    }
    return this.#error(node.right, `in looks into a list or a map, this is ${this.#show(container)}`)
  }

  #conditional(node: NodeOf<'conditional'>, scope: Scope | undefined): CelType {
    this.#expectBool(node.test, scope, '?')
    return joinTypes(this.bindings, this.type(node.yes, scope, []), this.type(node.no, scope, []))
  }

  #joined(elements: readonly { readonly value: Expression; readonly optional: boolean }[], scope: Scope | undefined): CelType {
    let joined: CelType | undefined
    for (const { value, optional } of elements) {
      let type = this.type(value, scope, [])
      if (optional) type = this.#content(value, type)
      joined = joined === undefined ? type : joinTypes(this.bindings, joined, type)
    }
    return joined ?? this.#newParam()
  }

  /** What an optional holds, where one is needed. */
  #content(node: Expression, type: CelType): CelType {
    const content = this.#newParam()
    if (this.#fits(optionalOf(content), type)) return content
    return this.#error(node, `after ? an optional value is needed, this is ${this.#show(type)}`)
  }

  #map(node: NodeOf<'map'>, scope: Scope | undefined): CelType {
    let joined: CelType | undefined
    for (const { key } of node.entries) {
      let type = this.type(key, scope, [])
      if (!KEY_TYPES.some((wanted) => this.#fits(wanted, type))) type = this.#error(key, `a key is a string, int, uint or bool, not ${this.#show(type)}`)
      joined = joined === undefined ? type : joinTypes(this.bindings, joined, type)
    }
    return { map: [joined ?? this.#newParam(), this.#joined(node.entries, scope)] }
  }

  #bind(node: NodeOf<'bind'>, scope: Scope | undefined): CelType {
    const value = this.type(node.value, scope, [])
    const type = node.form === 'bind' ? value : this.#content(node.value, value)
    const body = this.type(node.body, { name: node.variable, type, outer: scope }, [])
    if (node.form === 'optMap') return optionalOf(body)
    if (node.form === 'optFlatMap') return optionalOf(this.#content(node.body, body))
    return body
  }

  #macro(node: NodeOf<'macro'>, scope: Scope | undefined): CelType {
    const [first, second] = this.#rangeTypes(node, this.#resolve(this.type(node.range, scope, [])))
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
    this.#error(node.range, `${node.macro} goes through a list or a map, this is ${this.#show(range)}`)
    return ['dyn', 'dyn']
  }

  #call(node: NodeOf<'call'>, scope: Scope | undefined): CelType {
    const { target } = node
    const prefix = target === undefined ? undefined : qualifiedName(target)
    const root = target === undefined ? undefined : memberPath(target)?.[0]
    const shadowed = root !== undefined && findLocal(scope, root) !== undefined
    const full = prefix === undefined || shadowed ? undefined : `${prefix}.${node.name}`
    const named = target === undefined ? node.name : full !== undefined && knownNames(this.#environment).has(full) ? full : undefined
    const isMethod = named === undefined
    const receiver = isMethod && target !== undefined ? [this.type(target, scope, [])] : []
    const args = [...receiver, ...node.args.map((arg) => this.type(arg, scope, []))]
    const name = named ?? node.name
    const functions = findFunctions(this.#environment, { name, method: isMethod, arity: args.length })
    if (functions.length === 0) return this.#unknownFunction(node, name, isMethod, args)
    const chosen = functions.filter((callable) => this.#overload(callSignatures(callable, args.length), args, { keep: false }) !== undefined)
    this.resolutions.set(node, { kind: 'functions', functions: chosen.length > 0 ? chosen : functions, method: isMethod })
    const result = this.#overload(functions.flatMap((callable) => callSignatures(callable, args.length)), args)
    if (result === undefined) return this.#error(node.nameSpan, this.#callMessage(node.name, functions, args, isMethod))
    if (chosen.some((callable) => callable.kind === 'host')) this.#recordCall(node)
    this.#checkPattern(node, name)
    return result
  }

  #recordCall(node: NodeOf<'call'>): void {
    const literals = node.args.map((arg) => {
      if (arg.kind !== 'literal') return undefined
      const { value } = arg
      return value === null || typeof value === 'string' || typeof value === 'number' || typeof value === 'boolean' ? value : undefined
    })
    this.calls.push({ name: node.name, receiver: node.target && memberPath(node.target), literals, offset: node.offset, length: node.length })
  }

  /** A pattern written out is compiled here, so that its mistakes are found before it is ever used. */
  #checkPattern(node: NodeOf<'call'>, name: string): void {
    const pattern = name === 'matches' ? node.args.at(-1) : undefined
    if (pattern?.kind !== 'literal' || typeof pattern.value !== 'string') return
    const regex = regexOf(pattern.value)
    if (typeof regex === 'string') this.#error(pattern, `the pattern is not valid: ${regex}`)
  }

  /** The result of the overloads that take these arguments; dyn if they give different results; undefined if none does. */
  #overload(signatures: readonly Signature[], args: readonly CelType[], { keep } = { keep: true }): CelType | undefined {
    const fitting: { result: CelType; trial: Bindings }[] = []
    for (const { params, result } of signatures) {
      if (params.length !== args.length) continue
      const suffix = `#${this.#fresh++}`
      const trial = this.bindings.fork()
      if (params.every((param, index) => isAssignable(trial, renameParams(param, suffix), args[index] ?? 'dyn'))) {
        fitting.push({ result: renameParams(result, suffix), trial })
      }
    }
    const [only, ...others] = fitting
    if (only === undefined) return undefined
    if (others.length === 0) {
      if (keep) only.trial.keep()
      return resolveType(only.trial, only.result)
    }
    const results = new Set(fitting.map(({ result, trial }) => formatType(settleType(trial, result))))
    return results.size === 1 ? settleType(only.trial, only.result) : 'dyn'
  }

  #unknownFunction(node: NodeOf<'call'>, name: string, isMethod: boolean, args: readonly CelType[]): CelType {
    const counts = [...new Set(findFunctions(this.#environment, { name, method: isMethod, arity: undefined }).map((callable) => callable.arity ?? 0))]
    if (counts.length > 0) {
      const offset = isMethod ? 1 : 0
      const wanted = counts.map((count) => count - offset).sort((a, b) => a - b).join(' or ')
      return this.#error(node.nameSpan, `${node.name} takes ${wanted} arguments, here are ${args.length - offset}`)
    }
    const names = [...knownNames(this.#environment)]
    const found = suggest(name, names)
    const what = isMethod ? 'method' : 'function'
    return this.#error(node.nameSpan, `there is no ${what} ${name}${found === undefined || found === name ? '' : `; did you mean ${found}?`}`, found === name ? undefined : found)
  }

  #callMessage(name: string, functions: readonly Callable[], args: readonly CelType[], isMethod: boolean): string {
    const show = (types: readonly CelType[]): string => types.map((type) => this.#show(type)).join(', ')
    const wanted = functions.flatMap((callable) => callSignatures(callable, args.length)).slice(0, 6)
    const forms = wanted.map(({ params }) => (isMethod ? `${show(params.slice(0, 1))}.${name}(${show(params.slice(1))})` : `${name}(${show(params)})`))
    const given = isMethod ? `${show(args.slice(0, 1))}.${name}(${show(args.slice(1))})` : `${name}(${show(args)})`
    return `there is no ${given}; there is ${forms.join(', ')}`
  }
}
