import { readFile } from 'node:fs/promises'
import type { Status } from '../../schemas/control.ts'
import { runRack } from '../rack/inside.ts'
import type { RackOrder } from '../rack/rack-order.ts'
import { liveLine } from './live.ts'
import { table } from './table.ts'
import { tell } from './tell.ts'

/** The inside of a rehearsal: process 1 of the rack, started by `crowbar rehearse` and by nobody else. */
export async function rackCommand(file: string): Promise<number> {
  const order = JSON.parse(await readFile(file, 'utf8')) as RackOrder
  const stop = new AbortController()
  process.on('message', () => stop.abort())
  process.on('SIGINT', () => stop.abort())
  process.on('SIGTERM', () => stop.abort())
  const started = performance.now()
  const live = liveLine()
  await runRack(order, {
    signal: stop.signal,
    onEvent(event) {
      const line = tell(event)
      if (line !== undefined) live.say(`${elapsed(started)} ${line}`)
    },
    onStatus: status => live.show(whatHappens(status, started)),
  })
  live.clear()
  return 0
}

/** What each node does now, and what is waited for. */
function whatHappens(status: Status, started: number): string[] {
  const waiting = status.steps.filter(step => step.state === 'waiting' || step.state === 'running')
  return [
    '',
    `${elapsed(started)}  run ${status.run?.run ?? '-'} ${status.run?.state ?? ''}`,
    ...table(['node', 'connected', 'doing'], status.nodes.map(node => [node.name, node.connected ?? 'no', node.doing])),
    ...waiting.map(step => `  ${step.id} ${step.state}${step.seconds === null ? '' : ` ${step.seconds} s`}${step.reason === null ? '' : `: ${step.reason}`}`),
  ]
}

function elapsed(started: number): string {
  const seconds = Math.floor((performance.now() - started) / 1000)
  return `${String(Math.floor(seconds / 60)).padStart(2, '0')}:${String(seconds % 60).padStart(2, '0')}`
}
