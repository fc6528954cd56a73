/** A word of a line: what it says, and where it stands in the line. */
export interface ShellWord {
  readonly text: string
  readonly start: number
  readonly end: number
}

/**
 * Splits a line into words as Python's `shlex.split(line, comments=True)` does: quotes, backslashes, and `#` ends the
 * line wherever it stands outside quotes.
 *
 * @returns what is wrong, as text, when a quote is not closed or nothing follows a backslash.
 */
export function shellWords(line: string): readonly ShellWord[] | string {
  const words: ShellWord[] = []
  let at = 0
  while (at < line.length) {
    if (/[ \t\r\n]/.test(line[at] ?? '')) {
      at++
      continue
    }
    if (line[at] === '#') break
    const start = at
    let text = ''
    let comment = false
    while (at < line.length && !/[ \t\r\n]/.test(line[at] ?? '')) {
      const character = line[at] ?? ''
      if (character === '#') {
        comment = true
        break
      }
      if (character === '\\') {
        if (at + 1 >= line.length) return 'nothing follows the last backslash'
        text += line[at + 1]
        at += 2
      } else if (character === '"' || character === "'") {
        const quoted = quotedText(line, at)
        if (quoted === undefined) return `the quote at column ${at + 1} is not closed`
        text += quoted.text
        at = quoted.end
      } else {
        text += character
        at++
      }
    }
    words.push({ text, start, end: at })
    if (comment) break
  }
  return words
}

/** In double quotes a backslash stands before `"` and itself only. */
function quotedText(line: string, from: number): { readonly text: string; readonly end: number } | undefined {
  const quote = line[from]
  let text = ''
  for (let at = from + 1; at < line.length; at++) {
    const character = line[at] ?? ''
    if (character === quote) return { text, end: at + 1 }
    if (quote === '"' && character === '\\' && (line[at + 1] === '"' || line[at + 1] === '\\')) text += line[++at]
    else text += character
  }
  return undefined
}
