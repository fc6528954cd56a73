/** A set of code points: ranges, Unicode classes, and the same without regard to case. */
export class CharacterSet {
  readonly #ranges: readonly (readonly [low: number, high: number])[]
  readonly #classes: readonly ((code: number) => boolean)[]
  readonly #negated: boolean
  readonly #fold: boolean
  /** The answer for ASCII, which is nearly all there is to ask. */
  readonly #ascii = new Uint8Array(128)

  constructor(parts: SetParts, { negated, fold }: { readonly negated: boolean; readonly fold: boolean }) {
    this.#ranges = parts.ranges
    this.#classes = parts.classes
    this.#negated = negated
    this.#fold = fold
    for (let code = 0; code < 128; code++) this.#ascii[code] = this.#look(code) ? 1 : 0
  }

  has(code: number): boolean {
    return code < 128 ? this.#ascii[code] === 1 : this.#look(code)
  }

  #look(code: number): boolean {
    const found = this.#fold ? caseVariants(code).some((variant) => this.#holds(variant)) : this.#holds(code)
    return found !== this.#negated
  }

  #holds(code: number): boolean {
    for (const [low, high] of this.#ranges) if (code >= low && code <= high) return true
    return this.#classes.some((belongs) => belongs(code))
  }
}

/** What a set is made of. */
export interface SetParts {
  readonly ranges: readonly (readonly [low: number, high: number])[]
  readonly classes: readonly ((code: number) => boolean)[]
}

/** A character whose upper or lower case form is shared by another one, and that other one. */
const SHARED_CASE: readonly (readonly [number, number])[] = [
  [0x6b, 0x212a],
  [0x73, 0x17f],
  [0xe5, 0x212b],
  [0x3bc, 0xb5],
  [0x3c3, 0x3c2],
  [0x3c9, 0x2126],
  [0x3b8, 0x3d1],
  [0x3b2, 0x3d0],
  [0x3b5, 0x3f5],
  [0x3ba, 0x3f0],
  [0x3c0, 0x3d6],
  [0x3c1, 0x3f1],
  [0x3c6, 0x3d5],
  [0x3b9, 0x1fbe],
  [0x1e61, 0x1e9b],
]

/** A code point and all that differ from it only in case (simple folding, one character to one character). */
function caseVariants(code: number): readonly number[] {
  const found = new Set([code, single(code, 'toLowerCase'), single(code, 'toUpperCase')])
  for (const variant of found) found.add(single(variant, 'toLowerCase'))
  for (const [a, b] of SHARED_CASE) {
    if (found.has(a)) found.add(b)
    else if (found.has(b)) found.add(a)
  }
  for (const variant of found) found.add(single(variant, 'toUpperCase'))
  return [...found]
}

function single(code: number, form: 'toLowerCase' | 'toUpperCase'): number {
  const changed = String.fromCodePoint(code)[form]()
  const result = changed.codePointAt(0) ?? code
  return String.fromCodePoint(result).length === changed.length ? result : code
}

/** Ranges that are not in these, sorted. */
export function complement(ranges: SetParts['ranges']): SetParts['ranges'] {
  const result: [number, number][] = []
  let next = 0
  for (const [low, high] of [...ranges].sort((a, b) => a[0] - b[0])) {
    if (low > next) result.push([next, low - 1])
    next = Math.max(next, high + 1)
  }
  if (next <= 0x10ffff) result.push([next, 0x10ffff])
  return result
}

const DIGIT: SetParts['ranges'] = [[0x30, 0x39]]
const WORD: SetParts['ranges'] = [
  [0x30, 0x39],
  [0x41, 0x5a],
  [0x5f, 0x5f],
  [0x61, 0x7a],
]
const SPACE: SetParts['ranges'] = [
  [9, 10],
  [12, 13],
  [0x20, 0x20],
]

/** `\d`, `\w`, `\s` and their complements: ASCII only, as in RE2. */
export const PERL_CLASSES: Readonly<Record<string, SetParts['ranges']>> = {
  d: DIGIT,
  D: complement(DIGIT),
  w: WORD,
  W: complement(WORD),
  s: SPACE,
  S: complement(SPACE),
}

/** `[:alpha:]` and the like. */
export const POSIX_CLASSES: Readonly<Record<string, SetParts['ranges']>> = {
  alnum: [
    [0x30, 0x39],
    [0x41, 0x5a],
    [0x61, 0x7a],
  ],
  alpha: [
    [0x41, 0x5a],
    [0x61, 0x7a],
  ],
  ascii: [[0, 0x7f]],
  blank: [
    [9, 9],
    [32, 32],
  ],
  cntrl: [
    [0, 31],
    [127, 127],
  ],
  digit: DIGIT,
  graph: [[33, 126]],
  lower: [[0x61, 0x7a]],
  print: [[32, 126]],
  punct: [
    [33, 47],
    [58, 64],
    [91, 96],
    [123, 126],
  ],
  space: [
    [9, 13],
    [32, 32],
  ],
  upper: [[0x41, 0x5a]],
  word: WORD,
  xdigit: [
    [0x30, 0x39],
    [0x41, 0x46],
    [0x61, 0x66],
  ],
}

/** The test for a general category or script by its Unicode name, undefined if there is none such. */
export function unicodeClass(name: string, negated: boolean): ((code: number) => boolean) | undefined {
  const inverse = name.startsWith('^') !== negated
  const plain = name.replace(/^\^/, '')
  if (plain === 'Any') return () => !inverse
  if (!/^[A-Za-z_]+$/.test(plain)) return undefined
  for (const property of [`General_Category=${plain}`, `Script=${plain}`]) {
    try {
      const pattern = new RegExp(`^\\p{${property}}$`, 'u')
      return (code) => pattern.test(String.fromCodePoint(code)) !== inverse
    } catch {
      continue // not a category; perhaps a script
    }
  }
  return undefined
}
