import { setTimeout as delay } from 'node:timers/promises'
import type { DiskState, Facts } from '../../schemas/inventory.ts'
import type { AgentFrame, NodeFrame } from '../../schemas/protocol.ts'
import type { AgentKey } from './agent-key.ts'
import type { NodeConfig } from './config.ts'
import { holdConnection } from './connection.ts'
import { Executor } from './executor.ts'
import type { RunTask } from './executor.ts'
import type { HostName } from './host-name.ts'
import type { Journal } from './journal.ts'
import { Outbox } from './outbox.ts'
import { fetchAuthority } from './pinned-authority.ts'

/** What a node agent is made of. */
export interface NodeAgentOptions {
  readonly config: NodeConfig
  readonly key: AgentKey
  readonly journal: Journal
  /** Looks at the machine and its disks; called before each connection, so it has to remember what is slow. */
  readonly look: () => Promise<{ readonly facts: Facts; readonly disks: readonly DiskState[] }>
  readonly run: RunTask
  /** Undefined in the discovery image. */
  readonly hostName: HostName | undefined
  /** Kernel boot id. */
  readonly boot: string
  readonly versions: Readonly<Record<string, string>>
  readonly setClock: () => Promise<void>
  readonly reboot: () => Promise<void>
  readonly now: () => number
  readonly random: () => number
  readonly log: (message: string, fields?: Readonly<Record<string, unknown>>) => void
  /** Milliseconds: the first wait between connections, and the longest. Default 500 and 30,000. */
  readonly backoff?: { readonly firstMs: number; readonly mostMs: number }
}

/** Results that are named at hello although the agent has acknowledged them, newest last. */
const REPEATED = 32
/** Characters of such a result; longer ones are left out, so that a hello stays small. */
const REPEATED_LENGTH = 16 * 1024

/**
 * Runs the node agent until the signal aborts: connects, says who it is, runs what it is given, and when the connection
 * is lost goes on with what runs and connects again, for as long as it takes.
 */
export async function runNodeAgent(options: NodeAgentOptions, signal: AbortSignal): Promise<void> {
  const { config, journal, log } = options
  const outbox = new Outbox()
  let pump = (): void => undefined
  const say = (item: Parameters<Outbox['add']>[0]): void => {
    outbox.add(item)
    pump()
  }
  const executor = new Executor({
    journal, run: options.run, now: options.now,
    reports: {
      accepted: (attempt) => say({ type: 'accepted', attempt }),
      output: (attempt, stream, line) => say({ type: 'output', attempt, stream, text: `${line}\n` }),
      disks: (disks, facts) => say({ type: 'disks', disks, ...(facts === undefined ? {} : { facts }) }),
      result: (result) => {
        log('task ended', { attempt: result.attempt, outcome: result.outcome, code: result.code, seconds: result.seconds })
        say({ type: 'result', result })
      },
    },
  })
  const { firstMs, mostMs } = options.backoff ?? { firstMs: 500, mostMs: 30_000 }
  let wait = firstMs
  let authority: string | undefined
  let looked = false
  /** What the agent sends is obeyed one after the other: a task comes after the name under which it is to run. */
  let turn: Promise<void> = Promise.resolve()
  let connection = 0
  const inTurn = (work: () => void | Promise<void>): void => {
    const of = connection
    // What came over a connection that is gone was not accepted, and comes again.
    turn = turn.then(() => (of === connection ? work() : undefined)).catch((error: unknown) => log('cannot do what the agent asks', { error: String(error) }))
  }
  while (!signal.aborted) {
    try {
      await options.setClock().catch((error: unknown) => log('cannot set the clock', { error: String(error) }))
      authority ??= await fetchAuthority(config.url, config.ca, { signal })
      if (!looked) log('looking at the machine and its disks')
      const seen = await options.look()
      looked = true
      const reason = await holdConnection({
        url: config.url, authority, signal, outbox, sign: (text) => options.key.sign(text),
        highestEpoch: () => journal.highestEpoch,
        hello: () => {
          connection++
          executor.forgetWaiting()
          return helloOf(options, executor, seen)
        },
        onWelcome: (frame) => {
          wait = firstMs
          journal.raiseEpoch(frame.epoch)
          // The journal says what was not acknowledged; older copies of the same in the outbox would only repeat it.
          outbox.keepOutputOnly()
          if (executor.running !== undefined) outbox.add({ type: 'accepted', attempt: executor.running })
          for (const { result, acknowledged } of journal.attempts.values()) if (result !== null && !acknowledged) outbox.add({ type: 'result', result })
          const { node } = frame
          if (node !== null) inTurn(() => options.hostName?.become(node))
          log('connected', { machine: frame.machine, node: frame.node, epoch: frame.epoch })
        },
        onFrame: (frame) => inTurn(() => obey(frame, options, executor)),
        onPump: (next) => {
          pump = next
        },
      })
      log('connection ended', { reason })
    } catch (error) {
      log('no connection', { error: error instanceof Error ? error.message : String(error) })
    }
    if (signal.aborted) break
    await delay(wait * (0.5 + options.random()), undefined, { signal }).catch(() => undefined)
    wait = Math.min(wait * 2, mostMs)
  }
  await executor.close()
}

function helloOf(
  { config, key, journal, boot, versions }: NodeAgentOptions, executor: Executor, seen: { readonly facts: Facts; readonly disks: readonly DiskState[] },
): Omit<Extract<NodeFrame, { type: 'hello' }>, 'v' | 'seq' | 'ack' | 'proof'> {
  const attempts = [...journal.attempts.values()]
  const recent = new Set(attempts.slice(-REPEATED).filter(({ result }) => JSON.stringify(result).length <= REPEATED_LENGTH))
  return {
    type: 'hello', environment: config.environment, token: config.token, key: key.public, node: config.node, incarnation: config.incarnation,
    highestEpoch: journal.highestEpoch, boot, facts: seen.facts, disks: seen.disks, versions,
    journal: attempts.filter((one) => !one.acknowledged || recent.has(one)).map(({ attempt, result }) => ({
      attempt, state: result !== null ? 'finished' as const : executor.running === attempt ? 'running' as const : 'started' as const, result,
    })),
  }
}

function obey(frame: Extract<AgentFrame, { type: 'task' | 'cancel' | 'reboot' | 'acknowledge' }>, { journal, reboot, log }: NodeAgentOptions, executor: Executor): void {
  if ('epoch' in frame) journal.raiseEpoch(frame.epoch)
  switch (frame.type) {
    case 'task':
      log('task', { attempt: frame.task.attempt, kind: frame.task.kind })
      executor.offer(frame.task)
      break
    case 'cancel':
      executor.cancel(frame.attempt)
      break
    case 'acknowledge':
      executor.acknowledge(frame.attempt).catch((error: unknown) => log('work after the acknowledgement failed', { error: String(error) }))
      break
    case 'reboot':
      log('reboot', { reason: frame.reason })
      executor.idle().then(reboot).catch((error: unknown) => log('cannot reboot', { error: String(error) }))
      break
  }
}
