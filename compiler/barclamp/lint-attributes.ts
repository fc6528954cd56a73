import type { Report } from '../../schemas/diagnostic.ts'
import type { Json } from '../../schemas/shape.ts'
import { error, warning } from '../diagnostics/diagnostic.ts'
import { compileSchema } from '../inject/schema.ts'
import { rangeOf } from '../parse/document.ts'
import type { Pointer } from '../parse/document.ts'
import type { ResolvedBarclamp } from '../resolve/resolved-site.ts'

/** Says what is wrong with the schema of a barclamp's attributes and with the defaults in it. */
export function lintAttributes(barclamp: ResolvedBarclamp, report: Report): void {
  const { value, source } = barclamp.document
  const { attributes } = value
  const schema = compileSchema(barclamp, report)
  if (attributes !== undefined) {
    const open = attributes['additionalProperties']
    if (open === undefined || open === true) report(warning('LINT_SCHEMA_OPEN', rangeOf(source, ['attributes'], 'key'), 'Attributes that the schema does not name are allowed, so that a misspelt one is not noticed.', { fix: 'Say `additionalProperties: false`.' }))
    describe(attributes as Json, ['attributes'], { barclamp, report })
  }
  const layers = [{ value: schema.defaults?.value, at: (pointer: Pointer) => schema.defaults?.at(pointer) ?? ['attributes'] }]
  for (const [os, values] of Object.entries(value.osAttributes ?? {})) layers.push({ value: values as Json, at: (pointer) => ['osAttributes', os, ...pointer] })
  for (const { value: document, at } of layers) {
    if (document === undefined) continue
    for (const problem of schema.check(document)) {
      const pointer = problem.instancePath.split('/').slice(1).map((key) => key.replaceAll('~1', '/').replaceAll('~0', '~'))
      // What nothing gives a value to is the site's to give; what an expression gives is checked where it is evaluated.
      if (problem.keyword === 'required' || holdsExpression(valueAt(document, pointer))) continue
      const extra = (problem.params as { readonly additionalProperty?: string }).additionalProperty
      const path = extra === undefined ? pointer : [...pointer, extra]
      const what = extra === undefined ? `The default of ${path.join('.')} ${problem.message ?? 'is wrong'}` : `There is no attribute ${path.join('.')}`
      report(error('LINT_DEFAULT', rangeOf(source, at(path)), `${what}.`))
    }
  }
}

/** Every attribute has a description, in the schema that speaks of it. */
function describe(schema: Json, pointer: Pointer, { barclamp, report }: { readonly barclamp: ResolvedBarclamp; readonly report: Report }): void {
  const properties = asMap(asMap(schema)['properties'])
  for (const [name, inner] of Object.entries(properties)) {
    const at = [...pointer, 'properties', name]
    const attribute = asMap(inner)
    if (attribute['description'] === undefined && attribute['$ref'] === undefined && attribute['properties'] === undefined) {
      report(warning('LINT_DESCRIPTION', rangeOf(barclamp.document.source, at, 'key'), `The attribute ${at.filter((_, i) => i % 2 === 0).slice(1).join('.')} has no description.`, { fix: 'Say in `description` what it is, with its unit.' }))
    }
    describe(inner, at, { barclamp, report })
  }
}

function asMap(value: Json | undefined): { readonly [key: string]: Json } {
  return value !== undefined && value !== null && typeof value === 'object' && !Array.isArray(value) ? (value as { readonly [key: string]: Json }) : {}
}

function valueAt(document: Json, pointer: Pointer): Json | undefined {
  let at: Json | undefined = document
  for (const key of pointer) at = at !== null && typeof at === 'object' && Object.hasOwn(at, key) ? (at as { readonly [key: string]: Json })[key] : undefined
  return at
}

function holdsExpression(value: Json | undefined): boolean {
  if (typeof value === 'string') return value.includes('${')
  return value !== null && typeof value === 'object' && ('secret' in value || Object.values(value).some((inner) => holdsExpression(inner as Json)))
}
