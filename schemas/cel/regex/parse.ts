import { CharacterSet, complement, PERL_CLASSES, POSIX_CLASSES, unicodeClass } from './character-set.ts'
import type { SetParts } from './character-set.ts'

/** What must hold between two characters. */
export type Assertion = 'start' | 'end' | 'lineStart' | 'lineEnd' | 'word' | 'notWord'

/** A parsed pattern. Groups do not capture: only whether a text matches is ever asked. */
export type Pattern =
  | { readonly kind: 'empty' }
  | { readonly kind: 'set'; readonly set: CharacterSet }
  | { readonly kind: 'assert'; readonly assertion: Assertion }
  | { readonly kind: 'concat' | 'either'; readonly parts: readonly Pattern[] }
  | { readonly kind: 'repeat'; readonly part: Pattern; readonly min: number; readonly max: number }

/** Longest pattern, in UTF-16 units; deepest nesting of groups; largest repeat count, as in RE2. */
export const MAX_PATTERN_LENGTH = 4096
const MAX_GROUPS = 200
const MAX_REPEAT = 1000

/** Why a text is no pattern. */
export class PatternError extends Error {}

interface Flags {
  readonly i: boolean
  readonly m: boolean
  readonly s: boolean
}

/** Parses RE2 syntax. @throws {PatternError} in plain words, for back-references and look-around too. */
export function parsePattern(source: string): Pattern {
  if (source.length > MAX_PATTERN_LENGTH) throw new PatternError(`it is longer than ${MAX_PATTERN_LENGTH} characters`)
  return new PatternParser(Array.from(source)).parse()
}

class PatternParser {
  readonly #text: readonly string[]
  #at = 0
  #depth = 0
  #flags: Flags = { i: false, m: false, s: false }

  constructor(text: readonly string[]) {
    this.#text = text
  }

  parse(): Pattern {
    const pattern = this.#either()
    if (this.#at < this.#text.length) throw new PatternError('there is a ) without its (')
    return pattern
  }

  #peek(ahead = 0): string | undefined {
    return this.#text[this.#at + ahead]
  }

  #accept(text: string): boolean {
    for (let at = 0; at < text.length; at++) if (this.#peek(at) !== text[at]) return false
    this.#at += text.length
    return true
  }

  #either(): Pattern {
    const parts = [this.#concat()]
    while (this.#accept('|')) parts.push(this.#concat())
    return parts.length === 1 && parts[0] !== undefined ? parts[0] : { kind: 'either', parts }
  }

  #concat(): Pattern {
    const parts: Pattern[] = []
    for (let c = this.#peek(); c !== undefined && c !== '|' && c !== ')'; c = this.#peek()) {
      if (this.#accept('\\Q')) {
        while (this.#at < this.#text.length && !this.#accept('\\E')) parts.push(this.#character(this.#next()))
        continue
      }
      const atom = this.#atom()
      if (atom !== undefined) parts.push(this.#repeated(atom))
    }
    return { kind: 'concat', parts }
  }

  #next(): number {
    const c = this.#text[this.#at++]
    if (c === undefined) throw new PatternError('it ends too early')
    return c.codePointAt(0) ?? 0
  }

  #character(code: number): Pattern {
    return this.#set({ ranges: [[code, code]], classes: [] }, false)
  }

  #set(parts: SetParts, negated: boolean): Pattern {
    return { kind: 'set', set: new CharacterSet(parts, { negated, fold: this.#flags.i }) }
  }

  #repeated(atom: Pattern): Pattern {
    const counts = this.#quantifier()
    if (counts === undefined) return atom
    this.#accept('?') // lazy or not: whether a text matches does not depend on it
    if (this.#quantifier() !== undefined) throw new PatternError('a repetition cannot be repeated; put it in a group')
    return { kind: 'repeat', part: atom, ...counts }
  }

  #quantifier(): { min: number; max: number } | undefined {
    if (this.#accept('*')) return { min: 0, max: Infinity }
    if (this.#accept('+')) return { min: 1, max: Infinity }
    if (this.#accept('?')) return { min: 0, max: 1 }
    if (this.#peek() !== '{') return undefined
    const counts = /^\{(\d{1,9})(,(\d{0,9}))?\}/.exec(this.#text.slice(this.#at, this.#at + 24).join(''))
    if (counts === null) return undefined
    this.#at += counts[0].length
    const min = Number(counts[1])
    const max =
      counts[2] === undefined ? min : counts[3] === '' || counts[3] === undefined ? Infinity : Number(counts[3])
    if (min > MAX_REPEAT || (max !== Infinity && max > MAX_REPEAT))
      throw new PatternError(`it repeats more than ${MAX_REPEAT} times`)
    if (max < min) throw new PatternError(`${counts[0]} has its numbers the wrong way round`)
    return { min, max }
  }

  /** Undefined for what matches nothing by itself, such as `(?i)`. */
  #atom(): Pattern | undefined {
    const c = this.#peek() ?? ''
    if ('*+?'.includes(c) || (c === '{' && this.#quantifier() !== undefined))
      throw new PatternError(`there is nothing before ${c} to repeat`)
    if (c === '(') return this.#group()
    if (c === '[') return this.#class()
    if (c === '\\') return this.#escape()
    this.#at++
    if (c === '.') return this.#set({ ranges: this.#flags.s ? [] : [[10, 10]], classes: [] }, true)
    if (c === '^') return { kind: 'assert', assertion: this.#flags.m ? 'lineStart' : 'start' }
    if (c === '$') return { kind: 'assert', assertion: this.#flags.m ? 'lineEnd' : 'end' }
    return this.#character(c.codePointAt(0) ?? 0)
  }

  #group(): Pattern | undefined {
    this.#at++
    const outer = this.#flags
    if (this.#peek() === '?') {
      this.#at++
      if (['=', '!', '<=', '<!'].some((look) => this.#accept(look)))
        throw new PatternError('look-ahead and look-behind are not supported')
      const named = /^P?<([A-Za-z0-9_]+)>/.exec(this.#text.slice(this.#at, this.#at + 80).join(''))
      if (named !== null) this.#at += named[0].length
      else if (this.#readFlags()) return undefined
    }
    if (++this.#depth > MAX_GROUPS) throw new PatternError(`its groups are nested deeper than ${MAX_GROUPS}`)
    const inner = this.#either()
    if (!this.#accept(')')) throw new PatternError('there is a ( without its )')
    this.#depth--
    this.#flags = outer
    return inner
  }

  /** `(?i)` sets the flags for the rest of the group it stands in (true), `(?i:` for a group of its own (false). */
  #readFlags(): boolean {
    const match = /^([imsU]*)(-[imsU]+)?([:)])/.exec(this.#text.slice(this.#at, this.#at + 20).join(''))
    if (match === null) throw new PatternError('(? starts neither a group nor flags that are known')
    this.#at += match[0].length
    const [, on = '', off = '', end] = match
    const set = (flag: 'i' | 'm' | 's'): boolean => (on.includes(flag) || this.#flags[flag]) && !off.includes(flag)
    this.#flags = { i: set('i'), m: set('m'), s: set('s') }
    return end === ')'
  }

  #escape(): Pattern {
    const c = this.#peek(1) ?? ''
    const assertion = ({ A: 'start', z: 'end', b: 'word', B: 'notWord' } as const)[c]
    if (assertion !== undefined) {
      this.#at += 2
      return { kind: 'assert', assertion }
    }
    const parts = this.#classEscape()
    return parts === undefined ? this.#character(this.#codeEscape()) : this.#set(parts, false)
  }

  /** `\d`, `\pL`, `\p{Greek}` and complements; undefined if no such escape stands here. */
  #classEscape(): SetParts | undefined {
    const c = this.#peek(1) ?? ''
    const perl = Object.hasOwn(PERL_CLASSES, c) ? PERL_CLASSES[c] : undefined
    if (perl !== undefined) {
      this.#at += 2
      return { ranges: perl, classes: [] }
    }
    if (c !== 'p' && c !== 'P') return undefined
    const match = /^\\[pP](?:\{([^}]*)\}|(.))/s.exec(this.#text.slice(this.#at, this.#at + 60).join(''))
    const name = match?.[1] ?? match?.[2] ?? ''
    const belongs = unicodeClass(name, c === 'P')
    if (match === null || belongs === undefined) throw new PatternError(`\\${c}{${name}} is not a Unicode class`)
    this.#at += Array.from(match[0]).length
    return { ranges: [], classes: [belongs] }
  }

  /** An escape that stands for one character. */
  #codeEscape(): number {
    this.#at++
    const c = String.fromCodePoint(this.#next())
    const control = ({ a: 7, f: 12, t: 9, n: 10, r: 13, v: 11 } as Readonly<Record<string, number>>)[c]
    if (control !== undefined) return control
    const rest = this.#text.slice(this.#at, this.#at + 12).join('')
    if (c === 'x') {
      const match = /^(?:\{([0-9a-fA-F]{1,8})\}|([0-9a-fA-F]{2}))/.exec(rest)
      const code = Number.parseInt(match?.[1] ?? match?.[2] ?? '', 16)
      if (match === null || code > 0x10ffff)
        throw new PatternError('\\x needs two hexadecimal digits, or more in braces')
      this.#at += match[0].length
      return code
    }
    if (/[0-7]/.test(c)) {
      const more = /^[0-7]{0,2}/.exec(rest)?.[0] ?? ''
      if (c !== '0' && more === '') throw new PatternError('back-references are not supported')
      this.#at += more.length
      return Number.parseInt(c + more, 8)
    }
    if (/[89]/.test(c)) throw new PatternError('back-references are not supported')
    if (/[A-Za-z]/.test(c)) throw new PatternError(`\\${c} has no meaning`)
    return c.codePointAt(0) ?? 0
  }

  #class(): Pattern {
    this.#at++
    const negated = this.#accept('^')
    const ranges: (readonly [number, number])[] = []
    const classes: ((code: number) => boolean)[] = []
    for (let first = true; first || this.#peek() !== ']'; first = false) {
      if (this.#peek() === undefined) throw new PatternError('there is a [ without its ]')
      const parts = this.#posixClass() ?? (this.#peek() === '\\' ? this.#classEscape() : undefined)
      if (parts !== undefined) {
        ranges.push(...parts.ranges)
        classes.push(...parts.classes)
        continue
      }
      const low = this.#classCharacter()
      let high = low
      if (this.#peek() === '-' && this.#peek(1) !== ']' && this.#peek(1) !== undefined) {
        this.#at++
        if (this.#peek() === '\\' && /[dDwWsSpP]/.test(this.#peek(1) ?? ''))
          throw new PatternError('a range ends with a character, not with a class')
        high = this.#classCharacter()
      }
      if (high < low) throw new PatternError('a range has its ends the wrong way round')
      ranges.push([low, high])
    }
    this.#at++
    return this.#set({ ranges, classes }, negated)
  }

  #posixClass(): SetParts | undefined {
    const match = /^\[:(\^?)([a-z]+):\]/.exec(this.#text.slice(this.#at, this.#at + 16).join(''))
    if (match === null) return undefined
    const name = match[2] ?? ''
    const ranges = Object.hasOwn(POSIX_CLASSES, name) ? POSIX_CLASSES[name] : undefined
    if (ranges === undefined) throw new PatternError(`[:${name}:] is not a class`)
    this.#at += match[0].length
    return { ranges: match[1] === '^' ? complement(ranges) : ranges, classes: [] }
  }

  #classCharacter(): number {
    return this.#peek() === '\\' ? this.#codeEscape() : this.#next()
  }
}
