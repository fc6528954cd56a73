import { awaitAttempt } from './await-attempt.ts'
import { stepStop } from './driver.ts'
import type { StepContext, StepOutcome } from './driver.ts'
import { lookAgain } from './look-again.ts'
import type { NodeSession, NodeSessions } from './sessions.ts'
import { watchMachine } from './watch-machine.ts'
import { writeOutcome } from './write-outcome.ts'

export interface AwaitInstalledOptions {
  readonly step: string
  readonly node: string
  readonly machine: string
  readonly incarnation: string
  readonly attempt: string
  /** The session that the attempt was sent over; undefined when an earlier life of the agent sent it. */
  readonly over: NodeSession | undefined
  readonly context: StepContext
}

/** How often a machine whose disk is whole may come up from the network again before it counts as failed. */
const MAX_NETWORK_BOOTS = 3

/**
 * Waits until an attempt to install has ended, has the machine boot its disk, and waits until it says hello from there.
 *
 * Also right when any part of that happened while nobody was watching: an installation that says hello is a success,
 * whatever became of the attempt's result.
 */
export async function awaitInstalled(sessions: NodeSessions, options: AwaitInstalledOptions): Promise<StepOutcome> {
  const { context, node, machine, incarnation, attempt } = options
  const before = context.state.nodes.get(node)?.installed
  let imaged = before?.attempt === attempt
  if (!imaged) {
    const ended = await imageWritten(sessions, options)
    if (ended.kind === 'outcome') return ended.outcome
    imaged = true
    await context.imaged({ node, machine, incarnation, attempt })
  }
  // The node takes the stamp off its disks when it hears this, and before it restarts.
  sessions.session(machine)?.acknowledge(attempt)
  return bootedFromDisk(sessions, options)
}

type Written = { readonly kind: 'written' } | { readonly kind: 'outcome'; readonly outcome: StepOutcome }

async function imageWritten(sessions: NodeSessions, options: AwaitInstalledOptions): Promise<Written> {
  const { context, machine, incarnation, attempt, over } = options
  const before = sessions.session(machine)?.disks
  const said = Promise.withResolvers<Written>()
  const enough = new AbortController()
  const isIt = (session: NodeSession): boolean => session.environment === 'installed' && session.incarnation === incarnation
  const asked = awaitAttempt(sessions, {
    machine,
    attempt,
    environment: 'discovery',
    over,
    onConnected: (session) => {
      if (isIt(session)) said.resolve({ kind: 'written' })
    },
    timers: context.timers,
    signal: AbortSignal.any([context.signal, enough.signal]),
  }).then(async (end): Promise<Written> => {
    const ended = writeOutcome(end, { machine, attempt })
    if (ended.kind === 'succeeded' || ended.kind === 'unchanged') return { kind: 'written' }
    // What is on the disks is decided upon and asked for anew; the node has told it, or is asked to look.
    const isRefused = ended.kind === 'unknown' && ended.untouched === true
    if (isRefused && sessions.session(machine)?.disks === before) await lookAgain(sessions, { machine, attempt, step: options.step, timers: context.timers, signal: context.signal })
    return { kind: 'outcome', outcome: ended }
  })
  const first = await Promise.race([said.promise, asked])
  enough.abort('CLOSED')
  await asked
  return first
}

/** Sends the machine to its disk, again if it comes up from the network, until it says hello from there. */
async function bootedFromDisk(sessions: NodeSessions, { context, machine, incarnation, attempt }: AwaitInstalledOptions): Promise<StepOutcome> {
  const { signal } = context
  const { promise, resolve } = Promise.withResolvers<StepOutcome>()
  let boots = 0
  const look = (session: NodeSession): void => {
    if (session.environment === 'installed' && session.incarnation === incarnation) {
      return resolve({ kind: 'succeeded', provides: {}, incarnation })
    }
    if (session.environment !== 'discovery') return
    if (boots++ > MAX_NETWORK_BOOTS) {
      return resolve({ kind: 'failed', code: 'DISK_NOT_BOOTED', message: `machine ${machine} was sent to its disk ${MAX_NETWORK_BOOTS + 1} times and came up from the network each time`, retryable: false })
    }
    context.progress(`the system is on the disk of machine ${machine}, which now starts from it`)
    // It may not have heard: its connection was lost.
    session.acknowledge(attempt)
    session.reboot('the system is on the disk')
  }
  const stop = (): void => {
    const why = stepStop(signal)
    resolve(why === 'TIMEOUT' ? { kind: 'failed', code: 'TIMEOUT', message: `machine ${machine} did not come up from its disk within its time`, retryable: false } : { kind: 'cancelled' })
  }
  return watchMachine(sessions, { machine, signal, look, stop, settled: promise })
}
