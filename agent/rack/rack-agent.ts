import { spawn } from 'node:child_process'
import type { ChildProcess } from 'node:child_process'
import { open, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { fileURLToPath } from 'node:url'
import type { Status } from '../../schemas/control.ts'
import { controlClient } from '../control/control-client.ts'
import type { ControlClient } from '../control/control-client.ts'
import { RackError } from './rack-error.ts'
import type { RackOrder } from './rack-order.ts'

const LAUNCHER = fileURLToPath(new URL('../../bin/crowbar', import.meta.url))

/** The admin agent of a rack: a process of its own, as it is on an admin node. */
export interface RackAgent extends AsyncDisposable {
  readonly client: ControlClient
  /** Aborted, with a RackError, when the agent ends without having been told to. */
  readonly died: AbortSignal
  start(): void
  /** kill -9. Settles when it is gone. */
  kill(): Promise<void>
  /** Waits until it answers, and has what it needs. Container nodes need no image to boot. */
  ready(options: { readonly image: boolean; readonly signal: AbortSignal }): Promise<void>
}

/** Writes the agent's configuration and starts it; what it logs goes to `agent.log` of the folder that is kept. */
export async function openRackAgent(order: RackOrder): Promise<RackAgent> {
  const config = join(order.work, 'agent.json')
  await writeFile(config, JSON.stringify({
    site: { repository: order.repository, branch: 'main' },
    node: order.network.adminNode,
    data: join(order.work, 'data'),
    store: order.store,
    stager: order.stager,
    followSeconds: 1,
    offline: order.offline,
    ...(order.identity === null ? { standIns: true } : { identity: order.identity }),
  }))
  const log = await open(join(order.out, 'agent.log'), 'a')
  const client = controlClient(join(order.work, 'data', 'control.sock'))
  const died = new AbortController()
  let process: ChildProcess | undefined
  let ended: Promise<void> = Promise.resolve()

  const start = (): void => {
    if (process !== undefined) return
    const child = spawn(LAUNCHER, ['agent', '--config', config], { stdio: ['ignore', log.fd, log.fd] })
    process = child
    ended = new Promise(resolve => {
      const end = (how: string): void => {
        if (process === child) {
          process = undefined
          died.abort(new RackError('RACK_MACHINE_DIED', `the admin agent ended by itself (${how}); see ${join(order.out, 'agent.log')}`))
        }
        resolve()
      }
      child.once('error', error => end(error.message))
      child.once('exit', (code, killedBy) => end(String(code ?? killedBy)))
    })
  }
  const stop = async (how: 'SIGTERM' | 'SIGKILL'): Promise<void> => {
    const child = process
    process = undefined
    child?.kill(how)
    const killer = setTimeout(() => child?.kill('SIGKILL'), 10_000)
    await ended
    clearTimeout(killer)
  }
  start()
  return {
    client,
    died: died.signal,
    start,
    kill: () => stop('SIGKILL'),
    async ready({ image, signal }) {
      for (;;) {
        const status = await client.get<Status>('/status').catch(() => undefined)
        if (status?.agent.ready === true || (!image && status?.site.state === 'good')) return
        if (status?.site.state === 'refused') throw new RackError('RACK_BAD_DOCUMENT', `the agent refused the site: ${status.site.reason ?? ''}`)
        await sleep(200, undefined, { signal })
      }
    },
    async [Symbol.asyncDispose]() {
      await stop('SIGTERM')
      await log.close()
    },
  }
}
