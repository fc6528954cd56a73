import { diagnosticShape } from './diagnostic.ts'
import { boolean, list, literal, nullable, object, string } from './shape.ts'
import type { TypeOf } from './shape.ts'

/**
 * `result.json`, what one run of `crowbar compile` says about itself. Beside it in the same folder, when `ok`:
 * `plan.json`, `changes.json` (against the ledger), `site.lock.json`, and `blobs/<sha256 hex>`: every file of `plan.contents`.
 */
export const compilationShape = object({
  version: literal(1),
  ok: boolean('false: the site is at fault; the diagnostics say why and nothing else was written.'),
  commit: nullable(string()),
  lockChanged: boolean('The lock beside this file differs from the committed one: commit it before anything runs.'),
  baseFound: boolean('false: there is no ledger yet.'),
  diagnostics: list(diagnosticShape),
})
export type Compilation = TypeOf<typeof compilationShape>
