import { mkdir, open, readFile, rename } from 'node:fs/promises'
import type { FileHandle } from 'node:fs/promises'
import { dirname } from 'node:path'

/** Which key enrolled for a subject, and by which token. */
export interface Redemption {
  /** As `subjectName` gives it. */
  readonly subject: string
  readonly token: string
  readonly issued: number
  /** Ed25519 public key, base64url. */
  readonly key: string
  readonly at: number
}

/** The last redemption of each subject, kept on disk: an append-only file of JSON lines, made short when it is opened. */
export interface Redemptions extends AsyncDisposable {
  get(subject: string): Redemption | undefined
  /** Resolves when it is on the disk. Those that come together are written together. */
  put(redemption: Redemption): Promise<void>
}

/** Opens the file, or makes it. A last line torn by a power cut was never promised to anybody and is dropped. */
export async function openRedemptions(file: string): Promise<Redemptions> {
  const last = new Map<string, Redemption>()
  for (const line of (await readFile(file, 'utf8').catch(() => '')).split('\n')) {
    const redemption = parse(line)
    if (redemption !== undefined) last.set(redemption.subject, redemption)
  }
  await mkdir(dirname(file), { recursive: true, mode: 0o700 })
  await rewrite(file, [...last.values()])
  const handle = await open(file, 'a', 0o600)
  let waiting: Redemption[] = []
  let writing: Promise<void> = Promise.resolve()
  return {
    get: (subject) => last.get(subject),
    put(redemption) {
      last.set(redemption.subject, redemption)
      waiting.push(redemption)
      if (waiting.length > 1) return writing
      writing = writing.catch(() => undefined).then(async () => {
        const batch = waiting
        waiting = []
        await append(handle, batch)
      })
      return writing
    },
    async [Symbol.asyncDispose]() {
      await writing.catch(() => undefined)
      await handle.close()
    },
  }
}

async function append(handle: FileHandle, batch: readonly Redemption[]): Promise<void> {
  // All of it or an error: one write may take less than it is given.
  await handle.appendFile(batch.map((one) => `${JSON.stringify(one)}\n`).join(''))
  await handle.datasync()
}

async function rewrite(file: string, all: readonly Redemption[]): Promise<void> {
  {
    await using next = await open(`${file}.next`, 'w', 0o600)
    await append(next, all)
  }
  await rename(`${file}.next`, file)
}

function parse(line: string): Redemption | undefined {
  try {
    return JSON.parse(line) as Redemption
  } catch {
    return undefined
  }
}
