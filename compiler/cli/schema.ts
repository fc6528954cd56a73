import { changesShape } from '../../schemas/changes.ts'
import { diagnosticShape } from '../../schemas/diagnostic.ts'
import { DOCUMENT_SHAPES } from '../../schemas/documents/kinds.ts'
import { inventoryShape } from '../../schemas/inventory.ts'
import { lockShape } from '../../schemas/lock.ts'
import { planShape } from '../../schemas/plan.ts'
import type { JsonSchema, Shape } from '../../schemas/shape.ts'
import { suggest } from '../../schemas/cel/suggest.ts'
import { caseShape } from '../barclamp/test-case.ts'
import { EXIT, misused } from './session.ts'

const DIALECT = 'https://json-schema.org/draft/2020-12/schema'

/** Schemas of what Crowbar writes; those of what people write are DOCUMENT_SHAPES. */
const WRITTEN: Readonly<Record<string, Shape<unknown>>> = { lock: lockShape, 'machine-facts': inventoryShape, plan: planShape, changes: changesShape, diagnostic: diagnosticShape }

/** `crowbar schema [KIND]`. */
export function schemaCommand(kind: string | undefined): number {
  const shapes: Readonly<Record<string, Shape<unknown>>> = { ...DOCUMENT_SHAPES, 'barclamp-test': caseShape, ...WRITTEN }
  if (kind !== undefined && !Object.hasOwn(shapes, kind)) {
    const guess = suggest(kind, Object.keys(shapes))
    return misused(`there is no schema ${JSON.stringify(kind)}${guess === undefined ? `; schemas: ${Object.keys(shapes).join(', ')}` : `; did you mean ${guess}?`}`)
  }
  const schema = kind === undefined ? anyDocument() : (shapes[kind] as Shape<unknown>).json
  process.stdout.write(`${JSON.stringify({ $schema: DIALECT, ...schema }, null, 2)}\n`)
  return EXIT.done
}

/** Chosen by `kind`, so that an editor complains about the fields of that kind and not about all kinds at once. */
function anyDocument(): JsonSchema {
  return {
    type: 'object',
    required: ['kind'],
    properties: { kind: { enum: Object.keys(DOCUMENT_SHAPES) } },
    // oxlint-disable-next-line unicorn/no-thenable -- the keyword of JSON Schema
    allOf: Object.entries(DOCUMENT_SHAPES).map(([kind, shape]) => ({ if: { properties: { kind: { const: kind } }, required: ['kind'] }, then: shape.json })),
  }
}
