/** What a name with ranges stands for, or what is wrong with it. */
export type Expanded = { readonly names: readonly string[] } | { readonly problem: string }

/** Names that one range may stand for. */
const MAX_NAMES = 100_000

/**
 * Writes out ranges of names: `web-[01-03]` is web-01, web-02, web-03; `db[1,3-4]` is db1, db3, db4; several brackets
 * give every combination, the last one counting fastest. Zeros at the front of the first number set the width.
 *
 * @returns undefined when it is not written as a range or is too large.
 */
export function expandNames(text: string): readonly string[] | undefined {
  const expanded = expandRange(text)
  return 'names' in expanded ? expanded.names : undefined
}

/** As `expandNames`, with the reason when it cannot be done. */
export function expandRange(text: string): Expanded {
  const parts = text.split(/(\[[^[\]]*\])/)
  let names: readonly string[] = ['']
  for (const part of parts) {
    if (!part.startsWith('[')) {
      if (/[[\],]/.test(part)) return { problem: 'its brackets do not match' }
      names = names.map((name) => name + part)
      continue
    }
    const values = numbersOf(part.slice(1, -1))
    if ('problem' in values) return values
    if (names.length * values.names.length > MAX_NAMES) return { problem: `it stands for more than ${MAX_NAMES} names` }
    names = names.flatMap((name) => values.names.map((value) => name + value))
  }
  const twice = names.find((name, index) => names.length < 1000 && names.indexOf(name) !== index)
  return twice === undefined ? { names } : { problem: `it names ${twice} twice` }
}

function numbersOf(list: string): Expanded {
  const numbers: string[] = []
  for (const item of list.split(',')) {
    const range = /^(\d{1,9})(?:-(\d{1,9}))?$/.exec(item)
    if (range === null) return { problem: `[${list}] is no list of numbers such as [1-3] or [1,4-6]` }
    const [, first, last = first] = range as unknown as [string, string, string | undefined]
    if (Number(last) < Number(first)) return { problem: `${item} counts backwards` }
    if (first.startsWith('0') && first.length > 1 && last.length !== first.length) return { problem: `${item} has numbers of different width` }
    if (Number(last) - Number(first) >= MAX_NAMES) return { problem: `it stands for more than ${MAX_NAMES} names` }
    for (let number = Number(first); number <= Number(last); number++) numbers.push(String(number).padStart(first.length, '0'))
  }
  return { names: numbers }
}
