import { isDeferred } from '../../schemas/deferred.ts'
import type { Json } from '../../schemas/shape.ts'
import type { WantedSecret } from './secrets.ts'

/** Every secret that a document hangs on, once each, in the order of the document. Nothing is evaluated. */
export function secretsOfDocument(document: Json): readonly WantedSecret[] {
  const found = new Map<string, WantedSecret>()
  collect(document, found)
  return [...found.values()]
}

function collect(value: Json, found: Map<string, WantedSecret>): void {
  if (value === null || typeof value !== 'object') return
  if (isDeferred(value)) {
    for (const input of Object.values(value.deferred.inputs)) if ('secret' in input) found.set(`${input.secret}\n${input.version}`, input)
    collect(value.deferred.scope, found)
    return
  }
  for (const item of Object.values(value)) collect(item as Json, found)
}
