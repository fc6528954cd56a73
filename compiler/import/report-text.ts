import { placeOf } from '../parse/document.ts'
import { pointerText } from './fields.ts'
import type { Fate, ReportedField } from './fields.ts'
import type { Imported } from './import.ts'

/** Lines of one fate that are shown; JSON has all. */
const SHOWN = 400
const WORDS: Readonly<Record<Fate, string>> = { refused: 'refused', raw: 'kept', mapped: 'mapped' }

/** How many values have which fate. */
export function countsOf(report: readonly ReportedField[]): Readonly<Record<Fate, number>> {
  const count = (fate: Fate): number => report.filter((field) => field.fate === fate).length
  return { mapped: count('mapped'), raw: count('raw'), refused: count('refused') }
}

/** What became of every value, for people: what was refused first. */
export function reportText({ report, remarks }: Pick<Imported, 'report' | 'remarks'>): string {
  const { mapped, raw, refused } = countsOf(report)
  const lines = (['refused', 'raw', 'mapped'] as const).flatMap((fate) => {
    const fields = report.filter((field) => field.fate === fate)
    const more = fields.length > SHOWN ? [`… and ${fields.length - SHOWN} more that are ${WORDS[fate]}: --format json has them all`] : []
    return [...fields.slice(0, SHOWN).map(lineOf), ...more]
  })
  return `${[...lines, ...remarks, `${report.length} values: ${mapped} mapped, ${raw} kept as they are, ${refused} refused`].join('\n')}\n`
}

function lineOf({ pointer, range, fate, to, note }: ReportedField): string {
  return [`${placeOf(range)}: ${WORDS[fate]} ${pointerText(pointer) || '/'}`, ...(to.length === 0 ? [] : [`→ ${to.join(', ')}`]), ...(note === undefined ? [] : [`(${note})`])].join(' ').replaceAll(/[\p{Cc}\p{Bidi_Control}]/gu, '\ufffd')
}

/** The report as other programs read it. */
export function reportJson({ report, remarks }: Pick<Imported, 'report' | 'remarks'>): object {
  return {
    counts: countsOf(report),
    remarks,
    fields: report.map(({ file, pointer, range, fate, to, note }) => ({ file, pointer: pointerText(pointer), line: range.start.line, column: range.start.column, fate, to, ...(note === undefined ? {} : { note }) })),
  }
}
