import type { Diagnostic, Range } from '../../schemas/diagnostic.ts'
import { error } from '../diagnostics/diagnostic.ts'
import { placeOf, rangeOf } from '../parse/document.ts'
import { placeOfOrigin } from './layer.ts'
import type { Merged } from './merge.ts'
import type { Subject } from './subject.ts'

/** A value or a want of a subject that hangs on the next one. */
export interface Link {
  readonly subject: Subject
  readonly merged?: Merged
  readonly want?: string
}

/** One diagnostic for values that hang on each other in a circle, with the place of each. */
export function cycleOf(links: readonly Link[]): Diagnostic {
  // Maps and lists around a value are links too, and say nothing that it does not.
  const told = links.filter(({ merged, want }) => want !== undefined || merged?.kind === 'template').map((link) => ({ name: nameOf(link), range: rangeOfLink(link) }))
  const lowest = told.toSorted((a, b) => (placeOf(a.range) < placeOf(b.range) ? -1 : 1))[0]
  const start = lowest === undefined ? 0 : told.indexOf(lowest)
  const chain = [...told.slice(start), ...told.slice(0, start)]
  const names = [...chain, ...chain.slice(0, 1)].map(({ name }) => name)
  const summary = chain.length === 1 ? `${names[0]} hangs on itself.` : `${names.join(' → ')}: each of these values hangs on the next one.`
  const related = chain.slice(1).map(({ name, range }) => ({ message: name, range }))
  return error('ATTRIBUTE_CYCLE', chain[0]?.range, summary, { related, fix: 'Give one of them a value that reads none of the others.' })
}

function nameOf({ subject, merged, want }: Link): string {
  if (want !== undefined) return `wants.${want} of ${subject.role?.role.name ?? subject.barclamp.name}`
  if (merged === undefined) return subject.barclamp.name
  const { layer, pointer } = merged.origin
  const place = layer.at(pointer)
  // What a role provides is no attribute.
  const provides = place.indexOf('provides')
  if (place[0] === 'roles' && provides === 2) return `${String(place[3])} of ${String(place[1])}`
  return [subject.barclamp.name, ...pointer].join('.')
}

function rangeOfLink({ subject, merged, want }: Link): Range {
  if (merged !== undefined) {
    const { document, pointer } = placeOfOrigin(merged.origin)
    return rangeOf(document, pointer)
  }
  const { source } = subject.barclamp.document
  return rangeOf(source, ['roles', subject.role?.role.name ?? '', 'wants', want ?? ''])
}
