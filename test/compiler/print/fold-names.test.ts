import { describe, expect, it } from 'vitest'
import { foldNames } from '../../../compiler/print/fold-names.ts'
import fc from '../../property.ts'

/** Every name of a fold, the way a reader understands it. */
function unfold(text: string): readonly string[] {
  if (text === '') return []
  return text.split(', ').flatMap((part) => {
    const found = /^(.*)\[([0-9,-]+)\](.*)$/.exec(part)
    if (found === null) return [part]
    const [, head = '', inner = '', tail = ''] = found
    return inner.split(',').flatMap((run) => {
      const [from = '', to = from] = run.split('-')
      const width = from.startsWith('0') && from.length > 1 ? from.length : 0
      return Array.from({ length: Number(to) - Number(from) + 1 }, (_, index) => `${head}${String(Number(from) + index).padStart(width, '0')}${tail}`)
    })
  })
}

describe('folding names', () => {
  it('writes what people write', () => {
    expect(foldNames(['storage-02', 'storage-01', 'storage-03'])).toBe('storage-[01-03]')
    expect(foldNames(['ctl1', 'ctl2', 'ctl7', 'db'])).toBe('ctl[1-2,7], db')
    expect(foldNames(['n9', 'n10', 'n11'])).toBe('n[9-11]')
    expect(foldNames(['n08', 'n09', 'n10'])).toBe('n[08-10]')
    expect(foldNames(['rack1-node2-a', 'rack1-node3-a'])).toBe('rack1-node[2-3]-a')
    expect(foldNames(['web'])).toBe('web')
    expect(foldNames([])).toBe('')
  })

  it('loses no name and adds none', () => {
    const name = fc.tuple(fc.constantFrom('web-', 'db', 'r1-n', ''), fc.constantFrom('1', '2', '3', '01', '02', '9', '09', '10', '11', '099', '100', '101', ''), fc.constantFrom('', '-a')).map((parts) => parts.join(''))
    fc.assert(
      fc.property(fc.uniqueArray(name.filter((one) => one !== '')), (names) => {
        expect([...unfold(foldNames(names))].toSorted()).toStrictEqual(names.toSorted())
      }),
      { numRuns: 1000 },
    )
  })
})
