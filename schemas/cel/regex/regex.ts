import { parsePattern, PatternError } from './parse.ts'
import type { Assertion, Pattern } from './parse.ts'
import type { CharacterSet } from './character-set.ts'

/** Most instructions of one pattern, after repetitions are written out. */
const MAX_SIZE = 10_000

/** `set`: one character, then `next`. `split`: both `next` and `other`. */
type Instruction =
  | { readonly op: 'set'; readonly set: CharacterSet; next: number }
  | { readonly op: 'split'; next: number; other: number }
  | { readonly op: 'assert'; readonly assertion: Assertion; next: number }
  | { readonly op: 'match' }

/** A pattern ready to use. */
export interface Regex {
  /** Number of instructions: one character of text costs at most this many steps. */
  readonly size: number
  /** Whether the pattern matches anywhere in the text. Time is linear in text length × size. */
  readonly test: (text: string) => boolean
}

/**
 * Compiles a pattern in RE2 syntax into an automaton that never backtracks.
 *
 * @returns the pattern, or what is wrong with it in plain words.
 */
export function compileRegex(source: string): Regex | string {
  try {
    const program: Instruction[] = []
    emit(program, parsePattern(source))
    program.push({ op: 'match' })
    return { size: program.length, test: (text) => run(program, text) }
  } catch (error) {
    if (error instanceof PatternError) return error.message
    throw error
  }
}

/** Appends the instructions of a part; they leave by falling through to the next free address. */
function emit(program: Instruction[], pattern: Pattern): void {
  if (program.length > MAX_SIZE) throw new PatternError('it is too large once its repetitions are written out')
  switch (pattern.kind) {
    case 'empty':
      return
    case 'set':
      program.push({ op: 'set', set: pattern.set, next: program.length + 1 })
      return
    case 'assert':
      program.push({ op: 'assert', assertion: pattern.assertion, next: program.length + 1 })
      return
    case 'concat':
      for (const part of pattern.parts) emit(program, part)
      return
    case 'either':
      emitEither(program, pattern.parts)
      return
    case 'repeat':
      emitRepeat(program, pattern.part, pattern)
  }
}

function split(program: Instruction[]): { next: number; other: number } {
  const instruction = { op: 'split' as const, next: program.length + 1, other: program.length + 1 }
  program.push(instruction)
  return instruction
}

function emitEither(program: Instruction[], parts: readonly Pattern[]): void {
  const exits: { next: number; other: number }[] = []
  for (const [index, part] of parts.entries()) {
    const last = index === parts.length - 1
    const branch = last ? undefined : split(program)
    emit(program, part)
    if (last) break
    exits.push(split(program))
    if (branch !== undefined) branch.other = program.length
  }
  for (const exit of exits) exit.next = exit.other = program.length
}

function emitRepeat(
  program: Instruction[],
  part: Pattern,
  { min, max }: { readonly min: number; readonly max: number },
): void {
  for (let count = 0; count < min; count++) {
    const before = program.length
    emit(program, part)
    if (program.length === before) return // it matches nothing but the empty text, however often
  }
  if (max === Infinity) {
    const loop = program.length
    const branch = split(program)
    emit(program, part)
    const back = split(program)
    back.next = back.other = loop
    branch.other = program.length
    return
  }
  const branches: { next: number; other: number }[] = []
  for (let count = min; count < max; count++) {
    branches.push(split(program))
    emit(program, part)
  }
  for (const branch of branches) branch.other = program.length
}

/** Follows all threads at once, one character at a time (Thompson). */
function run(program: readonly Instruction[], text: string): boolean {
  const seen = new Int32Array(program.length).fill(-1)
  const stack: number[] = []
  let threads: number[] = []
  let before = -1
  for (let at = 0, step = 0; ; step++) {
    const code = at < text.length ? (text.codePointAt(at) ?? -1) : -1
    // A match may start anywhere, so the first instruction joins at every position.
    stack.push(...threads.reverse(), 0)
    const waiting: number[] = []
    for (let address = stack.pop(); address !== undefined; address = stack.pop()) {
      if (seen[address] === step) continue
      seen[address] = step
      const instruction = program[address]
      if (instruction === undefined || instruction.op === 'match') return true
      if (instruction.op === 'set') waiting.push(address)
      else if (instruction.op === 'split') stack.push(instruction.other, instruction.next)
      else if (holds(instruction.assertion, before, code)) stack.push(instruction.next)
    }
    if (code < 0) return false
    threads = []
    for (const address of waiting) {
      const instruction = program[address]
      if (instruction?.op === 'set' && instruction.set.has(code)) threads.push(instruction.next)
    }
    before = code
    at += code > 0xffff ? 2 : 1
  }
}

/** `before` and `after` are the characters around a position, −1 at the ends. */
function holds(assertion: Assertion, before: number, after: number): boolean {
  switch (assertion) {
    case 'start':
      return before < 0
    case 'end':
      return after < 0
    case 'lineStart':
      return before < 0 || before === 10
    case 'lineEnd':
      return after < 0 || after === 10
    case 'word':
      return isWord(before) !== isWord(after)
    case 'notWord':
      return isWord(before) === isWord(after)
  }
}

function isWord(code: number): boolean {
  return (
    (code >= 0x30 && code <= 0x39) || (code >= 0x41 && code <= 0x5a) || code === 0x5f || (code >= 0x61 && code <= 0x7a)
  )
}
