import { closeSync, fsyncSync, mkdirSync, openSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs'
import { dirname } from 'node:path'
import type { TaskResult } from '../../schemas/protocol.ts'
import type { ProcessMark } from './process-family.ts'

/** What became of an attempt on this node. */
export interface Attempt {
  readonly attempt: string
  readonly result: TaskResult | null
  /** The agent has the result and will not ask for it. */
  readonly acknowledged: boolean
  /** The process that a former life of this agent may have left running. */
  readonly process: ProcessMark | null
  /** Names of provides that are not kept once the agent has them. */
  readonly sealed: readonly string[]
}

type Line =
  | { readonly t: 'epoch'; readonly epoch: number }
  | { readonly t: 'started'; readonly attempt: string; readonly sealed?: readonly string[] }
  | { readonly t: 'process'; readonly attempt: string; readonly pid: number; readonly start: string; readonly run?: string }
  | { readonly t: 'result'; readonly result: TaskResult }
  | { readonly t: 'acknowledged'; readonly attempt: string }

/**
 * What this node has begun and how it ended: an append-only file of JSON lines, each on the disk (fsync) before the call
 * returns, so that nothing runs twice whatever dies when. In the discovery image the file is in memory (/run).
 */
export interface Journal extends Disposable {
  readonly highestEpoch: number
  /** In the order they were started. */
  readonly attempts: ReadonlyMap<string, Attempt>
  raiseEpoch(epoch: number): void
  /** @param sealed names of provides that are sensitive: their values are gone from the file when the attempt is acknowledged. */
  start(attempt: string, sealed?: readonly string[]): void
  /** Not synced: it only helps to clean up after a crash of this process, and the page cache survives that. */
  process(attempt: string, mark: ProcessMark): void
  finish(result: TaskResult): void
  acknowledge(attempt: string): void
}

/** Acknowledged attempts that are remembered, so that a late duplicate of their task is answered and not run. */
const REMEMBERED = 200

/** Opens or makes the journal. A last line that a power cut tore is dropped; opening also drops what is long done. */
export function openJournal(file: string): Journal {
  mkdirSync(dirname(file), { recursive: true, mode: 0o700 })
  const state = replay(file)
  compacted(file, state)
  let descriptor = openSync(file, 'a', 0o600)
  let torn = true
  const append = (line: Line, durable: boolean): void => {
    // A full disk may have taken half of the line before: this one is not to be glued to it.
    const text = `${torn ? '\n' : ''}${JSON.stringify(line)}\n`
    torn = true
    writeFileSync(descriptor, text)
    torn = false
    if (durable) fsyncSync(descriptor)
    apply(state, line)
  }
  return {
    get highestEpoch() {
      return state.epoch
    },
    attempts: state.attempts,
    raiseEpoch(epoch) {
      if (epoch > state.epoch) append({ t: 'epoch', epoch }, true)
    },
    start: (attempt, sealed = []) => append({ t: 'started', attempt, ...(sealed.length === 0 ? {} : { sealed }) }, true),
    process: (attempt, mark) => append({ t: 'process', attempt, ...mark }, false),
    finish: (result) => append({ t: 'result', result }, true),
    acknowledge(attempt) {
      if (state.attempts.get(attempt)?.acknowledged !== false) return
      const sealed = state.attempts.get(attempt)?.sealed ?? []
      append({ t: 'acknowledged', attempt }, false)
      forgetOldest(state)
      if (sealed.length === 0 || !compacted(file, state)) return
      closeSync(descriptor)
      descriptor = openSync(file, 'a', 0o600)
      torn = false
    },
    [Symbol.dispose]: () => closeSync(descriptor),
  }
}

interface JournalState {
  epoch: number
  readonly attempts: Map<string, Attempt>
}

function replay(file: string): JournalState {
  const state: JournalState = { epoch: 0, attempts: new Map() }
  let text = ''
  try {
    text = readFileSync(file, 'utf8')
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ENOENT') throw error
  }
  for (const line of text.split('\n')) {
    const parsed = parseLine(line)
    if (parsed !== undefined) apply(state, parsed)
  }
  return state
}

function parseLine(line: string): Line | undefined {
  try {
    return JSON.parse(line) as Line
  } catch {
    return undefined
  }
}

function apply(state: JournalState, line: Line): void {
  const { attempts } = state
  switch (line.t) {
    case 'epoch':
      state.epoch = Math.max(state.epoch, line.epoch)
      break
    case 'started':
      if (!attempts.has(line.attempt)) attempts.set(line.attempt, { attempt: line.attempt, result: null, acknowledged: false, process: null, sealed: line.sealed ?? [] })
      break
    case 'process':
      update(attempts, line.attempt, { process: { pid: line.pid, start: line.start, run: line.run ?? line.start } })
      break
    case 'result':
      update(attempts, line.result.attempt, { result: line.result, process: null })
      break
    case 'acknowledged':
      update(attempts, line.attempt, { acknowledged: true, ...withoutSealed(attempts.get(line.attempt)) })
      break
  }
}

function update(attempts: Map<string, Attempt>, attempt: string, change: Partial<Attempt>): void {
  const before = attempts.get(attempt) ?? { attempt, result: null, acknowledged: false, process: null, sealed: [] }
  attempts.set(attempt, { ...before, ...change })
}

function withoutSealed(known: Attempt | undefined): Partial<Attempt> {
  if (known?.result === undefined || known.result === null) return {}
  const provides = Object.fromEntries(Object.entries(known.result.provides).filter(([name]) => !known.sealed.includes(name)))
  return { result: { ...known.result, provides } }
}

function forgetOldest(state: JournalState): void {
  if (state.attempts.size <= REMEMBERED) return
  const done = [...state.attempts.values()].filter((one) => one.acknowledged)
  for (const { attempt } of done.slice(0, Math.max(0, done.length - REMEMBERED))) state.attempts.delete(attempt)
}

/** Whether the file holds nothing any more but what is remembered. On a full disk it stays as it is, until it is tried again. */
function compacted(file: string, state: JournalState): boolean {
  try {
    compact(file, state)
    return true
  } catch (error) {
    rmSync(`${file}.next`, { force: true })
    if ((error as NodeJS.ErrnoException).code !== 'ENOSPC') throw error
    return false
  }
}

function compact(file: string, state: JournalState): void {
  forgetOldest(state)
  const lines: Line[] = [{ t: 'epoch', epoch: state.epoch }]
  for (const { attempt, result, acknowledged, process, sealed } of state.attempts.values()) {
    lines.push({ t: 'started', attempt, ...(sealed.length === 0 ? {} : { sealed }) })
    if (process !== null) lines.push({ t: 'process', attempt, ...process })
    if (result !== null) lines.push({ t: 'result', result })
    if (acknowledged) lines.push({ t: 'acknowledged', attempt })
  }
  const next = `${file}.next`
  const descriptor = openSync(next, 'w', 0o600)
  try {
    // All of it or an error: one write may take less than it is given.
    writeFileSync(descriptor, lines.map((line) => `${JSON.stringify(line)}\n`).join(''))
    fsyncSync(descriptor)
  } finally {
    closeSync(descriptor)
  }
  renameSync(next, file)
  const folder = openSync(dirname(file), 'r')
  fsyncSync(folder)
  closeSync(folder)
}
