/** Where each UTF-16 unit of a value stands in the text that it was read from; ends exclusive. */
export interface AlignedText {
  readonly start: readonly number[]
  readonly end: readonly number[]
}

const SPACE = /\s/

/**
 * Lays a string value beside the text of its scalar, quotes included: plain, quoted with escapes or doubled quotes (YAML
 * 1.2.2 §7.3, RFC 4180), block or folded over lines. Of space that YAML folds, units may share a place.
 *
 * @returns undefined when the text does not say the value.
 */
export function alignText(value: string, text: string): AlignedText | undefined {
  const quote = text[0] === '"' || text[0] === "'" ? text[0] : undefined
  const start: number[] = []
  const end: number[] = []
  let at = quote === undefined ? 0 : 1
  const put = (units: number, width: number): void => {
    for (let i = 0; i < units; i++) {
      start.push(at)
      end.push(at + width)
    }
    at += width
  }
  const isSpaceAt = (offset: number): boolean => SPACE.test(text[offset] ?? '')
  while (start.length < value.length) {
    const unit = value[start.length] as string
    if (quote === '"' && text[at] === '\\') {
      const escape = /^\\(?:x[0-9A-Fa-f]{2}|u[0-9A-Fa-f]{4}|U[0-9A-Fa-f]{8}|[^\n\r])|^\\\r?\n[ \t]*/.exec(text.slice(at, at + 1000))?.[0]
      if (escape === undefined) return undefined
      if (/^\\\r?\n/.test(escape)) at += escape.length
      else put((value.codePointAt(start.length) as number) > 0xffff ? 2 : 1, escape.length)
    } else if (SPACE.test(unit)) {
      if (!isSpaceAt(at)) {
        // Blank lines around a block are not part of its place; inside, space cannot come from nothing.
        if (at > 0 && at < text.length) return undefined
        put(1, 0)
        continue
      }
      put(1, 1)
      const more = SPACE.test(value[start.length] ?? '')
      if (more && !isSpaceAt(at)) at--
      if (!more) while (isSpaceAt(at)) at++
    } else if (quote !== undefined && unit === quote && text.startsWith(quote + quote, at)) put(1, 2)
    else if (text[at] === unit) put(1, 1)
    else return undefined
  }
  return { start, end }
}
