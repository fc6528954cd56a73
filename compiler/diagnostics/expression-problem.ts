import type { Diagnostic, Range } from '../../schemas/diagnostic.ts'
import { error } from './diagnostic.ts'
import type { More } from './diagnostic.ts'

/** What the expression language says is wrong with an expression. */
export interface Found {
  readonly message: string
  readonly suggestion?: string
}

/** An expression that is no CEL, or reads what nothing lets it read. The name that was meant is the fix; `more.fix` is said without one. */
export function expressionInvalid({ message, suggestion }: Found, range: Range, more: More = {}): Diagnostic {
  const fix = suggestion === undefined ? (more.fix ?? advice(message)) : `Did you mean ${suggestion}?`
  return error('EXPRESSION_INVALID', range, `${sentence(message)}.`, { ...more, fix })
}

/** A message as the beginning of a sentence, without a guess that the fix says. */
export function sentence(message: string): string {
  const told = message.replace(/; did you mean [^?]*\?$/, '')
  return told.charAt(0).toUpperCase() + told.slice(1)
}

/** By what the message says. */
const ADVICE: readonly (readonly [RegExp, string])[] = [
  [/^a single = /, 'Write ==.'],
  [/found and$/, 'Write && for and.'],
  [/found or$/, 'Write || for or.'],
  [/found (?:is|not)$/, 'Write == or !=, and ! for not.'],
  [/"\$"/, 'Write the expression without ${ and }.'],
  [/no matching \}/, 'Close it with }, or write $${ for the text itself.'],
  [/empty/, 'Write what is to stand here, such as ${node.name}.'],
  [/which are never equal/, 'Compare values of one type; `x in list` asks whether a list holds something.'],
  [/does not join/, 'Convert one of them: string(), int() and double() do.'],
  [/does not apply to/, 'Compare values of one type: int(), double() and string() convert.'],
  [/pattern/, 'Patterns are those of RE2: no back-references, no look-around.'],
]

function advice(message: string): string {
  const variables = /^there is no variable \w+; there (?:is|are) (.+)$/.exec(message)?.[1]
  if (variables !== undefined) return `Read ${variables.includes(',') ? 'one of ' : ''}${variables}.`
  return ADVICE.find(([when]) => when.test(message))?.[1] ?? 'Expressions are CEL; `Expressions` in docs/formats.md has what they may read.'
}

/** By what fails, for an expression that is right and meets a value that it cannot take. */
const FAILURE_ADVICE: readonly (readonly [RegExp, string])[] = [
  [/cost/, 'Let it do less: a macro inside another one runs for each item of both lists.'],
  [/out of range|no slice|substring/, 'Ask for size() first.'],
  [/by zero/, 'Ask first whether it is 0.'],
  [/clause of format|lone %|cannot show|has no argument|precision/, 'Write a clause such as %s, %d or %.2f for each argument, and %% for a percent sign.'],
  [/pattern/, 'Patterns are those of RE2: no back-references, no look-around.'],
  [/ is not a | is not an | does not fit|date and time/, 'Give it a value that is one.'],
]

/** What to change when the evaluation of an expression fails. */
export function failureAdvice(message: string): string {
  return FAILURE_ADVICE.find(([when]) => when.test(message))?.[1] ?? 'Ask with has() before reading what not everything has.'
}
