import type { Json } from '../../schemas/shape.ts'
import { placeOf, rangeOf } from '../parse/document.ts'
import { becameText } from './as-text.ts'
import { at, entriesOf, isMap, itemsOf } from './fields.ts'
import type { Fields, Place } from './fields.ts'
import type { ImportContext } from './import-context.ts'

/** A value whose parts may come from several files; `list` is one that was joined out of several. */
export type Sourced = { readonly map: ReadonlyMap<string, Sourced> } | { readonly place: Place } | { readonly list: readonly Place[] }

/** The variables of a host, by name. */
export type Variables = ReadonlyMap<string, Sourced>

export function sourced(place: Place): Sourced {
  if (!isMap(place.value) || Object.keys(place.value).length === 0 || marked(place) !== undefined) return { place }
  return { map: new Map(entriesOf(place).map(([key, child]) => [key, sourced(child)])) }
}

/** Variables of a map; none when it is something else. */
export function variablesOf(place: Place | undefined): Variables {
  return new Map(entriesOf(place).map(([key, child]) => [key, sourced(child)]))
}

/** Later ones over earlier ones: maps merge, all else replaces. What Chef and Salt do, and Crowbar. */
export function merged(...layers: readonly Variables[]): Variables {
  const result = new Map<string, Sourced>()
  for (const layer of layers) {
    for (const [key, value] of layer) {
      const below = result.get(key)
      result.set(key, below !== undefined && 'map' in below && 'map' in value ? { map: merged(below.map, value.map) } : value)
    }
  }
  return result
}

/** What is encrypted, by Ansible, Chef or GnuPG (for Salt), and what Ansible marks as no template. */
function marked(place: Place): 'vault' | 'unsafe' | undefined {
  const { value } = place
  if (typeof value === 'string' && value.startsWith('-----BEGIN PGP MESSAGE-----')) return 'vault'
  if (isMap(value) && typeof value['encrypted_data'] === 'string' && typeof value['cipher'] === 'string') return 'vault'
  if (!isMap(value) || Object.keys(value).length !== 1) return undefined
  return typeof value['__ansible_vault'] === 'string' ? 'vault' : typeof value['__ansible_unsafe'] === 'string' ? 'unsafe' : undefined
}

/** Keys that mean something in attributes. */
const OPERATORS: ReadonlySet<string> = new Set(['$append', '$remove', '$unset', '__proto__'])
/** Keys whose values nobody should read. */
const PASSWORD = /passw(?:or)?d$|passphrase$|secret_?key$|private_?key$|_token$|^token$/i
const TEMPLATE = /\{\{|\{%|\{#/

/** Turns values into attributes that mean just them, and writes into the book what could not be said. Each value once. */
export class Attributes {
  readonly #fields: Fields
  readonly #remark: ImportContext['remark']
  readonly #format: string
  readonly #done = new WeakMap<Sourced, { readonly value: Json | undefined }>()

  constructor({ fields, remark }: Pick<ImportContext, 'fields' | 'remark'>, format: string) {
    this.#fields = fields
    this.#remark = remark
    this.#format = format
  }

  /** The value as an attribute; undefined when nothing of it can be said. */
  of(value: Sourced): Json | undefined {
    const done = this.#done.get(value)
    if (done !== undefined) return done.value
    const result = 'place' in value ? this.#leaf(value.place) : 'map' in value ? this.#map(value.map) : this.#list(value.list)
    this.#done.set(value, { value: result })
    return result
  }

  /** Notes where a value, or each part of it, went. */
  went(value: Sourced, to: string, note?: string): void {
    if ('place' in value) this.#fields.mapped(value.place, to, note)
    else if ('list' in value) for (const [i, item] of value.list.entries()) this.#fields.mapped(item, `${to}.${i}`, note)
    else for (const [key, child] of value.map) this.went(child, `${to}.${key}`, note)
  }

  /** Notes why a value cannot be said, of all of it of which nothing is said yet. */
  refuse(value: Sourced, note: string): void {
    if ('map' in value) for (const child of value.map.values()) this.refuse(child, note)
    else if ('list' in value) for (const place of value.list) this.refuse({ place }, note)
    else if (!this.#fields.has(value.place)) this.#fields.refused(value.place, note)
  }

  /** Notes that no host takes a value. */
  unused(value: Sourced, note: string): void {
    if ('map' in value) for (const child of value.map.values()) this.unused(child, note)
    else if ('list' in value) for (const place of value.list) this.unused({ place }, note)
    else if (!this.#fields.has(value.place)) this.#fields.beside(value.place, note)
  }

  /** What cannot be said as a whole is not said in part. */
  #map(map: ReadonlyMap<string, Sourced>): Json | undefined {
    const fields: Record<string, Json> = {}
    const [only] = map.keys()
    const reserved = map.size === 1 && (only === 'deferred' || only === 'secret')
    let whole = true
    for (const [key, child] of map) {
      const value = OPERATORS.has(key) || reserved ? undefined : this.of(child)
      if (value !== undefined) fields[key] = value
      else whole = false
      if (OPERATORS.has(key) || reserved) this.refuse(child, `a map with the key \`${key}\` means something else in attributes`)
    }
    return whole ? fields : undefined
  }

  #list(places: readonly Place[]): Json | undefined {
    const items = places.map((place) => this.of(sourced(place)))
    return items.includes(undefined) ? undefined : (items as Json[])
  }

  #leaf(place: Place): Json | undefined {
    const mark = marked(place)
    if (mark === 'vault') {
      const secret = [this.#format, place.document.path.replace(/\.[^./]*$/, ''), ...place.pointer].join('/').split('/').map((word) => String(word).replaceAll(/[^A-Za-z0-9_.-]+/g, '-').replaceAll(/^[.-]+|[.-]+$/g, '')).filter((word) => word !== '').join('/')
      this.#fields.beside(place, `encrypted: give its value with \`crowbar secret set ${secret}\``)
      return { secret }
    }
    if (mark === 'unsafe') return escaped(at(place, '__ansible_unsafe')?.value ?? '')
    return this.#plain(place)
  }

  /** Strings, numbers and so on, and what is in lists. */
  #plain(place: Place): Json | undefined {
    const { value } = place
    if (Array.isArray(value)) return this.#list(itemsOf(place))
    const key = place.pointer.at(-1)
    const isTemplate = typeof value === 'string' && TEMPLATE.test(value)
    if (typeof value === 'string' && value !== '' && !isTemplate && typeof key === 'string' && PASSWORD.test(key)) {
      this.#remark(`${placeOf(rangeOf(place.document, place.pointer))}: ${key} looks like a password in plain text; \`crowbar secret set\` and \`{ secret: … }\` keep it out of the documents.`)
    }
    if (isTemplate) this.#fields.raw(place, 'a template, kept as text: Crowbar does not evaluate it')
    const note = becameText(place)
    if (note !== undefined) this.#fields.raw(place, note)
    return escaped(value)
  }

}

/** `${` begins an expression in attributes. */
function escaped(value: Json): Json {
  return typeof value === 'string' ? value.replaceAll('${', () => '$${') : value
}
