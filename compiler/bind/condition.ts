import type { Report } from '../../schemas/diagnostic.ts'
import type { Environment } from '../../schemas/cel/environment.ts'
import { compile, evaluate } from '../../schemas/cel/evaluate.ts'
import type { CelValue } from '../../schemas/cel/value.ts'
import { error, warning } from '../diagnostics/diagnostic.ts'
import { expressionInvalid, failureAdvice } from '../diagnostics/expression-problem.ts'
import { rangeInside } from '../parse/document.ts'
import type { Pointer, SourceDocument } from '../parse/document.ts'

/** What a condition says: `unknown` hangs on facts of a machine that has not been seen. */
export type Verdict = boolean | 'unknown'

/** A `when` or `where`, ready to be asked. `subject` names whom it is asked about, for the message when it fails. */
export type Condition = (bindings: Readonly<Record<string, CelValue>>, subject: string) => Verdict

export interface ConditionSource {
  readonly text: string
  readonly document: SourceDocument
  readonly pointer: Pointer
  readonly environment: Environment
}

/**
 * Compiles a condition. One that is not valid CEL, or does not give a bool, is reported once and is never met. One that
 * fails for some subject (a field that this machine lacks) is a warning and is not met there.
 */
export function compileCondition({ text, document, pointer, environment }: ConditionSource, report: Report): Condition {
  const compiled = compile(text, environment)
  const place = (span: { readonly offset: number; readonly length: number }) => rangeInside(document, pointer, span.offset, span.offset + span.length)
  if (compiled.program === undefined) {
    for (const found of compiled.errors) {
      report(expressionInvalid(found, place(found)))
    }
    return () => false
  }
  const { program } = compiled
  if (program.type !== 'bool' && program.type !== 'dyn') {
    report(error('EXPRESSION_INVALID', place({ offset: 0, length: text.length }), 'A condition has to be true or false.', { fix: `Compare it with something, such as \`${program.type === 'string' ? "… == 'text'" : '… > 0'}\`.` }))
    return () => false
  }
  return (bindings, subject) => {
    const result = evaluate(program, bindings)
    if (result.kind === 'unknown') return 'unknown'
    if (result.kind === 'value' && typeof result.value === 'boolean') return result.value
    const message = result.kind === 'error' ? result.message : 'it is neither true nor false'
    const span = result.kind === 'error' ? result : { offset: 0, length: text.length }
    report(warning('EXPRESSION_FAILED', place(span), `The condition fails for ${subject}: ${message}.`, { detail: 'It counts as not met there.', fix: failureAdvice(message) }))
    return false
  }
}
