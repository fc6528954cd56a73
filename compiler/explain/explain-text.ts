import { canonical } from '../../schemas/canonical.ts'
import { isDeferred } from '../../schemas/deferred.ts'
import { shownVersion } from '../../schemas/secret-file.ts'
import type { Json } from '../../schemas/shape.ts'
import { inputsOf, pendingOn } from '../inject/deferred-value.ts'
import { placeOf } from '../parse/document.ts'
import type { ExplainedRole, ExplainedValue } from './explain.ts'

/** What `crowbar explain` prints: for each value its layers, the winner marked, the losers below it, and what it was made from. */
export function explainText(roles: readonly ExplainedRole[]): string {
  return roles.map(({ id, values }) => [id, ...values.flatMap(valueLines), ''].join('\n')).join('\n')
}

function valueLines({ path, value, layers, inputs }: ExplainedValue): readonly string[] {
  const width = Math.max(...layers.map(({ layer }) => layer.length))
  return [
    `  ${path} = ${shown(value)}`,
    ...layers.map(({ layer, value: said, range, wins }) => `    ${wins ? '>' : ' '} ${layer.padEnd(width)}  ${placeOf(range)}  ${shown(said)}`),
    ...inputs.map(({ path: read, value: got, deferred }) => `      read ${read}${deferred ? ': known later' : ` = ${shown(got)}`}`),
  ]
}

/** A value on one line. What is known later says what it waits for; a secret is never shown, because it is not there. */
function shown(value: Json): string {
  if (value === null || typeof value !== 'object') return canonical(value)
  if (!isDeferred(value)) return shorten(canonical(value))
  const { type } = value.deferred
  const pending = pendingOn(value)
  if (pending !== undefined) return `(${type}, known later: ${pending})`
  // What it reads may wait for other values in turn.
  const from = [...inputsOf(value)].map((input) => ('secret' in input ? `secret ${input.secret} ${shownVersion(input.version)}` : `${input.provide} of ${input.step}`))
  return `(${type}, known later: ${[...new Set(from)].join(', ')})`
}

function shorten(text: string): string {
  return text.length <= 100 ? text : `${text.slice(0, 97)}...`
}
