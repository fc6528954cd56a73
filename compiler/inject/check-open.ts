import { isDeferred } from '../../schemas/deferred.ts'
import type { Json } from '../../schemas/shape.ts'
import { error } from '../diagnostics/diagnostic.ts'
import { rangeOf } from '../parse/document.ts'
import type { Pointer } from '../parse/document.ts'
import { rangeOfAttribute } from './check-attributes.ts'
import { hasDeferred, isSensitive } from './deferred-value.ts'
import type { Evaluator } from './evaluator.ts'
import type { Subject } from './subject.ts'

/**
 * Refuses secrets in the document of a role that runs in the discovery image, and what hangs on one: a machine that boots
 * from the network is not yet known to be what it says, so that nothing is sent there that not everybody may read.
 */
export function checkOpen(evaluator: Evaluator, { subject, attributes, wants }: { readonly subject: Subject; readonly attributes: Json; readonly wants: { readonly [name: string]: Json } }): void {
  const { role, barclamp } = subject
  if (role === null) return
  const { source } = barclamp.document
  const flags = { message: 'it has the flag `discovery`', range: rangeOf(source, ['roles', role.role.name, 'flags']) }
  const fix = 'Leave the secret to a role that runs after the installation.'
  for (const [name, value] of Object.entries(wants)) {
    if (!isSensitive(value)) continue
    evaluator.report(error('ROLE_DISCOVERY', rangeOf(source, ['roles', role.role.name, 'wants', name]), `${role.role.name} runs in the discovery image, which is never given a secret, and the want ${name} is one or hangs on one.`, { related: [flags], fix }))
  }
  for (const pointer of sensitiveIn(attributes, [])) {
    evaluator.report(error('ROLE_DISCOVERY', rangeOfAttribute(subject, pointer, 'value'), `${role.role.name} runs in the discovery image, which is never given a secret, and ${[barclamp.name, ...pointer].join('.')} is one or hangs on one.`, { related: [flags], fix }))
  }
}

function* sensitiveIn(value: Json, pointer: Pointer): Generator<Pointer> {
  if (!hasDeferred(value)) return
  if (isDeferred(value)) {
    if (isSensitive(value)) yield pointer
    return
  }
  for (const [key, item] of Object.entries(value as object)) yield* sensitiveIn(item as Json, [...pointer, Array.isArray(value) ? Number(key) : key])
}
