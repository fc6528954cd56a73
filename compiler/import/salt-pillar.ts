import { at, entriesOf, isMap, itemsOf, textAt } from './fields.ts'
import type { Fields, Place } from './fields.ts'
import { glob, matcherOf, namesIn } from './salt-target.ts'
import type { Matcher } from './salt-target.ts'
import { merged, variablesOf } from './sourced.ts'
import type { Sourced, Variables } from './sourced.ts'

/** Includes inside includes. */
const MAX_DEPTH = 50
const ELSE = 'give what `salt \'*\' pillar.items --out=json --static` prints'

interface Target {
  readonly list: Place
  readonly names: readonly string[]
  readonly matches: Matcher
  readonly isName: boolean
  readonly order: number
  readonly files: readonly string[]
}

/** Targets in their order; those that are the name of a minion are found by it, the others are tried. */
interface Environment {
  readonly targets: readonly Target[]
  readonly byName: ReadonlyMap<string, readonly number[]>
  readonly tried: readonly number[]
}

/** The files of a pillar, and which minion is given which of them. */
export class SaltPillar {
  readonly #fields: Fields
  /** By path without `.sls` and `/init.sls`. */
  readonly #files = new Map<string, Place>()
  readonly #tops: { readonly folder: string; readonly place: Place }[] = []
  #environments: readonly Environment[] | undefined

  constructor(fields: Fields) {
    this.#fields = fields
  }

  add(path: string, place: Place): void {
    const folder = path.includes('/') ? path.slice(0, path.lastIndexOf('/')) : ''
    if (path.endsWith('/top.sls') || path === 'top.sls') {
      this.#tops.push({ folder, place })
      return
    }
    const name = path.replace(/\.sls$/, '').replace(/\/init$/, '')
    const other = this.#files.get(name)
    const [better, worse] = other !== undefined && path.endsWith('/init.sls') ? [other, place] : [place, other]
    this.#files.set(name, better)
    if (worse !== undefined) this.#fields.beside(worse, `Salt reads ${better.document.path} instead`)
  }

  /** Minions that are targets by their whole name. */
  named(): readonly string[] {
    return this.#read().flatMap(({ targets }) => targets.flatMap(({ names }) => names))
  }

  /** The pillar of a minion: files in the order of their targets, each once, later ones over earlier ones, a file over what it includes. */
  of(minion: string, grains: Place | undefined): Variables {
    return merged(...this.#read().flatMap(({ targets, byName, tried }) => {
      const near = [...byName.get(minion) ?? [], ...tried].toSorted((a, b) => a - b).flatMap((i) => targets[i] ?? [])
      const files = near.filter(({ list, matches }) => {
        const does = matches({ id: minion, grains: grains?.value })
        if (does === undefined) for (const item of [list, ...itemsOf(list)]) this.#fields.refused(item, 'it hangs on grains, and those of some minions are not among the files')
        return does === true
      }).flatMap((target) => target.files)
      const seen = new Set<string>()
      return [...new Set(files)].map((name) => this.#file(name, seen, 0))
    }))
  }

  declared(): readonly Variables[] {
    this.#read()
    return [...this.#files].map(([name, place]) => {
      if (!isMap(place.value)) this.#fields.refused(place, 'a file of a pillar is a map')
      return this.#own(name)
    })
  }

  /** What a file that was seen before includes is not merged again. */
  #file(name: string, seen: Set<string>, depth: number): Variables {
    const place = this.#files.get(name)
    if (place === undefined || depth > MAX_DEPTH) return new Map()
    seen.add(name)
    const included = itemsOf(at(place, 'include')).flatMap((entry): readonly Variables[] => {
      const [[said, options] = [textAt(entry), undefined]] = isMap(entry.value) ? entriesOf(entry) : [[textAt(entry), undefined] as const]
      const found = said === undefined ? [] : this.#included(said, name)
      const inside = options === undefined ? entry : at(options, 'key')
      for (const [key, option] of entriesOf(options)) {
        if (key === 'defaults') this.#fields.beside(option, 'only templates can use it')
        else if (key !== 'key') this.#fields.refused(option, 'this is no option of an include')
      }
      if (found.length === 0) this.#fields.refused(entry, 'there is no such file')
      else if (inside !== undefined) this.#fields.mapped(inside, 'nodes.yaml', 'its values are merged')
      else if (options !== undefined && entriesOf(options).length === 0) this.#fields.mapped(options, 'nodes.yaml', 'its values are merged')
      return found.map((one) => under(textAt(options, 'key'), seen.has(one) ? this.#own(one) : this.#file(one, seen, depth + 1)))
    })
    return merged(...included, this.#own(name))
  }

  /** Files that an include means: dots are folders, and one in front is the folder of the file that says it. */
  #included(said: string, by: string): readonly string[] {
    const root = this.#root(by)
    const isFolder = this.#files.get(by)?.document.path.endsWith('/init.sls') === true
    const folder = isFolder ? `${by}/` : by.includes('/') ? by.slice(0, by.lastIndexOf('/') + 1) : ''
    const wanted = said.startsWith('.') ? folder + said.slice(1).replaceAll('.', '/') : root + said.replaceAll('.', '/')
    return this.#named(wanted)
  }

  #named(wanted: string): readonly string[] {
    return /[*?[]/.test(wanted) ? [...this.#files.keys()].filter((name) => glob(wanted, name)).toSorted() : this.#files.has(wanted) ? [wanted] : []
  }

  #own(name: string): Variables {
    return new Map([...variablesOf(this.#files.get(name))].filter(([key, value]) => key !== 'include' || !('place' in value) || !Array.isArray(value.place.value)))
  }

  /** The folder of the top file that a file is below, with a slash. */
  #root(name: string): string {
    const folder = this.#tops.map((top) => top.folder).filter((one) => one !== '' && name.startsWith(`${one}/`)).toSorted((a, b) => b.length - a.length)[0]
    return folder === undefined ? '' : `${folder}/`
  }

  /** Targets of each environment of each top file. */
  #read(): readonly Environment[] {
    this.#environments ??= this.#tops.flatMap(({ folder, place }) => {
      if (!isMap(place.value)) this.#fields.refused(place, 'a top file is a map of environments')
      return entriesOf(place).map(([, environment]) => {
        if (!isMap(environment.value)) this.#fields.refused(environment, 'an environment of a top file is a map of targets')
        const targets = entriesOf(environment).flatMap(([pattern, list]) => this.#target(pattern, list, folder)).toSorted((a, b) => a.order - b.order)
        const byName = new Map<string, number[]>()
        for (const [i, { isName, names: [name = ''] }] of targets.entries()) if (isName) byName.set(name, [...byName.get(name) ?? [], i])
        return { targets, byName, tried: [...targets.keys()].filter((i) => targets[i]?.isName === false) }
      })
    })
    return this.#environments
  }

  #target(pattern: string, list: Place, folder: string): readonly Target[] {
    const items = Array.isArray(list.value) ? itemsOf(list) : [list]
    const match = items.map((item) => textAt(item, 'match')).find((one) => one !== undefined) ?? 'compound'
    const matches = matcherOf(pattern, match)
    if (typeof matches === 'string') {
      this.#fields.refused(list, `${matches}: ${ELSE}`)
      return []
    }
    const optional = items.some((item) => at(item, 'ignore_missing')?.value === true)
    const files = items.flatMap((item) => {
      const name = textAt(item)
      if (name === undefined) {
        if (isMap(item.value) && Object.keys(item.value).every((key) => ['match', 'order', 'ignore_missing'].includes(key))) this.#fields.mapped(item, 'nodes.yaml', 'how minions are chosen')
        else this.#fields.refused(item, 'this is not the name of a file')
        return []
      }
      const path = `${folder === '' ? '' : `${folder}/`}${name.replaceAll('.', '/')}`
      const found = this.#named(path)
      if (found.length > 0) this.#fields.mapped(item, 'nodes.yaml', 'its values are merged')
      else if (optional) this.#fields.mapped(item, 'nodes.yaml', 'it may be missing, and is')
      else this.#fields.refused(item, `there is no file ${path}.sls among those that are imported`)
      return found
    })
    const order = Number(items.map((item) => at(item, 'order')?.value).find((one) => one !== undefined) ?? 0)
    const names = namesIn(pattern, match)
    return [{ list, names, isName: match !== 'list' && names.length > 0, matches, order: Number.isInteger(order) ? order : 0, files }]
  }
}

/** Values below keys with colons between them. */
function under(key: string | undefined, values: Variables): Variables {
  return key === undefined ? values : key.split(':').reduceRight<Variables>((inner, part) => new Map<string, Sourced>([[part, { map: inner }]]), values)
}
