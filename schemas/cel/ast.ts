import type { CelValue } from './value.ts'

/** Where a node stands in the source, in UTF-16 units. */
export interface Span {
  readonly offset: number
  readonly length: number
}

/** A mistake in the source, in plain words. */
export interface SourceError extends Span {
  readonly message: string
}

/** An element of a list or an entry of a map that is left out when its optional value is none (`[?x]`). */
export interface ListElement {
  readonly value: Expression
  readonly optional: boolean
}

export interface MapEntry {
  readonly key: Expression
  readonly value: Expression
  readonly optional: boolean
}

/** `all(v, …)`, … `transformMap(k, v, …)`; `exists_one` and `existsOne` are one. */
export type MacroName = 'all' | 'exists' | 'existsOne' | 'map' | 'filter' | 'transformList' | 'transformMap'

export type UnaryOperator = '!' | '-'
export type BinaryOperator = '+' | '-' | '*' | '/' | '%' | '==' | '!=' | '<' | '<=' | '>' | '>=' | 'in'

/** One node of a parsed expression. Macros are nodes of their own, not folded into loops. */
export type Expression = Span &
  (
    | { readonly kind: 'literal'; readonly value: CelValue }
    | { readonly kind: 'name'; readonly name: string; readonly absolute: boolean }
    | {
        readonly kind: 'select'
        readonly operand: Expression
        readonly field: string
        readonly optional: boolean
        readonly fieldSpan: Span
      }
    | {
        readonly kind: 'has'
        readonly operand: Expression
        readonly field: string
        readonly optional: boolean
        readonly fieldSpan: Span
      }
    | { readonly kind: 'index'; readonly operand: Expression; readonly index: Expression; readonly optional: boolean }
    | {
        readonly kind: 'call'
        readonly name: string
        readonly target: Expression | undefined
        readonly args: readonly Expression[]
        readonly nameSpan: Span
      }
    | { readonly kind: 'unary'; readonly operator: UnaryOperator; readonly operand: Expression }
    | {
        readonly kind: 'binary'
        readonly operator: BinaryOperator
        readonly left: Expression
        readonly right: Expression
        readonly operatorSpan: Span
      }
    | {
        readonly kind: 'logical'
        readonly operator: '&&' | '||'
        readonly left: Expression
        readonly right: Expression
      }
    | { readonly kind: 'conditional'; readonly test: Expression; readonly yes: Expression; readonly no: Expression }
    | { readonly kind: 'list'; readonly elements: readonly ListElement[] }
    | { readonly kind: 'map'; readonly entries: readonly MapEntry[] }
    /**
     * `variables` has one name (element or key) or two (index and element, key and value). `filter` is the middle
     * argument of `map(x, filter, body)`.
     */
    | {
        readonly kind: 'macro'
        readonly macro: MacroName
        readonly range: Expression
        readonly variables: readonly string[]
        readonly filter: Expression | undefined
        readonly body: Expression
      }
    /** `cel.bind(variable, value, body)`; with `flat`: optMap and optFlatMap, which bind what the optional holds. */
    | {
        readonly kind: 'bind'
        readonly form: 'bind' | 'optMap' | 'optFlatMap'
        readonly variable: string
        readonly value: Expression
        readonly body: Expression
      }
  )

/** One kind of node. */
export type NodeOf<K extends Expression['kind']> = Extract<Expression, { readonly kind: K }>
