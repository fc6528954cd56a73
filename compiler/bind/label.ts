import { compileTemplate } from '../../schemas/cel/template.ts'
import type { CelValue } from '../../schemas/cel/value.ts'
import type { Report } from '../../schemas/diagnostic.ts'
import type { RuleDocument } from '../../schemas/documents/rule.ts'
import { evaluateJson, MACHINE_ENVIRONMENT } from '../../schemas/expression.ts'
import { warning } from '../diagnostics/diagnostic.ts'
import { expressionInvalid, failureAdvice } from '../diagnostics/expression-problem.ts'
import { rangeInside, rangeOf } from '../parse/document.ts'
import type { Located } from '../validate/site.ts'

export interface LabelSource {
  readonly text: string
  readonly rule: Located<RuleDocument>
  readonly name: string
  readonly bindings: Readonly<Record<string, CelValue>>
  readonly subject: string
}

/** The value of a label that a rule sets, `${machine…}` filled in. Without a value for this machine: a warning, and undefined. */
export function evaluateLabel({ text, rule, name, bindings, subject }: LabelSource, report: Report): string | undefined {
  const pointer = ['set', 'labels', name]
  const compiled = compileTemplate(text, MACHINE_ENVIRONMENT)
  for (const found of compiled.errors) {
    report(expressionInvalid(found, rangeInside(rule.source, pointer, found.offset, found.offset + found.length)))
  }
  if (compiled.program === undefined) return undefined
  const result = evaluateJson(compiled.program, bindings)
  if (result.kind === 'value' && (typeof result.value === 'string' || typeof result.value === 'number' || typeof result.value === 'boolean')) return String(result.value)
  const message = result.kind === 'error' ? result.message : 'it gives no text'
  report(warning('EXPRESSION_FAILED', rangeOf(rule.source, pointer), `The label ${name} has no value for ${subject}: ${message}.`, { fix: failureAdvice(message) }))
  return undefined
}
