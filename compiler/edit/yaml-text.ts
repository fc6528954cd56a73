import type { Pointer, SourceDocument } from '../parse/document.ts'

/** Where a value stands in its file: UTF-16 offsets, the end exclusive; undefined when the document does not say it. */
export function spanOf({ positions }: SourceDocument, pointer: Pointer): { readonly start: number; readonly end: number; readonly keyStart: number; readonly keyEnd: number } | undefined {
  let entry = 0
  for (const key of pointer) {
    const end = positions.next[entry] ?? 0
    let child = entry + 1
    while (child < end && positions.key[child] !== key) child = positions.next[child] as number
    if (child >= end) return undefined
    entry = child
  }
  return { start: positions.start[entry] as number, end: positions.end[entry] as number, keyStart: positions.keyStart[entry] as number, keyEnd: positions.keyEnd[entry] as number }
}

/** Text as a YAML scalar that reads as this text and as nothing else. */
export function scalarText(text: string): string {
  return /^[A-Za-z][A-Za-z0-9._/-]*$/.test(text) && !/^(?:true|false|null|yes|no|on|off|y|n)$/i.test(text) ? text : JSON.stringify(text)
}

/** A map on one line. JSON files get JSON. */
export function mapText(fields: Readonly<Record<string, string>>, path: string): string {
  const json = path.endsWith('.json')
  return `{ ${Object.entries(fields).map(([key, value]) => (json ? `${JSON.stringify(key)}: ${JSON.stringify(value)}` : `${key}: ${scalarText(value)}`)).join(', ')} }`
}

/** Parts of a file that are a document each: from its `---`, if it has one, to before the next. Empty ones are left out. */
export function documentSpans(text: string): readonly { readonly start: number; readonly end: number; readonly marked: boolean }[] {
  const marks = [...text.matchAll(/^---(?=[ \t\r\n]|$)/gm)].map(({ index }) => index)
  const starts = marks[0] === 0 ? marks : [0, ...marks]
  return starts
    .map((start, i) => ({ start, end: starts[i + 1] ?? text.length, marked: marks.includes(start) }))
    .filter(({ start, end }) => text.slice(start, end).replace(/^---/, '').split(/\r?\n|\r/).some((line) => line.trim() !== '' && !line.trimStart().startsWith('#') && line.trim() !== '...'))
}
