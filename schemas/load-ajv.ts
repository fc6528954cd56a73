import { createRequire } from 'node:module'
import type * as ajv from 'ajv/dist/2020.js'

const load = createRequire(import.meta.url)

/** The full JSON Schema validator, loaded when it is first asked for: its eighty modules take longer than a small plan. */
export function loadAjv(): typeof ajv {
  return load('ajv/dist/2020.js') as typeof ajv
}
