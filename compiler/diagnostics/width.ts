/** Columns that a text takes on a terminal: two for wide characters (Unicode Standard Annex #11), none for marks. */
export function columnsOf(text: string): number {
  let columns = 0
  for (const character of text) {
    if (MARK.test(character)) continue
    columns += WIDE.test(character) || isWide(character.codePointAt(0) as number) ? 2 : 1
  }
  return columns
}

const MARK = /^(?:\p{Mn}|\p{Me}|\u200b|\u200d|\ufe0e|\ufe0f)$/u
const WIDE = /^\p{Emoji_Presentation}$/u

/** Hangul, CJK and full-width forms: the blocks that are wide as a whole. */
const BLOCKS = [
  [0x1100, 0x115f],
  [0x2e80, 0x303e],
  [0x3041, 0xa4cf],
  [0xa960, 0xa97f],
  [0xac00, 0xd7a3],
  [0xf900, 0xfaff],
  [0xfe30, 0xfe6f],
  [0xff00, 0xff60],
  [0xffe0, 0xffe6],
  [0x1f300, 0x1f64f],
  [0x20000, 0x3fffd],
] as const

function isWide(code: number): boolean {
  return code >= 0x1100 && BLOCKS.some(([first, last]) => code >= first && code <= last)
}
