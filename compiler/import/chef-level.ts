import { canonical } from '../../schemas/canonical.ts'
import { itemsOf } from './fields.ts'
import type { Fields, Place } from './fields.ts'
import type { Sourced, Variables } from './sourced.ts'

/** One level of attributes (default or override) of several sources: the later one counts, and lists are joined, each item once. */
export function joinedLevel(layers: readonly Variables[], fields: Fields): Variables {
  const result = new Map<string, Sourced>()
  for (const layer of layers) {
    for (const [key, value] of layer) {
      const below = result.get(key)
      result.set(key, below === undefined ? value : joined(below, value, fields))
    }
  }
  return result
}

function joined(below: Sourced, value: Sourced, fields: Fields): Sourced {
  if ('map' in below && 'map' in value) return { map: joinedLevel([below.map, value.map], fields) }
  const [first, second] = [listOf(below), listOf(value)]
  if (first === undefined || second === undefined) return value
  for (const one of [below, value]) if ('place' in one && itemsOf(one.place).length === 0) fields.mapped(one.place, 'nodes.yaml', 'empty')
  const seen = new Set<string>()
  const list = [...first, ...second].filter((item) => {
    const text = canonical(item.value)
    if (seen.has(text)) fields.mapped(item, 'nodes.yaml', 'the list that it is joined to has it already')
    return !seen.has(text) && seen.add(text).size > 0
  })
  return { list }
}

function listOf(value: Sourced): readonly Place[] | undefined {
  if ('list' in value) return value.list
  return 'place' in value && Array.isArray(value.place.value) ? itemsOf(value.place) : undefined
}
