/** Progress for people: on a terminal a block of lines that is drawn over, elsewhere one line after another. */
export interface LiveLine {
  /** A line that stays. */
  say(text: string): void
  /** What is going on now; on a terminal it replaces what was shown before, elsewhere nothing is printed. */
  show(lines: readonly string[]): void
  /** One more of what is going on, below the last few. */
  follow(line: string): void
  clear(): void
}

const FOLLOWED = 6

/** Writes to standard error, since none of it is a result. */
export function liveLine(): LiveLine {
  const terminal = process.stderr.isTTY
  let drawn = 0
  let followed: readonly string[] = []
  const clear = (): void => {
    if (drawn > 0) process.stderr.write(`\u001B[${drawn}A\u001B[0J`)
    drawn = 0
  }
  const show = (lines: readonly string[]): void => {
    if (!terminal) return
    clear()
    const width = process.stderr.columns ?? 80
    process.stderr.write(lines.map(line => `${line.slice(0, width - 1)}\n`).join(''))
    drawn = lines.length
  }
  return {
    clear,
    show,
    say(text) {
      clear()
      followed = []
      process.stderr.write(`${text}\n`)
    },
    follow(line) {
      followed = [...followed, line].slice(-FOLLOWED)
      show(followed)
    },
  }
}
