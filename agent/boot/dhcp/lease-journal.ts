import { open, rename, type FileHandle } from 'node:fs/promises'
import { dirname } from 'node:path'
import { crc32 } from 'node:zlib'
import type { Lease } from './lease-table.ts'

/** Why a lease could not be made durable. */
export class LeaseJournalError extends Error {
  /** `CLOSED`: after the end; `FULL`: too much is waiting; `WRITE`: the disk refused, see `cause`. */
  readonly code: 'LEASE_JOURNAL_CLOSED' | 'LEASE_JOURNAL_FULL' | 'LEASE_JOURNAL_WRITE'

  constructor(code: LeaseJournalError['code'], message: string, options?: ErrorOptions) {
    super(message, options)
    this.name = 'LeaseJournalError'
    this.code = code
  }
}

/** What was found in the file when it was opened. */
export interface JournalContents {
  /** The last state of each address, in the order of the file. */
  readonly leases: readonly Lease[]
  /** Lines that were not what we wrote, apart from a torn last one. More than 0: the disk or a person changed it. */
  readonly damagedLines: number
}

/** Leases that wait for the disk, at most; far more than a second's worth. */
const mostWaiting = 65_536
/** The file is written anew when it has this many lines more than twice the leases. */
const slackLines = 4096

/**
 * Leases on disk: a file to which every change is appended, one line each, `CRC-32 JSON`.
 *
 * Changes that arrive while the disk is busy share its next write and flush: a slow disk makes batches, not queues. A
 * line that was torn by a power cut was never acknowledged, and is cut off. Offers are not written.
 */
export class LeaseJournal implements AsyncDisposable {
  readonly #path: string
  readonly #live: Map<string, string>
  #file: FileHandle
  /** Bytes of the file that are known to be good; a failed write is overwritten from here. */
  #bytes: number
  #lines: number
  /** A write failed: what lies beyond `#bytes` is not to be read again. */
  #hasTail = false
  #waiting: { readonly leases: readonly Lease[]; readonly done: (error?: LeaseJournalError) => void }[] = []
  #waitingLeases = 0
  #writing: Promise<void> | undefined
  #isClosed = false

  private constructor(path: string, file: FileHandle, state: { bytes: number; lines: number; live: Map<string, string> }) {
    this.#path = path
    this.#file = file
    this.#bytes = state.bytes
    this.#lines = state.lines
    this.#live = state.live
  }

  /**
   * Opens the file, or makes it, mode 0600. One process at a time: the agent's data folder has one owner.
   *
   * @throws if the file cannot be read or made (`code` of the operating system).
   */
  static async open(path: string): Promise<{ journal: LeaseJournal; contents: JournalContents }> {
    const file = await open(path, 'a+', 0o600).then((each) => each.close()).then(() => open(path, 'r+'))
    try {
      const bytes = await file.readFile()
      const end = bytes.lastIndexOf(10) + 1
      const lines = bytes.toString('utf8', 0, end).split('\n').slice(0, -1)
      const live = new Map<string, string>()
      const leases = new Map<string, Lease>()
      let damagedLines = 0
      for (const line of lines) {
        const lease = readLine(line)
        if (lease) {
          live.set(lease.address, line)
          leases.set(lease.address, lease)
        } else {
          damagedLines += 1
        }
      }
      await file.truncate(end)
      const journal = new LeaseJournal(path, file, { bytes: end, lines: lines.length, live })
      return { journal, contents: { leases: [...leases.values()], damagedLines } }
    } catch (error) {
      await file.close()
      throw error
    }
  }

  /**
   * Makes changes durable: resolves when they would survive a power cut, all of them or none.
   *
   * @throws {LeaseJournalError}
   */
  append(leases: readonly Lease[]): Promise<void> {
    const durable = leases.filter(({ state }) => state !== 'offered')
    if (this.#isClosed) return Promise.reject(new LeaseJournalError('LEASE_JOURNAL_CLOSED', `${this.#path} is closed`))
    if (this.#waitingLeases + durable.length > mostWaiting) {
      return Promise.reject(new LeaseJournalError('LEASE_JOURNAL_FULL', `${this.#waitingLeases} leases wait for ${this.#path}`))
    }
    if (durable.length === 0) return Promise.resolve()
    this.#waitingLeases += durable.length
    const { promise, resolve, reject } = Promise.withResolvers<void>()
    this.#waiting.push({ leases: durable, done: (error) => (error ? reject(error) : resolve()) })
    this.#writing ??= this.#write()
    return promise
  }

  /** Writes batch after batch until nothing waits. Never rejects: each batch's error goes to those who wait for it. */
  async #write(): Promise<void> {
    while (this.#waiting.length > 0) {
      const batch = this.#waiting
      this.#waiting = []
      this.#waitingLeases = 0
      const leases = batch.flatMap((each) => each.leases)
      let failure: LeaseJournalError | undefined
      try {
        await this.#writeLeases(leases)
        if (this.#lines > 2 * this.#live.size + slackLines) await this.#compact()
      } catch (error) {
        failure = new LeaseJournalError('LEASE_JOURNAL_WRITE', `cannot write ${leases.length} leases to ${this.#path}`, { cause: error })
      }
      for (const { done } of batch) done(failure)
    }
    this.#writing = undefined
  }

  async #writeLeases(leases: readonly Lease[]): Promise<void> {
    if (this.#hasTail) await this.#file.truncate(this.#bytes)
    this.#hasTail = true
    const lines = leases.map(writeLine)
    const bytes = Buffer.from(`${lines.join('\n')}\n`)
    let written = 0
    while (written < bytes.length) {
      const result = await this.#file.write(bytes, written, bytes.length - written, this.#bytes + written)
      written += result.bytesWritten
    }
    await this.#file.datasync()
    this.#bytes += bytes.length
    this.#hasTail = false
    this.#lines += lines.length
    leases.forEach(({ address }, at) => this.#live.set(address, lines[at]!))
  }

  /**
   * Writes the live lines to a new file and puts it in the old one's place; whichever a power cut leaves is whole.
   * No room for a second file is no reason to refuse leases: the old one then goes on growing.
   */
  async #compact(): Promise<void> {
    const bytes = Buffer.from([...this.#live.values(), ''].join('\n'))
    const next = await open(`${this.#path}.new`, 'w+', 0o600).catch(() => undefined)
    if (!next) return
    try {
      await next.writeFile(bytes)
      await next.sync()
      await rename(`${this.#path}.new`, this.#path)
    } catch {
      await next.close()
      return
    }
    const old = this.#file
    this.#file = next
    this.#bytes = bytes.length
    this.#lines = this.#live.size
    await syncFolder(dirname(this.#path))
    await old.close()
  }

  /** Waits for what is under way and closes the file. */
  async [Symbol.asyncDispose](): Promise<void> {
    if (this.#isClosed) return
    this.#isClosed = true
    await this.#writing
    await this.#file.close()
  }
}

async function syncFolder(path: string): Promise<void> {
  const folder = await open(path, 'r')
  try {
    await folder.sync()
  } finally {
    await folder.close()
  }
}

function writeLine(lease: Lease): string {
  const json = JSON.stringify(lease)
  return `${crc32(json).toString(16).padStart(8, '0')} ${json}`
}

/** Reads one line; undefined unless it is, to the bit, what {@link writeLine} wrote. */
function readLine(line: string): Lease | undefined {
  const json = line.slice(9)
  if (line[8] !== ' ' || line.slice(0, 8) !== crc32(json).toString(16).padStart(8, '0')) return undefined
  const value: unknown = JSON.parse(json)
  return isLease(value) ? value : undefined
}

function isLease(value: unknown): value is Lease {
  return typeof value === 'object' && value !== null && 'address' in value && 'client' in value && 'expires' in value
}
