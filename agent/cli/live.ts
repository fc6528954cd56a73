/** Progress for people: on a terminal a block of lines that is drawn over, elsewhere one line after another. */
export interface LiveLine {
  /** A line that stays. */
  say(text: string): void
  /** What is going on now; on a terminal it replaces what was shown before, elsewhere nothing is printed. */
  show(lines: readonly string[]): void
  clear(): void
}

/** Writes to standard error, since none of it is a result. */
export function liveLine(): LiveLine {
  const terminal = process.stderr.isTTY
  let drawn = 0
  const clear = (): void => {
    if (drawn > 0) process.stderr.write(`\u001B[${drawn}A\u001B[0J`)
    drawn = 0
  }
  return {
    clear,
    say(text) {
      clear()
      process.stderr.write(`${text}\n`)
    },
    show(lines) {
      if (!terminal) return
      clear()
      const width = process.stderr.columns ?? 80
      process.stderr.write(lines.map(line => `${line.slice(0, width - 1)}\n`).join(''))
      drawn = lines.length
    },
  }
}
