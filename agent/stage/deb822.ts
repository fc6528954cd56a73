/** One stanza of a control file: field name as written → value; continuation lines are joined with `\n`. */
export type Stanza = ReadonlyMap<string, string>

/**
 * Reads control files as dpkg, apt and their archives write them: status, Packages, Release, `*.sources`.
 *
 * Comment lines start with `#`; a blank line ends a stanza; a line that starts with a blank continues the field before
 * it, where a lone `.` stands for an empty line. Field names are looked up as they are written. deb822(5), deb-control(5).
 */
export function parseStanzas(text: string): Stanza[] {
  const stanzas: Stanza[] = []
  let fields = new Map<string, string>()
  let last: string | undefined
  const end = (): void => {
    if (fields.size > 0) stanzas.push(fields)
    fields = new Map()
    last = undefined
  }
  for (const line of text.split('\n')) {
    if (line.startsWith('#')) continue
    if (line.trim() === '') {
      end()
    } else if (/^[ \t]/.test(line)) {
      if (last !== undefined) fields.set(last, `${fields.get(last) ?? ''}\n${line.trim() === '.' ? '' : line.slice(1).trimEnd()}`)
    } else {
      const colon = line.indexOf(':')
      if (colon <= 0) continue
      last = line.slice(0, colon)
      fields.set(last, line.slice(colon + 1).trim())
    }
  }
  end()
  return stanzas
}
