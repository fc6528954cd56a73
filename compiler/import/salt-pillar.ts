import { at, entriesOf, isMap, itemsOf, textAt } from './fields.ts'
import type { Fields, Place } from './fields.ts'
import { merged, variablesOf } from './sourced.ts'
import type { Variables } from './sourced.ts'

/** Includes inside includes. */
const MAX_DEPTH = 50

interface Target {
  readonly pattern: string
  readonly match: string
  readonly files: readonly { readonly name: string; readonly place: Place }[]
}

/** The files of a pillar, and which minion is given which of them. */
export class SaltPillar {
  readonly #fields: Fields
  readonly #files = new Map<string, Place>()
  readonly #tops: { readonly folder: string; readonly place: Place }[] = []
  #targets: readonly Target[] | undefined

  constructor(fields: Fields) {
    this.#fields = fields
  }

  add(path: string, place: Place): void {
    const folder = path.includes('/') ? path.slice(0, path.lastIndexOf('/')) : ''
    if (path.endsWith('/top.sls') || path === 'top.sls') this.#tops.push({ folder, place })
    else this.#files.set(path.replace(/\.sls$/, '').replace(/\/init$/, ''), place)
  }

  /** Minions that are targets by their whole name. */
  named(): readonly string[] {
    return this.#read().flatMap(({ pattern, match }) => (match === 'list' ? pattern.split(/[\s,]+/) : match === 'glob' && !/[*?[\]]/.test(pattern) ? [pattern] : []))
  }

  /** The pillar of a minion: targets in their order, later files over earlier ones, a file over what it includes. */
  of(minion: string, grains: Place | undefined): Variables {
    const files = this.#read().filter((target) => matches(target, minion, grains)).flatMap((target) => target.files)
    return merged(...files.map(({ name }) => this.#file(name, 0)))
  }

  declared(): readonly Variables[] {
    this.#read()
    return [...this.#files].map(([name, place]) => {
      if (!isMap(place.value)) this.#fields.refused(place, 'a file of a pillar is a map')
      return this.#own(name)
    })
  }

  #file(name: string, depth: number): Variables {
    const place = this.#files.get(name)
    if (place === undefined || depth > MAX_DEPTH) return new Map()
    const folder = name.includes('/') ? `${name.slice(0, name.lastIndexOf('/'))}/` : ''
    const included = itemsOf(at(place, 'include')).map((entry) => {
      const text = textAt(entry)
      const found = text === undefined ? undefined : [this.#root(name) + text.replaceAll('.', '/'), folder + text.replace(/^\./, '').replaceAll('.', '/')].find((one) => this.#files.has(one))
      if (found !== undefined && found !== name) this.#fields.mapped(entry, 'nodes.yaml', 'its values are merged')
      else this.#fields.refused(entry, 'there is no such file')
      return found === undefined || found === name ? new Map() : this.#file(found, depth + 1)
    })
    return merged(...included, this.#own(name))
  }

  #own(name: string): Variables {
    return new Map([...variablesOf(this.#files.get(name))].filter(([key, value]) => key !== 'include' || !('place' in value) || !Array.isArray(value.place.value)))
  }

  /** The folder of the top file that a file is below, with a slash. */
  #root(name: string): string {
    const folder = this.#tops.map((top) => top.folder).filter((one) => one !== '' && name.startsWith(`${one}/`)).toSorted((a, b) => b.length - a.length)[0]
    return folder === undefined ? '' : `${folder}/`
  }

  #read(): readonly Target[] {
    this.#targets ??= this.#tops.flatMap(({ folder, place }) => entriesOf(place).flatMap(([, environment]) => entriesOf(environment).flatMap(([pattern, list]) => this.#target(pattern, list, folder))))
    return this.#targets
  }

  #target(pattern: string, list: Place, folder: string): readonly Target[] {
    const items = Array.isArray(list.value) ? itemsOf(list) : [list]
    const match = items.map((item) => textAt(item, 'match')).find((one) => one !== undefined) ?? 'glob'
    if (!['glob', 'list', 'grain'].includes(match)) {
      this.#fields.refused(list, `targets by ${match} are not understood: give what \`salt '*' pillar.items --out=json --static\` prints`)
      return []
    }
    const files = items.flatMap((item) => {
      const name = textAt(item)
      if (name === undefined) {
        if (isMap(item.value) && Object.keys(item.value).every((key) => key === 'match' || key === 'ignore_missing')) this.#fields.mapped(item, 'nodes.yaml', 'how minions are chosen')
        else this.#fields.refused(item, 'this is not the name of a file')
        return []
      }
      const path = `${folder === '' ? '' : `${folder}/`}${name.replaceAll('.', '/')}`
      if (this.#files.has(path)) this.#fields.mapped(item, 'nodes.yaml', 'its values are merged')
      else this.#fields.refused(item, `there is no file ${path}.sls among those that are imported`)
      return [{ name: path, place: item }]
    })
    return [{ pattern, match, files }]
  }
}

function matches({ pattern, match }: Target, minion: string, grains: Place | undefined): boolean {
  if (match === 'list') return pattern.split(/[\s,]+/).includes(minion)
  if (match === 'glob') return glob(pattern, minion)
  const [key = '', ...rest] = pattern.split(':')
  const value = at(grains, key)?.value
  const values = Array.isArray(value) ? (value as readonly unknown[]) : [value]
  return values.some((one) => (typeof one === 'string' || typeof one === 'number' || typeof one === 'boolean') && glob(rest.join(':'), String(one)))
}

/** Shell patterns, without going back more than once a star. */
function glob(pattern: string, text: string): boolean {
  const parts = pattern.match(/\*+|\?|\[!?[^\]]+\]|[\s\S]/g) ?? []
  const characters = Array.from(text)
  let [next, from, star, mark] = [0, 0, -1, 0]
  while (from < characters.length) {
    const part = parts[next]
    if (part?.startsWith('*') === true) {
      star = next++
      mark = from
    } else if (part !== undefined && one(part, characters[from] ?? '')) {
      next++
      from++
    } else if (star >= 0) {
      next = star + 1
      from = ++mark
    } else return false
  }
  return parts.slice(next).every((part) => part.startsWith('*'))
}

function one(part: string, character: string): boolean {
  if (part === '?') return true
  if (!part.startsWith('[') || part.length < 3) return part === character
  const negated = part[1] === '!'
  const body = part.slice(negated ? 2 : 1, -1)
  const inside = [...body.matchAll(/([\s\S])-([\s\S])|([\s\S])/g)].some(([, first, last, single]) => (single === undefined ? character >= (first ?? '') && character <= (last ?? '') : single === character))
  return inside !== negated
}
