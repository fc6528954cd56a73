import { byCodePoint, canonical, digestBytes } from '../../schemas/canonical.ts'
import type { Digest } from '../../schemas/canonical.ts'
import type { Json } from '../../schemas/shape.ts'

/** Items from which on the text of a list is kept. */
const LONG = 16

/** The values of a plan by digest. An object that is there a second time is not hashed again. */
export class Values {
  readonly #values = new Map<Digest, Json>()
  readonly #digests = new WeakMap<object, Digest>()
  readonly #lists = new WeakMap<object, string>()

  /** Keeps a value and gives its digest. */
  add(value: Json): Digest {
    const known = value !== null && typeof value === 'object' ? this.#digests.get(value) : undefined
    if (known !== undefined) return known
    const digest = digestBytes(this.#text(value))
    if (value !== null && typeof value === 'object') this.#digests.set(value, digest)
    this.#values.set(digest, value)
    return digest
  }

  /** Keeps a document part by part, so that steps share what is the same. */
  addDocument(parts: { readonly [part: string]: Json }): Digest {
    return this.add({ parts: Object.fromEntries(Object.entries(parts).map(([name, value]) => [name, this.add(value)])) })
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
    return `{${Object.keys(object).toSorted(byCodePoint).map((key) => `${JSON.stringify(key)}:${this.#text(object[key] as Json)}`).join(',')}}`
  }

  /** Everything that was added. */
  all(): { readonly [digest: string]: Json } {
    return Object.fromEntries(this.#values)
  }
}
