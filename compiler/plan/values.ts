import { canonical, digestBytes } from '../../schemas/canonical.ts'
import type { Digest } from '../../schemas/canonical.ts'
import type { Json } from '../../schemas/shape.ts'

/** The values of a plan by digest. An object that is there a second time is not hashed again. */
export class Values {
  readonly #values = new Map<Digest, Json>()
  readonly #digests = new WeakMap<object, Digest>()

  /** Keeps a value and gives its digest. */
  add(value: Json): Digest {
    const known = value !== null && typeof value === 'object' ? this.#digests.get(value) : undefined
    if (known !== undefined) return known
    const digest = digestBytes(canonical(value))
    if (value !== null && typeof value === 'object') this.#digests.set(value, digest)
    this.#values.set(digest, value)
    return digest
  }

  /** Keeps a document part by part, so that steps share what is the same. */
  addDocument(parts: { readonly [part: string]: Json }): Digest {
    return this.add({ parts: Object.fromEntries(Object.entries(parts).map(([name, value]) => [name, this.add(value)])) })
  }

  /** Everything that was added. */
  all(): { readonly [digest: string]: Json } {
    return Object.fromEntries(this.#values)
  }
}
