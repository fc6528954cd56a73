import { canonical, digestBytes, sortedKeys } from '../../schemas/canonical.ts'
import type { Digest } from '../../schemas/canonical.ts'
import type { Json } from '../../schemas/shape.ts'

/** Items from which on the text of a list is kept. */
const LONG = 16

/** The values of a plan by digest. An object that is there a second time is not hashed again. */
export class Values {
  readonly #values: { [digest: Digest]: Json } = {}
  readonly #digests = new Map<object, Digest>()
  readonly #lists = new Map<object, string>()

  /** Keeps a value and gives its digest. */
  add(value: Json): Digest {
    if (value === null || typeof value !== 'object') return this.#keep(value, canonical(value))
    let digest = this.#digests.get(value)
    if (digest === undefined) this.#digests.set(value, (digest = this.#keep(value, this.#text(value))))
    return digest
  }

  /** Keeps a document part by part, so that steps share what is the same. */
  addDocument(parts: { readonly [part: string]: Json }): Digest {
    const digests: { [part: string]: Digest } = {}
    for (const name of sortedKeys(parts)) digests[name] = this.add(parts[name] as Json)
    const document = { parts: digests }
    return this.#keep(document, canonical(document))
  }

  #keep(value: Json, text: string): Digest {
    const digest = digestBytes(text)
    this.#values[digest] = value
    return digest
  }

  /** Canonical JSON. Long lists are what many values have in common: each is written once. */
  #text(value: Json): string {
    if (value === null || typeof value !== 'object') return canonical(value)
    if (Array.isArray(value)) {
      if (value.length < LONG) return canonical(value)
      const known = this.#lists.get(value)
      if (known !== undefined) return known
      const text = canonical(value)
      this.#lists.set(value, text)
      return text
    }
    const object = value as { readonly [key: string]: Json }
    return `{${sortedKeys(object).map((key) => `${JSON.stringify(key)}:${this.#text(object[key] as Json)}`).join(',')}}`
  }

  /** Everything that was added. */
  all(): { readonly [digest: string]: Json } {
    return this.#values
  }
}
