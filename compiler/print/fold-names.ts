import { byCodePoint } from '../../schemas/canonical.ts'

/**
 * Names as people read them: `storage-[01-12]`, `ctl[1-3,7]`, `db1, web-[01-40]`. Names that differ only in their last
 * number share a bracket; numbers of different width do not, so that every name can be told from the fold.
 */
export function foldNames(names: readonly string[]): string {
  const shapes = new Map<string, { readonly head: string; readonly tail: string; readonly width: number; readonly numbers: number[] }>()
  const plain: string[] = []
  for (const name of [...new Set(names)].toSorted(byCodePoint)) {
    const found = /^(.*?)([0-9]{1,9})([^0-9]*)$/.exec(name)
    if (found === null) {
      plain.push(name)
      continue
    }
    const [, head = '', digits = '', tail = ''] = found
    // Without leading zeros 9 and 10 belong together; with them 09 and 10 do.
    const width = digits.startsWith('0') && digits.length > 1 ? digits.length : 0
    const key = JSON.stringify([head, tail])
    const shape = shapes.get(`${key}${digits.length}`) ?? (width === 0 ? shapes.get(`${key}0`) : undefined)
    if (shape !== undefined) {
      shape.numbers.push(Number(digits))
      continue
    }
    shapes.set(`${key}${width}`, { head, tail, width, numbers: [Number(digits)] })
  }
  const folded = [...shapes.values()].map(({ head, tail, width, numbers }) => `${head}${bracket(numbers, width)}${tail}`)
  return [...plain, ...folded].toSorted(byCodePoint).join(', ')
}

function bracket(numbers: readonly number[], width: number): string {
  const text = (number: number): string => String(number).padStart(width, '0')
  const sorted = numbers.toSorted((a, b) => a - b)
  const [first] = sorted
  if (sorted.length === 1 && first !== undefined) return text(first)
  const runs: string[] = []
  for (let start = 0; start < sorted.length; ) {
    let end = start
    while (sorted[end + 1] === (sorted[end] ?? 0) + 1) end++
    const from = text(sorted[start] ?? 0)
    runs.push(end === start ? from : `${from}-${text(sorted[end] ?? 0)}`)
    start = end + 1
  }
  return `[${runs.join(',')}]`
}
