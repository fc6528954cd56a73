import { compile, evaluate } from './evaluate.ts'
import type { CompileResult, EvaluateOptions, Evaluation, Program } from './evaluate.ts'
import { fail } from './frame.ts'
import type { Bindings, Frame, Run } from './frame.ts'
import { findClosingBrace } from './lex.ts'
import { toText } from './library/convert.ts'
import { merge, unknownIn } from './unknown.ts'
import { Duration, Failure, typeWord, Timestamp } from './value.ts'
import type { CelValue, Unknown } from './value.ts'
import { formatType } from './type.ts'
import type { CelType } from './type.ts'
import type { CheckError, HostCall } from './check-result.ts'
import type { Environment } from './environment.ts'
import type { SourceError, Span } from './ast.ts'

/** A piece of a template. Of an expression, `source` is what stands between the braces, and the span is its. */
export type TemplatePart = Span &
  ({ readonly kind: 'text'; readonly text: string } | { readonly kind: 'expression'; readonly source: string })

export type TemplateResult =
  | { readonly parts: readonly TemplatePart[]; readonly errors: readonly [] }
  | { readonly parts: undefined; readonly errors: readonly [SourceError] }

/**
 * Splits a text at its `${…}`. Braces and strings inside an expression nest; `$${` stands for the characters `${`, any
 * other `$` for itself. Offsets are UTF-16 units of the text.
 */
export function parseTemplate(text: string): TemplateResult {
  const parts: TemplatePart[] = []
  let literal = ''
  let start = 0
  let at = 0
  const flush = (): void => {
    if (literal !== '') parts.push({ kind: 'text', text: literal, offset: start, length: at - start })
    literal = ''
  }
  while (at < text.length) {
    const dollar = text.indexOf('$', at)
    const next = dollar < 0 ? text.length : dollar
    literal += text.slice(at, next)
    at = next
    if (text.startsWith('$${', at)) {
      literal += '${'
      at += 3
    } else if (text.startsWith('${', at)) {
      const end = findClosingBrace(text, at + 2)
      if (typeof end !== 'number') return { parts: undefined, errors: [end] }
      flush()
      parts.push({ kind: 'expression', source: text.slice(at + 2, end), offset: at + 2, length: end - at - 2 })
      at = end + 1
      start = at
    } else if (at < text.length) {
      literal += '$'
      at++
    }
  }
  flush()
  return { parts, errors: [] }
}

/** The template that stands for exactly this text. */
export function escapeTemplate(text: string): string {
  return text.replaceAll('${', () => '$${')
}

/**
 * Compiles a text with `${…}` in it. One that is exactly one expression keeps that expression's type; of any other the
 * parts become text and are joined. Only string, int, uint, double and bool have a text; what cannot have one is an
 * error here if its type is known, else when it is evaluated. All spans are offsets into the text.
 */
export function compileTemplate(text: string, environment: Environment): CompileResult {
  const { parts, errors } = parseTemplate(text)
  if (parts === undefined) return { program: undefined, errors }
  const [only] = parts
  const single = parts.length === 1 && only?.kind === 'expression'
  const found: CheckError[] = []
  const compiled = parts.map((part): Compiled => {
    if (part.kind === 'text') return { part, program: undefined }
    const { program, errors: mistakes } = compile(part.source, environment)
    for (const mistake of mistakes) found.push({ ...mistake, offset: mistake.offset + part.offset })
    if (program !== undefined && !single && !hasText(program.type)) {
      found.push({
        message: `${formatType(program.type)} has no text to put into a string`,
        offset: part.offset,
        length: part.length,
      })
    }
    return { part, program }
  })
  if (found.length > 0) return { program: undefined, errors: found }
  const programs = compiled.flatMap(({ program }) => program ?? [])
  const type = single ? (programs[0]?.type ?? 'dyn') : 'string'
  const run: Run = single ? (frame) => runPart(frame, compiled[0]) : (frame) => joinParts(frame, compiled)
  return { program: { source: text, type, reads: union(programs), calls: shiftCalls(compiled), run }, errors: [] }
}

/** Evaluates a compiled template, with one cost limit for all of it. */
export function evaluateTemplate(template: Program, bindings: Bindings, options: EvaluateOptions = {}): Evaluation {
  return evaluate(template, bindings, options)
}

interface Compiled {
  readonly part: TemplatePart
  readonly program: Program | undefined
}

function hasText(type: CelType): boolean {
  return (
    type === 'dyn' || type === 'string' || type === 'int' || type === 'uint' || type === 'double' || type === 'bool'
  )
}

function union(programs: readonly Program[]): Program['reads'] {
  const reads = new Map(programs.flatMap((program) => program.reads.map((read) => [read.join('\0'), read] as const)))
  return [...reads].sort(([a], [b]) => (a < b ? -1 : 1)).map(([, read]) => read)
}

function shiftCalls(compiled: readonly Compiled[]): readonly HostCall[] {
  return compiled.flatMap(({ part, program }) =>
    (program?.calls ?? []).map((call) => ({ ...call, offset: call.offset + part.offset })),
  )
}

function runPart(frame: Frame, compiled: Compiled | undefined): CelValue {
  if (compiled === undefined) return ''
  const { part, program } = compiled
  if (part.kind === 'text' || program === undefined) return part.kind === 'text' ? part.text : ''
  frame.base = part.offset
  const value = program.run(frame)
  if (!(value instanceof Failure)) return value
  return new Failure(value.message, Math.max(0, value.offset) + part.offset, value.length, value.missing)
}

function joinParts(frame: Frame, compiled: readonly Compiled[]): CelValue {
  const texts: string[] = []
  let waiting: Unknown | undefined
  for (const each of compiled) {
    const value = runPart(frame, each)
    if (value instanceof Failure) return value
    const inputs = unknownIn(frame, value)
    const text = value instanceof Timestamp || value instanceof Duration ? undefined : toText(value)
    if (inputs !== undefined) waiting = merge(waiting, inputs)
    else if (text === undefined) return fail(each.part, `${typeWord(value)} has no text to put into a string`)
    else texts.push(text)
    frame.charge(1 + ((text?.length ?? 0) >> 3))
  }
  return waiting ?? texts.join('')
}
