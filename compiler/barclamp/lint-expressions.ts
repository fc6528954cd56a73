import type { Report } from '../../schemas/diagnostic.ts'
import { suggest } from '../../schemas/cel/suggest.ts'
import { AttributeLanguage, readsOf } from '../../schemas/expression.ts'
import type { Json } from '../../schemas/shape.ts'
import { error } from '../diagnostics/diagnostic.ts'
import { expressionInvalid } from '../diagnostics/expression-problem.ts'
import { compileSchema } from '../inject/schema.ts'
import { rangeInside, rangeOf } from '../parse/document.ts'
import type { Pointer } from '../parse/document.ts'
import type { ResolvedBarclamp } from '../resolve/resolved-site.ts'

/** Says of every `${…}` of a barclamp whether it is CEL and reads only what the barclamp declares. */
export function lintExpressions(barclamp: ResolvedBarclamp, report: Report): void {
  const { value, source } = barclamp.document
  const language = new AttributeLanguage()
  const schema = value.attributes as { readonly properties?: object; readonly additionalProperties?: Json } | undefined
  const attributes = schema === undefined || schema.additionalProperties === false ? Object.keys(schema?.properties ?? {}) : undefined
  const check = (text: string, pointer: Pointer, wants: readonly string[]): void => {
    const { program, errors } = language.compile(text)
    for (const found of errors) report(expressionInvalid(found, rangeInside(source, pointer, found.offset, found.offset + found.length)))
    if (program === undefined) return
    for (const [first, name] of readsOf(program)) {
      const known = first === 'wants' ? wants : first === 'attributes' ? attributes : undefined
      if (known === undefined || name === undefined || known.includes(name)) continue
      const near = suggest(name, known)
      const fix = near === undefined ? (first === 'wants' ? 'Declare it under `wants` of the role.' : 'Declare it in the schema under `attributes`.') : `Did you mean ${near}?`
      report(error('LINT_UNDECLARED', rangeOf(source, pointer), `The expression reads ${first}.${name}, which is not declared.`, { fix }))
    }
  }
  const walk = (found: Json | undefined, pointer: Pointer, wants: readonly string[]): void => {
    if (typeof found === 'string') {
      if (found.includes('${')) check(found, pointer, wants)
    } else if (Array.isArray(found)) for (const [i, item] of found.entries()) walk(item as Json, [...pointer, i], wants)
    else if (found !== null && typeof found === 'object') for (const [key, item] of Object.entries(found)) walk(item as Json, [...pointer, key], wants)
  }
  const roles = Object.entries(value.roles ?? {})
  const all = [...new Set(roles.flatMap(([, { wants }]) => Object.keys(wants ?? {})))]
  const { defaults } = compileSchema(barclamp, () => {})
  const walkDefaults = (found: Json, pointer: Pointer): void => {
    if (typeof found === 'string') walk(found, defaults?.at(pointer) ?? [], all)
    else if (found !== null && typeof found === 'object') for (const [key, item] of Object.entries(found)) walkDefaults(item as Json, [...pointer, Array.isArray(found) ? Number(key) : key])
  }
  if (defaults !== null) walkDefaults(defaults.value, [])
  walk(value.osAttributes as Json | undefined, ['osAttributes'], all)
  for (const [name, { provides, wants }] of roles) {
    for (const [provide, { value: given }] of Object.entries(provides ?? {})) walk(given as Json | undefined, ['roles', name, 'provides', provide, 'value'], Object.keys(wants ?? {}))
  }
}
