import type { DiskState, Facts } from '../../schemas/inventory.ts'
import type { TaskResult } from '../../schemas/protocol.ts'

/** What waits to be sent. */
export type Outgoing =
  | { readonly type: 'accepted'; readonly attempt: string }
  | { readonly type: 'output'; readonly attempt: string; readonly stream: 'stdout' | 'stderr' | 'progress'; readonly text: string }
  | { readonly type: 'disks'; readonly disks: readonly DiskState[]; readonly facts?: Facts }
  | { readonly type: 'result'; readonly result: TaskResult }

/** Characters of output that are kept for a server that does not listen. */
const KEPT = 1024 * 1024
/** Characters that one frame carries at most. */
const FRAME = 16 * 1024

/**
 * What the node has to say, in order, kept while nobody listens. Output is bounded: the oldest goes first and a line says
 * how much went. Results are not dropped; they are in the journal besides.
 */
export class Outbox {
  #items: Outgoing[] = []
  #kept = 0
  readonly #dropped = new Map<string, number>()

  get empty(): boolean {
    return this.#items.length === 0
  }

  /** Adds to the end. Lines of one attempt and stream that stand next to each other are joined. */
  add(item: Outgoing): void {
    if (item.type !== 'output') {
      this.#items.push(item)
      return
    }
    const last = this.#items.at(-1)
    if (last?.type === 'output' && last.attempt === item.attempt && last.stream === item.stream && last.text.length + item.text.length < FRAME) {
      this.#items[this.#items.length - 1] = { ...last, text: `${last.text}${item.text}` }
    } else {
      this.#items.push(item)
    }
    this.#kept += item.text.length
    while (this.#kept > KEPT) this.#drop()
  }

  /** Takes the first item; undefined when there is none. */
  take(): Outgoing | undefined {
    const item = this.#items.shift()
    if (item?.type !== 'output') return item
    this.#kept -= item.text.length
    const dropped = this.#dropped.get(item.attempt) ?? 0
    if (dropped === 0) return item
    this.#dropped.delete(item.attempt)
    return { ...item, text: `[${dropped} characters of output were dropped while nobody listened]\n${item.text}` }
  }

  /** Takes back all that is not output: a new connection says it anew from the journal. */
  keepOutputOnly(): void {
    this.#items = this.#items.filter((item) => item.type === 'output')
  }

  #drop(): void {
    const index = this.#items.findIndex((item) => item.type === 'output')
    const [item] = this.#items.splice(index, 1)
    if (item?.type !== 'output') return
    this.#kept -= item.text.length
    this.#dropped.set(item.attempt, (this.#dropped.get(item.attempt) ?? 0) + item.text.length)
  }
}
