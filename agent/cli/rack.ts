import { readFile } from 'node:fs/promises'
import type { Status } from '../../schemas/control.ts'
import { runRack } from '../rack/inside.ts'
import type { HeldRequest, RackMessage, RackOrder } from '../rack/rack-order.ts'
import { liveLine } from './live.ts'
import { table } from './table.ts'
import { tell } from './tell.ts'

type Incoming = HeldRequest | { readonly stop: true }

/** The inside of a rehearsal: process 1 of the rack, started by `crowbar rehearse` and by nobody else. */
export async function rackCommand(file: string): Promise<number> {
  const order = JSON.parse(await readFile(file, 'utf8')) as RackOrder
  const stop = new AbortController()
  let obey: ((request: HeldRequest) => Promise<void>) | undefined
  process.on('message', (message: Incoming) => {
    if ('stop' in message) stop.abort()
    else void (obey?.(message) ?? Promise.reject(new Error('the rack is not held'))).then(() => say({ done: message.id, error: null }), (error: unknown) => say({ done: message.id, error: String(error) }))
  })
  process.on('disconnect', () => stop.abort())
  process.on('SIGINT', () => stop.abort())
  process.on('SIGTERM', () => stop.abort())
  const live = liveLine()
  await runRack(order, {
    signal: stop.signal,
    onEvent(event) {
      // The log has it; nobody who watches needs to see it after each step.
      const line = event.type === 'ledger.published' ? undefined : tell(event)
      if (line !== undefined) live.say(`${elapsed(order.began)} ${line}`)
    },
    onStatus: status => live.show(whatHappens(status, order.began)),
    onDisturbance: text => live.say(`${elapsed(order.began)} ${text}`),
    async onHeld(hands) {
      obey = hands
      live.clear()
      say({ held: true })
      if (!stop.signal.aborted) await new Promise(resolve => stop.signal.addEventListener('abort', resolve, { once: true }))
    },
  })
  live.clear()
  // An open channel would keep this process alive.
  if (process.connected) process.disconnect()
  return 0
}

function say(message: RackMessage): void {
  process.send?.(message)
}

/** What each node does now, and what is waited for. */
function whatHappens(status: Status, began: number): string[] {
  const done = status.steps.filter(step => step.state === 'succeeded' || step.state === 'unchanged').length
  const admin = status.steps.filter(step => step.node === null && (step.state === 'running' || step.state === 'waiting'))
  return [
    '',
    `${elapsed(began)}  ${done} of ${status.steps.length} steps done, run ${status.run?.state ?? 'not started'}`,
    ...table(['node', 'runs', 'doing'], status.nodes.map(node => [node.name, node.connected === null ? '-' : node.connected === 'discovery' ? 'discovery image' : 'its own system', doing(node, status)])),
    ...admin.map(step => `${step.id}${step.seconds === null ? '' : ` ${step.seconds} s`}${step.reason === null ? '' : `: ${step.reason}`}`),
  ]
}

function doing(node: Status['nodes'][number], status: Status): string {
  const running = status.steps.find(step => step.node === node.name && step.state === 'running')
  return running === undefined || running.seconds === null ? node.doing : `${node.doing} (${running.seconds} s)`
}

function elapsed(began: number): string {
  const seconds = Math.max(0, Math.floor((Date.now() - began) / 1000))
  return `${String(Math.floor(seconds / 60)).padStart(2, '0')}:${String(seconds % 60).padStart(2, '0')}`
}
