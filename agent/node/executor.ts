import type { Foreseen } from '../../schemas/foreseen.ts'
import type { DiskState, Facts } from '../../schemas/inventory.ts'
import type { Task, TaskResult } from '../../schemas/protocol.ts'
import type { Json } from '../../schemas/shape.ts'
import type { Journal } from './journal.ts'
import { described, NodeError } from './node-error.ts'
import { signalFamily } from './process-family.ts'
import type { ProcessMark } from './process-family.ts'

/** What a task may use while it runs. */
export interface TaskContext {
  readonly signal: AbortSignal
  /** A line of output; `progress` is Crowbar's own voice. */
  output(stream: 'stdout' | 'stderr' | 'progress', line: string): void
  /** The disks as they were just looked at, with the facts if they were, too. */
  disks(disks: readonly DiskState[], facts?: Facts): void
  /** A process that has to be ended should this agent be killed while it runs. */
  started(mark: ProcessMark): void
  /** Called once the result of this attempt is durable on the agent's side; never after a restart of this process. */
  onAcknowledged(action: () => Promise<void>): void
}

/** How a task ended, when it did not throw. */
export interface TaskEnd {
  readonly outcome: 'succeeded' | 'unchanged'
  readonly provides: Readonly<Record<string, Json>>
  readonly facts?: Readonly<Record<string, Json>>
  /** Of a dry run. */
  readonly foreseen?: readonly Foreseen[]
}

export type RunTask = (task: Task, context: TaskContext) => Promise<TaskEnd>

/** What the executor says, in order. */
export interface ExecutorReports {
  accepted(attempt: string): void
  output(attempt: string, stream: 'stdout' | 'stderr' | 'progress', line: string): void
  disks(disks: readonly DiskState[], facts?: Facts): void
  result(result: TaskResult): void
}

/** Tasks that may wait behind the running one. */
const QUEUE = 8

/**
 * Runs tasks one at a time, each attempt at most once in the life of the journal.
 *
 * An attempt is journalled before it starts and its result after it ended; only then is either reported. A task throws to
 * fail; a `NodeError` gives the result its code.
 */
export class Executor {
  readonly #journal: Journal
  readonly #run: RunTask
  readonly #reports: ExecutorReports
  readonly #now: () => number
  readonly #queue: Task[] = []
  readonly #afterwards = new Map<string, (() => Promise<void>)[]>()
  #running: { readonly attempt: string; readonly abort: AbortController } | undefined
  #idle: Promise<void> = Promise.resolve()
  #settled: Promise<unknown> = Promise.resolve()

  constructor(options: { readonly journal: Journal; readonly run: RunTask; readonly reports: ExecutorReports; readonly now: () => number }) {
    this.#journal = options.journal
    this.#run = options.run
    this.#reports = options.reports
    this.#now = options.now
    endLeftovers(this.#journal)
  }

  get running(): string | undefined {
    return this.#running?.attempt
  }

  /** Takes a task, or says what became of it if it was here before. */
  offer(task: Task): void {
    const { attempt } = task
    if (this.#running?.attempt === attempt) {
      this.#reports.accepted(attempt)
      return
    }
    if (this.#queue.some((one) => one.attempt === attempt)) return
    const before = this.#journal.attempts.get(attempt)
    if (before !== undefined) {
      this.#reports.result(before.result ?? this.#finish(failed(attempt, 'INTERRUPTED', 'the node agent ended while this ran; it is not repeated', 0)))
      return
    }
    if (this.#queue.length >= QUEUE) {
      this.#reports.result(failed(attempt, 'BUSY', 'too many tasks wait on this node', 0))
      return
    }
    this.#queue.push(task)
    if (this.#running === undefined) this.#idle = this.#work()
  }

  /** Forgets tasks that wait: whoever sent them over a connection that is gone was not told that they were accepted. */
  forgetWaiting(): void {
    this.#queue.length = 0
  }

  /** Ends an attempt that runs or waits; does nothing for others. */
  cancel(attempt: string): void {
    const index = this.#queue.findIndex((one) => one.attempt === attempt)
    if (index >= 0) {
      this.#queue.splice(index, 1)
      this.#journal.start(attempt)
      this.#reports.result(this.#finish({ ...failed(attempt, 'CANCELLED', 'cancelled before it started', 0), outcome: 'cancelled' }))
    }
    if (this.#running?.attempt === attempt) this.#running.abort.abort(new NodeError('CANCELLED', 'cancelled'))
  }

  /** The agent has the result. Runs what a task left to be done then; rejects when that fails. */
  acknowledge(attempt: string): Promise<void> {
    this.#journal.acknowledge(attempt)
    const actions = this.#afterwards.get(attempt) ?? []
    this.#afterwards.delete(attempt)
    const done = actions.reduce((before, action) => before.then(action), Promise.resolve())
    this.#settled = Promise.allSettled([this.#settled, done])
    return done
  }

  /** Resolves when nothing runs or waits, and what acknowledgements asked for is done. */
  async idle(): Promise<void> {
    await this.#idle
    await this.#settled
  }

  /** Ends what runs and drops what waits; no result is journalled for it. Resolves when it is gone. */
  async close(): Promise<void> {
    this.#queue.length = 0
    this.#running?.abort.abort(new Closed())
    await this.idle()
  }

  async #work(): Promise<void> {
    for (let task = this.#queue.shift(); task !== undefined; task = this.#queue.shift()) {
      const result = await this.#attempt(task)
      if (result !== undefined) this.#reports.result(result)
    }
  }

  async #attempt(task: Task): Promise<TaskResult | undefined> {
    const { attempt } = task
    const abort = new AbortController()
    this.#running = { attempt, abort }
    this.#journal.start(attempt, task.kind === 'role' ? Object.keys(task.provides).filter((name) => task.provides[name]?.sensitive === true) : [])
    this.#reports.accepted(attempt)
    const begun = this.#now()
    const timer = setTimeout(() => abort.abort(new NodeError('TIMEOUT', `not done after ${task.timeout} s`)), task.timeout * 1000)
    const seconds = (): number => Math.max(0, Math.round((this.#now() - begun) / 1000))
    try {
      const end = await this.#run(task, this.#contextFor(attempt, abort.signal))
      const { outcome, provides, facts, foreseen } = end
      return this.#finish({ attempt, outcome, code: null, message: null, provides, ...(facts === undefined ? {} : { facts }), ...(foreseen === undefined ? {} : { foreseen }), seconds: seconds() })
    } catch (error) {
      const cause: unknown = abort.signal.aborted ? abort.signal.reason : error
      if (cause instanceof Closed) return undefined
      const { code, message } = described(cause)
      const result = failed(attempt, code, message, seconds())
      return this.#finish(code === 'CANCELLED' ? { ...result, outcome: 'cancelled' } : result)
    } finally {
      clearTimeout(timer)
      this.#running = undefined
    }
  }

  #contextFor(attempt: string, signal: AbortSignal): TaskContext {
    return {
      signal,
      output: (stream, line) => this.#reports.output(attempt, stream, line),
      disks: (disks, facts) => this.#reports.disks(disks, facts),
      started: (mark) => this.#journal.process(attempt, mark),
      onAcknowledged: (action) => void this.#afterwards.set(attempt, [...(this.#afterwards.get(attempt) ?? []), action]),
    }
  }

  #finish(result: TaskResult): TaskResult {
    this.#journal.finish(result)
    return result
  }
}

/** The executor was closed: not a result, the next life of the agent finds the attempt started. */
class Closed extends Error {}

function failed(attempt: string, code: string, message: string, seconds: number): TaskResult {
  return { attempt, outcome: 'failed', code, message, provides: {}, seconds }
}

/** What a former life of this agent left running must not go on unseen beside the attempt that follows it. */
function endLeftovers(journal: Journal): void {
  for (const { process } of journal.attempts.values()) {
    if (process !== null) signalFamily(process, 'SIGKILL')
  }
}
