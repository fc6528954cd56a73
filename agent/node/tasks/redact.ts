import type { Json } from '../../../schemas/shape.ts'

const MARK = '[redacted]'
/** Shorter values stand in too many places by chance; they are replaced only where they stand alone. */
const SHORT = 4

/** The values behind JSON pointers (RFC 6901) into a document, with all that is below; as texts, longest first. */
export function sensitiveTexts(document: Json, pointers: readonly string[]): string[] {
  const texts = new Set<string>()
  for (const pointer of pointers) collect(valueAt(document, pointer), texts)
  return [...texts].toSorted((a, b) => b.length - a.length)
}

/**
 * Gives a function that replaces these texts in a line of output: as they are, line by line when they have several, and as
 * JSON would escape them.
 */
export function redactor(texts: readonly string[]): (line: string) => string {
  const needles = new Set(texts.flatMap((text) => [text, ...text.split('\n'), JSON.stringify(text).slice(1, -1)]).filter((text) => text.trim() !== ''))
  const long = [...needles].filter((text) => text.length >= SHORT).toSorted((a, b) => b.length - a.length)
  const short = [...needles].filter((text) => text.length < SHORT)
  return (line) => {
    let clean = line
    for (const needle of long) clean = clean.replaceAll(needle, MARK)
    for (const needle of short) clean = clean.replaceAll(new RegExp(`(?<![A-Za-z0-9_])${needle.replaceAll(/[^A-Za-z0-9_]/gu, String.raw`\$&`)}(?![A-Za-z0-9_])`, 'g'), MARK)
    return clean
  }
}

/** Characters from which on a secret that stands in a value does not stand there by chance. */
const TELLING = 6

/** Whether some text of a value holds one of these literally. */
export function holdsAny(value: Json, secrets: readonly string[]): boolean {
  const telling = secrets.filter((secret) => secret.length >= TELLING)
  return textsOf(value).some((text) => telling.some((secret) => text.includes(secret)))
}

/** Texts of all scalars of a value. */
export function textsOf(value: Json): string[] {
  const texts = new Set<string>()
  collect(value, texts)
  return [...texts]
}

function collect(value: Json | undefined, texts: Set<string>): void {
  if (value === undefined || value === null || typeof value === 'boolean') return
  if (typeof value === 'object') for (const child of Object.values(value)) collect(child as Json, texts)
  else texts.add(String(value))
}

function valueAt(document: Json, pointer: string): Json | undefined {
  let value: Json | undefined = document
  for (const token of pointer.split('/').slice(1)) {
    if (value === null || typeof value !== 'object') return undefined
    value = (value as { readonly [key: string]: Json })[token.replaceAll('~1', '/').replaceAll('~0', '~')]
  }
  return value
}
