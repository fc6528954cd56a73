import { parseAllDocuments } from 'yaml'
import { expect } from 'vitest'
import { countsOf } from '../../../compiler/import/report-text.ts'
import { pointerText } from '../../../compiler/import/fields.ts'
import { parseYaml } from '../../../compiler/parse/yaml.ts'
import { sourceText } from '../../../compiler/parse/document.ts'
import type { Json } from '../../../schemas/shape.ts'
import { canonical } from '../../../schemas/canonical.ts'
import { imported } from './read-back.ts'

type Texts = Readonly<Record<string, string | Uint8Array>>

/**
 * Imports every case and holds what must hold of each: no value twice in the report, the same again in another order, and
 * documents that two YAML readers read alike. Prints how much of the input was understood.
 */
export function coverage(format: string, cases: Readonly<Record<string, Texts>>): void {
  const sum = { mapped: 0, raw: 0, refused: 0 }
  const reasons = new Map<string, number>()
  for (const [name, texts] of Object.entries(cases)) {
    const result = imported(format, texts)
    expect(imported(format, Object.fromEntries(Object.entries(texts).toReversed())), name).toEqual(result)
    const seen = result.report.map(({ file, pointer }) => `${file}#${pointerText(pointer)}`)
    expect(new Set(seen).size, name).toBe(seen.length)
    for (const [path, text] of Object.entries(texts)) if (text.length > 0 && !/^\s*(#[^!].*\s*)*$/.test(String(text)) && seen.every((one) => !one.startsWith(`${path}#`))) throw new Error(`${name}: nothing is said of ${path}`)
    for (const { path, text } of result.files.filter((file) => file.path.endsWith('.yaml'))) {
      const ours = parseYaml(sourceText(path, text), (diagnostic) => expect(diagnostic).toBeUndefined())?.map(({ value }) => value)
      expect(canonical(ours ?? null), name).toBe(canonical(parseAllDocuments(text).map((document) => document.toJS() as Json)))
    }
    for (const { fate, to, note } of result.report) {
      if (fate !== 'refused') expect(to, name).not.toEqual([])
      else reasons.set(note ?? '', (reasons.get(note ?? '') ?? 0) + 1)
    }
    for (const fate of ['mapped', 'raw', 'refused'] as const) sum[fate] += countsOf(result.report)[fate]
  }
  const all = sum.mapped + sum.raw + sum.refused
  const share = (part: number): string => `${((100 * part) / all).toFixed(1)} %`
  const top = [...reasons].toSorted(([, a], [, b]) => b - a).slice(0, 8).map(([note, count]) => `\n    ${count} × ${note.slice(0, 120)}`)
  process.stdout.write(`import ${format}: ${Object.keys(cases).length} inputs, ${all} values: ${share(sum.mapped)} mapped, ${share(sum.raw)} kept, ${share(sum.refused)} refused${top.join('')}\n`)
}
