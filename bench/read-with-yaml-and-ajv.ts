import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { Ajv2020 } from 'ajv/dist/2020.js'
import type { ValidateFunction } from 'ajv'
import { parseAllDocuments } from 'yaml'
import { DOCUMENT_SHAPES } from '../schemas/documents/kinds.ts'
import { inventoryShape } from '../schemas/inventory.ts'

/** The peer of bench/compile.ts: reads every document of a site with `yaml`, and checks each against its schema. */
const folder = process.argv[2] ?? '.'
const ajv = new Ajv2020({ strict: false })
const checks = new Map<string, ValidateFunction>(Object.entries(DOCUMENT_SHAPES).map(([kind, shape]) => [kind, ajv.compile(shape.json)]))
const facts = ajv.compile(inventoryShape.json)
let wrong = 0
for (const entry of readdirSync(folder, { recursive: true, withFileTypes: true })) {
  if (!entry.isFile() || !/\.(ya?ml|json)$/.test(entry.name) || entry.name === 'site.lock.json') continue
  const text = readFileSync(join(entry.parentPath, entry.name), 'utf8')
  const documents: unknown[] = entry.name.endsWith('.json') ? [JSON.parse(text)] : parseAllDocuments(text).map((document) => document.toJS() as unknown)
  for (const document of documents) {
    const check = 'facts' in (document as object) ? facts : checks.get((document as { kind: string }).kind)
    if (check?.(document) !== true) wrong++
  }
}
if (wrong > 0) throw new Error(`${wrong} documents are not what their schemas say`)
