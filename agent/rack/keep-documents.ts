import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import type { ControlClient } from '../control/control-client.ts'
import type { LogEvent } from '../log/event-types.ts'

/** How much of what a failed step wrote is repeated in the report. */
const LAST_LINES = 12
const DEADLINE_MS = 30_000

/** What a rehearsal is remembered by. */
export interface KeptDocuments {
  /** Values that roles reported, by step; sensitive ones are left out. */
  readonly reported: Readonly<Record<string, unknown>>
  /** The last lines of every step that failed at its last attempt. */
  readonly lastWords: ReadonlyMap<string, readonly string[]>
}

/**
 * Asks the agent for what it knows and keeps it: `plan.json`, `changes.json`, `events.jsonl`, and `output.jsonl` with what
 * all attempts wrote. What an agent that is gone did not say is missing.
 */
export async function keepDocuments(client: ControlClient, out: string): Promise<KeptDocuments> {
  for (const name of ['plan', 'changes'] as const) {
    const document = await client.get(`/${name}`).catch(() => undefined)
    if (document !== undefined) await writeFile(join(out, `${name}.json`), `${JSON.stringify(document, null, 1)}\n`)
  }
  const events = await read<LogEvent>(client, '/events?after=0')
  await keep(events, join(out, 'events.jsonl'))
  await keep(await read(client, '/output'), join(out, 'output.jsonl'))
  const reported: Record<string, unknown> = {}
  const failed = new Set<string>()
  for (const event of events) {
    if ((event.type === 'step.succeeded' || event.type === 'step.unchanged') && Object.keys(event.data.provides).length > 0) reported[event.data.step] = event.data.provides
    if (event.type === 'step.succeeded' || event.type === 'step.unchanged') failed.delete(event.data.step)
    if (event.type === 'step.failed') failed.add(event.data.step)
  }
  const lastWords = new Map<string, readonly string[]>()
  for (const step of failed) {
    const lines = await read<{ readonly text: string }>(client, `/output?step=${encodeURIComponent(step)}`)
    lastWords.set(step, lines.map(line => line.text.trimEnd()).filter(line => line !== '').slice(-LAST_LINES))
  }
  return { reported, lastWords }
}

async function read<T>(client: ControlClient, path: string): Promise<T[]> {
  const lines: T[] = []
  try {
    for await (const line of client.lines<T>(path, AbortSignal.timeout(DEADLINE_MS))) lines.push(line)
  } catch {
    // The agent is gone; what was read is kept.
  }
  return lines
}

async function keep(lines: readonly unknown[], file: string): Promise<void> {
  await writeFile(file, lines.map(line => `${JSON.stringify(line)}\n`).join(''))
}
