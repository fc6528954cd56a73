import type { Json } from '../../schemas/shape.ts'
import { scalarText } from '../edit/yaml-text.ts'

/** Lists and maps that fit are written on one line of so many characters. */
const WIDTH = 110

/** Documents as the text of a YAML file: each field a line, `---` between them. */
export function documentsText(documents: readonly { readonly [key: string]: Json }[]): string {
  return documents.map((document) => lines(document, '').join('\n')).join('\n---\n') + '\n'
}

function lines(value: { readonly [key: string]: Json }, indent: string): readonly string[] {
  return Object.entries(value).flatMap(([key, child]) => {
    const name = `${indent}${text(key)}:`
    if (child === null || typeof child !== 'object') return [`${name} ${flow(child)}`]
    const short = flow(child)
    if (Object.keys(child).length === 0 || (short.length + name.length < WIDTH && indent !== '')) return [`${name} ${short}`]
    if (Array.isArray(child)) return short.length + name.length < WIDTH && child.every((item) => item === null || typeof item !== 'object') ? [`${name} ${short}`] : [name, ...items(child as readonly Json[], `${indent}  `)]
    return [name, ...lines(child as { readonly [key: string]: Json }, `${indent}  `)]
  })
}

function items(list: readonly Json[], indent: string): readonly string[] {
  return list.flatMap((item) => {
    const short = flow(item)
    if (item === null || typeof item !== 'object' || Object.keys(item).length === 0 || short.length + indent.length < WIDTH) return [`${indent}- ${short}`]
    const [first = '', ...rest] = Array.isArray(item) ? items(item as readonly Json[], `${indent}  `) : lines(item as { readonly [key: string]: Json }, `${indent}  `)
    return [`${indent}- ${first.trimStart()}`, ...rest]
  })
}

function flow(value: Json): string {
  if (typeof value === 'string') return text(value)
  // 10000000000000000000 would be read as a whole number, which it cannot be exactly.
  if (typeof value === 'number' && Number.isInteger(value) && !Number.isSafeInteger(value)) return value.toExponential()
  if (value === null || typeof value !== 'object') return JSON.stringify(value)
  if (Array.isArray(value)) return `[${(value as readonly Json[]).map(flow).join(', ')}]`
  const fields = Object.entries(value).map(([key, child]) => `${text(key)}: ${flow(child)}`)
  return fields.length === 0 ? '{}' : `{ ${fields.join(', ')} }`
}

function text(value: string): string {
  return scalarText(value).replaceAll(/[\ud800-\udbff][\udc00-\udfff]|[\u007f-\u009f\u2028\u2029\ud800-\udfff\ufeff\ufffe\uffff]/g, (found) => (found.length === 2 ? found : `\\u${found.charCodeAt(0).toString(16).padStart(4, '0')}`))
}
