import { ansibleProblem } from '../../schemas/ansible-name.ts'
import { cfengineProblem } from '../../schemas/cfengine-value.ts'
import { isDeferred } from '../../schemas/deferred.ts'
import type { Json } from '../../schemas/shape.ts'
import { error } from '../diagnostics/diagnostic.ts'
import { rangeOf } from '../parse/document.ts'
import type { Pointer } from '../parse/document.ts'
import { rangeOfAttribute } from './check-attributes.ts'
import type { Evaluator } from './evaluator.ts'
import type { Subject } from './subject.ts'

/**
 * Refuses what the tool of a role cannot be given as it is: the node would only find out in the middle of a run. What is
 * deferred is left to the node.
 */
export function checkJigValues(evaluator: Evaluator, { subject, attributes, wants }: { readonly subject: Subject; readonly attributes: Json; readonly wants: { readonly [name: string]: Json } }): void {
  const { role, barclamp } = subject
  const jig = role?.role.declaration.jig
  if (role === null || (jig !== 'cfengine' && jig !== 'ansible')) return
  const { source } = barclamp.document
  const runs = { message: `${role.role.name} runs by the jig ${jig}`, range: rangeOf(source, ['roles', role.role.name, 'jig']) }
  const refuse = (range: Parameters<typeof error>[1], what: string, fix: string): void => evaluator.report(error('JIG_VALUE', range, what, { related: [runs], fix }))
  const name = jig === 'ansible' ? ansibleProblem(barclamp.name) : undefined
  if (name !== undefined) refuse(rangeOf(source, ['name']), `${barclamp.name} ${name}, so ${role.role.name} could not read its attributes.`, 'Give the barclamp another name.')
  if (jig !== 'cfengine') return
  for (const { pointer, problem } of problemsIn(attributes, [])) {
    refuse(rangeOfAttribute(subject, pointer, 'value'), `${[barclamp.name, ...pointer].join('.')} ${problem}.`, 'Write it without, or let another tool do what the role does.')
  }
  for (const [want, value] of Object.entries(wants)) {
    for (const { pointer, problem } of problemsIn(value, [])) refuse(rangeOf(source, ['roles', role.role.name, 'wants', want]), `${['wants', want, ...pointer].join('.')} ${problem}.`, 'Change what it comes from, or let another tool do what the role does.')
  }
}

function* problemsIn(value: Json, pointer: Pointer): Generator<{ readonly pointer: Pointer; readonly problem: string }> {
  if (isDeferred(value)) return
  const name = pointer.at(-1)
  const problem = cfengineProblem(value, typeof name === 'string' ? name : undefined)
  if (problem !== undefined) yield { pointer, problem }
  else if (value !== null && typeof value === 'object') for (const [key, item] of Object.entries(value)) yield* problemsIn(item as Json, [...pointer, Array.isArray(value) ? Number(key) : key])
}
