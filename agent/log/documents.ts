import type { Json } from '../../schemas/shape.ts'
import type { EventStore } from './store.ts'

/** The store's documents, the last few of them parsed in memory: a plan is read for every step, and it is large. */
export interface Documents {
  put(document: Json): Promise<string>
  /** @throws {LogError} DOCUMENT_MISSING */
  get(key: string): Promise<Json>
  /** The document if it is in memory. */
  peek(key: string): Json | undefined
}

/** @param options.keep how many stay in memory; default 8. Do not change what you are given: everybody gets the same. */
export function openDocuments(store: EventStore, options: { readonly keep?: number } = {}): Documents {
  const keep = options.keep ?? 8
  const memory = new Map<string, Json>()
  const hold = (key: string, document: Json): void => {
    memory.delete(key)
    memory.set(key, document)
    for (const oldest of memory.keys()) {
      if (memory.size <= keep) break
      memory.delete(oldest)
    }
  }
  return {
    async put(document) {
      const key = await store.putDocument(document)
      hold(key, document)
      return key
    },
    async get(key) {
      const document = memory.get(key) ?? (await store.document(key))
      hold(key, document)
      return document
    },
    peek: (key) => memory.get(key),
  }
}
