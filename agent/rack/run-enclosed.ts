import { join } from 'node:path'
import { startEnclosed } from './enclosure.ts'
import { RackError } from './rack-error.ts'
import type { HeldWish, RackMessage, RackOrder } from './rack-order.ts'
import { diskPath } from './virtual-machine.ts'

/** A rack that stays up after its run. */
export interface HeldRack {
  /** The agent's control socket. */
  readonly socket: string
  /** Bare repository that the agent follows. */
  readonly repository: string
  /** The folder below which a container node keeps every file that it changed. */
  readonly filesOf: (node: string) => string
  /** The file behind a disk of a virtual machine, counted from 0. */
  readonly diskOf: (machine: string, disk: number) => string
  /** Settles when it was done; an agent that was started has answered. */
  readonly ask: (wish: HeldWish) => Promise<void>
}

export interface RunEnclosedOptions {
  readonly order: RackOrder
  readonly signal: AbortSignal
  readonly onHeld: ((rack: HeldRack) => Promise<void>) | undefined
}

/** How long a rack may take to clean up by itself before it is taken down, milliseconds. */
const GRACE_MS = 15_000

/**
 * Runs the inside of a rack to its end, in namespaces of its own.
 *
 * @throws {RackError} RACK_MACHINE_DIED when it ended badly; the signal's reason when it was aborted.
 */
export async function runEnclosed(argv: readonly string[], { order, signal, onHeld }: RunEnclosedOptions): Promise<void> {
  const child = startEnclosed(argv, { env: environment() })
  const asked = new Map<number, { readonly resolve: () => void; readonly reject: (error: Error) => void }>()
  const stop = (): void => {
    if (child.connected) child.send({ stop: true })
    setTimeout(() => child.kill('SIGKILL'), GRACE_MS).unref()
  }
  let held: Promise<void> | undefined
  const rack: HeldRack = {
    socket: join(order.work, 'data', 'control.sock'),
    repository: order.repository,
    diskOf: (machine, disk) => diskPath(order.work, machine, disk),
    filesOf: node => join(order.work, 'nodes', node, 'upper'),
    ask: wish => new Promise((resolve, reject) => {
      const id = asked.size + 1
      asked.set(id, { resolve, reject })
      child.send({ ...wish, id })
    }),
  }
  child.on('message', (message: RackMessage) => {
    if ('held' in message) held = onHeld?.(rack).finally(stop)
    else if (message.error === null) asked.get(message.done)?.resolve()
    else asked.get(message.done)?.reject(new RackError('RACK_MACHINE_DIED', message.error))
  })
  signal.addEventListener('abort', stop, { once: true })
  if (signal.aborted) stop()
  const status = await new Promise<string | number>((settle, reject) => {
    child.once('error', reject)
    child.once('exit', (code, killedBy) => settle(code ?? killedBy ?? 'no status'))
  })
  signal.removeEventListener('abort', stop)
  for (const { reject } of asked.values()) reject(new RackError('RACK_MACHINE_DIED', 'the rack has ended'))
  await held
  signal.throwIfAborted()
  if (status !== 0) throw new RackError('RACK_MACHINE_DIED', `the rack ended with ${status}; see ${join(order.out, 'agent.log')}`)
}

/** Nothing of the user's environment but what finds programs and draws on the terminal. */
function environment(): Record<string, string> {
  // The cache has the barclamps from git, which nothing in there could fetch.
  const { PATH = '', HOME = '/root', TERM = 'dumb', NO_COLOR, XDG_CACHE_HOME = join(HOME, '.cache') } = process.env
  return { PATH: `${PATH}:/usr/sbin:/usr/bin:/sbin:/bin`, HOME, TERM, XDG_CACHE_HOME, ...(NO_COLOR === undefined ? {} : { NO_COLOR }) }
}
