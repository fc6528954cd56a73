import { expandMacro } from './macro.ts'
import { lex } from './lex.ts'
import type { Token } from './lex.ts'
import { qualifiedName } from './qualified-name.ts'
import { Double, shrink } from './value.ts'
import type { BinaryOperator, Expression, ListElement, MapEntry, SourceError, Span } from './ast.ts'

/** Longest source of one expression, in UTF-16 units. */
export const MAX_LENGTH = 65_536
/** Deepest nesting of one expression, counting parentheses, arguments, operators and selections alike. */
export const MAX_DEPTH = 400

/** What a source is: an expression, or the first mistake in it. */
export type ParseResult =
  | { readonly ast: Expression; readonly errors: readonly [] }
  | { readonly ast: undefined; readonly errors: readonly [SourceError] }

/**
 * Parses one CEL expression, macros included.
 *
 * Offsets are in UTF-16 units of `source`. Never throws, whatever the source: one that is too long or too deep is an
 * error like any other. Grammar: CEL language definition, "Syntax", with optional selection (`a.?b`, `a[?b]`, `[?a]`),
 * quoted fields (a.`b-c`) and the two-variable macros; messages (`Name{field: value}`) are an error.
 */
export function parse(source: string): ParseResult {
  if (source.length > MAX_LENGTH) {
    const message = `the expression is longer than ${MAX_LENGTH} characters`
    return { ast: undefined, errors: [{ message, offset: MAX_LENGTH, length: source.length - MAX_LENGTH }] }
  }
  try {
    return { ast: new Parser(source).parse(), errors: [] }
  } catch (error) {
    if (!(error instanceof SyntaxFault)) throw error
    return { ast: undefined, errors: [error.at] }
  }
}

class SyntaxFault extends Error {
  readonly at: SourceError
  constructor(message: string, span: Span) {
    super(message)
    this.at = { message, offset: span.offset, length: span.length }
  }
}

const RESERVED: ReadonlySet<string> = new Set([
  'as',
  'break',
  'const',
  'continue',
  'else',
  'for',
  'function',
  'if',
  'import',
  'let',
  'loop',
  'package',
  'namespace',
  'return',
  'var',
  'void',
  'while',
  'in',
  'true',
  'false',
  'null',
])

const POWER: Readonly<Record<string, number>> = {
  '||': 1,
  '&&': 2,
  '==': 3,
  '!=': 3,
  '<': 3,
  '<=': 3,
  '>': 3,
  '>=': 3,
  in: 3,
  '+': 4,
  '-': 4,
  '*': 5,
  '/': 5,
  '%': 5,
}

class Parser {
  readonly #source: string
  #token: Token
  #depth = 0
  /** Height of every node built so far, so that a long chain of operators is bounded too. */
  readonly #height = new WeakMap<Expression, number>()

  constructor(source: string) {
    this.#source = source
    this.#token = lex(source, 0)
  }

  parse(): Expression {
    if (this.#atEnd()) throw new SyntaxFault('the expression is empty', { offset: 0, length: 0 })
    const ast = this.#expression()
    if (!this.#atEnd()) this.#unexpected('an operator or the end')
    return ast
  }

  #atEnd(): boolean {
    return this.#token.kind === 'end'
  }

  #unexpected(wanted: string): never {
    const { kind, text } = this.#token
    if (kind === 'error') throw new SyntaxFault(text, this.#token)
    const found =
      kind === 'end' ? 'the expression ends here' : `found ${text.length > 40 ? `${text.slice(0, 40)}…` : text}`
    throw new SyntaxFault(`expected ${wanted}, ${found}`, this.#token)
  }

  #take(): Token {
    const token = this.#token
    if (token.kind === 'error') throw new SyntaxFault(token.text, token)
    this.#token = lex(this.#source, token.offset + token.length)
    return token
  }

  #is(text: string): boolean {
    return this.#token.kind === 'punctuation' && this.#token.text === text
  }

  #accept(text: string): boolean {
    if (!this.#is(text)) return false
    this.#take()
    return true
  }

  #expect(text: string, wanted = text): Token {
    if (!this.#is(text)) this.#unexpected(wanted)
    return this.#take()
  }

  #node<T extends Expression>(node: T, ...children: readonly (Expression | undefined)[]): T {
    let height = 0
    for (const child of children) if (child !== undefined) height = Math.max(height, this.#height.get(child) ?? 0)
    if (height + 1 > MAX_DEPTH) throw this.#tooDeep(node)
    this.#height.set(node, height + 1)
    return node
  }

  #tooDeep(span: Span): SyntaxFault {
    return new SyntaxFault(`the expression is nested deeper than ${MAX_DEPTH} levels`, {
      offset: span.offset,
      length: Math.min(span.length, 1),
    })
  }

  #expression(): Expression {
    if (++this.#depth > MAX_DEPTH) throw this.#tooDeep(this.#token)
    const test = this.#binary(1)
    if (!this.#accept('?')) {
      this.#depth--
      return test
    }
    const yes = this.#binary(1)
    this.#expect(':', ': and the value otherwise')
    const no = this.#expression()
    this.#depth--
    return this.#node({ kind: 'conditional', test, yes, no, ...between(test, no) }, test, yes, no)
  }

  #operator(): string | undefined {
    const { kind, text } = this.#token
    if (kind === 'punctuation' || (kind === 'name' && text === 'in')) return text
    return undefined
  }

  #binary(power: number): Expression {
    let left = this.#unary()
    for (;;) {
      const operator = this.#operator()
      const binding = operator !== undefined && Object.hasOwn(POWER, operator) ? (POWER[operator] ?? 0) : 0
      if (operator === undefined || binding < power) return left
      const operatorSpan = spanOf(this.#take())
      const right = this.#binary(binding + 1)
      const span = between(left, right)
      left =
        operator === '&&' || operator === '||'
          ? this.#node({ kind: 'logical', operator, left, right, ...span }, left, right)
          : this.#node(
              { kind: 'binary', operator: operator as BinaryOperator, left, right, operatorSpan, ...span },
              left,
              right,
            )
    }
  }

  #unary(): Expression {
    const operators: Token[] = []
    while (this.#is('!') || this.#is('-')) operators.push(this.#take())
    if (operators.length > MAX_DEPTH) throw this.#tooDeep(this.#token)
    const minus = operators.at(-1)?.text === '-' && this.#token.kind === 'number' ? operators.pop() : undefined
    let node = this.#member(this.#primary(minus))
    for (const token of operators.toReversed()) {
      node = this.#node(
        { kind: 'unary', operator: token.text === '!' ? '!' : '-', operand: node, ...between(token, node) },
        node,
      )
    }
    return node
  }

  #member(start: Expression): Expression {
    let node = start
    for (;;) {
      if (this.#accept('.')) node = this.#selection(node)
      else if (this.#accept('[')) {
        const optional = this.#accept('?')
        const index = this.#expression()
        const close = this.#expect(']')
        node = this.#node({ kind: 'index', operand: node, index, optional, ...between(node, close) }, node, index)
      } else if (this.#is('{') && qualifiedName(node) !== undefined) {
        throw new SyntaxFault('messages cannot be made here; a map is written {"key": value}', this.#token)
      } else return node
    }
  }

  #selection(operand: Expression): Expression {
    const optional = this.#accept('?')
    const token = this.#token
    if (token.kind !== 'name' && token.kind !== 'quoted') this.#unexpected('a field or function name')
    this.#take()
    if (token.kind === 'name' && !optional && this.#is('(')) return this.#call(token, operand)
    const fieldSpan = spanOf(token)
    return this.#node(
      { kind: 'select', operand, field: token.text, optional, fieldSpan, ...between(operand, token) },
      operand,
    )
  }

  #call(name: Token, target: Expression | undefined): Expression {
    this.#expect('(')
    const args: Expression[] = []
    while (!this.#is(')')) {
      args.push(this.#expression())
      if (!this.#accept(',')) break
    }
    const close = this.#expect(')', ', or )')
    const span = between(target ?? name, close)
    const macro = expandMacro(name.text, target, args, span)
    if (macro !== undefined && 'message' in macro) throw new SyntaxFault(macro.message, macro)
    if (macro !== undefined) return this.#node(macro, target, ...args)
    return this.#node({ kind: 'call', name: name.text, target, args, nameSpan: spanOf(name), ...span }, target, ...args)
  }

  #primary(minus: Token | undefined): Expression {
    const token = this.#token
    if (token.kind === 'number') return this.#number(this.#take(), minus)
    if (token.kind === 'literal') return this.#node({ kind: 'literal', value: this.#take().value, ...spanOf(token) })
    if (this.#accept('(')) {
      const inner = this.#expression()
      this.#expect(')', 'an operator or )')
      return inner
    }
    if (this.#accept('[')) return this.#list(token)
    if (this.#accept('{')) return this.#map(token)
    const absolute = this.#accept('.')
    if (this.#token.kind !== 'name') this.#unexpected('a value')
    const name = this.#take()
    const constant = { true: true, false: false, null: null }[name.text]
    if (constant !== undefined && !absolute) return this.#node({ kind: 'literal', value: constant, ...spanOf(name) })
    if (RESERVED.has(name.text)) throw new SyntaxFault(`${name.text} is a reserved word and cannot be a name`, name)
    if (this.#is('(')) return this.#call(name, undefined)
    return this.#node({ kind: 'name', name: name.text, absolute, ...between(token, name) })
  }

  #number(token: Token, minus: Token | undefined): Expression {
    const span = between(minus ?? token, token)
    const { magnitude, value } = token
    if (magnitude !== undefined && magnitude > (minus === undefined ? 2n ** 63n - 1n : 2n ** 63n)) {
      throw new SyntaxFault('number out of range: an int is at most 9223372036854775807', span)
    }
    const literal = this.#node({
      kind: 'literal',
      value: minus === undefined ? value : negate(value, magnitude),
      ...span,
    })
    // -5u has no value; as an operator it gets the usual "does not apply to uint".
    if (minus !== undefined && literal.value === null) {
      const operand = this.#node({ kind: 'literal', value, ...spanOf(token) })
      return this.#node({ kind: 'unary', operator: '-', operand, ...span }, operand)
    }
    return literal
  }

  #list(open: Token): Expression {
    const elements: ListElement[] = []
    while (!this.#is(']')) {
      const optional = this.#accept('?')
      elements.push({ optional, value: this.#expression() })
      if (!this.#accept(',')) break
    }
    const close = this.#expect(']', ', or ]')
    return this.#node({ kind: 'list', elements, ...between(open, close) }, ...elements.map((element) => element.value))
  }

  #map(open: Token): Expression {
    const entries: MapEntry[] = []
    while (!this.#is('}')) {
      const optional = this.#accept('?')
      const key = this.#expression()
      this.#expect(':', ': and the value of this key')
      entries.push({ optional, key, value: this.#expression() })
      if (!this.#accept(',')) break
    }
    const close = this.#expect('}', ', or }')
    return this.#node(
      { kind: 'map', entries, ...between(open, close) },
      ...entries.flatMap((entry) => [entry.key, entry.value]),
    )
  }
}

function negate(value: Token['value'], magnitude: bigint | undefined): Token['value'] {
  if (magnitude !== undefined) return shrink(-magnitude)
  if (value instanceof Double) return new Double(-value.value)
  return typeof value === 'number' ? -value : null
}

function spanOf({ offset, length }: Span): Span {
  return { offset, length }
}

function between(first: Span, last: Span): Span {
  return { offset: first.offset, length: last.offset + last.length - first.offset }
}
