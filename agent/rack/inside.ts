import { spawn } from 'node:child_process'
import { open, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { fileURLToPath } from 'node:url'
import type { ApplyAnswer, Status } from '../../schemas/control.ts'
import { controlClient } from '../control/control-client.ts'
import type { ControlClient } from '../control/control-client.ts'
import type { LogEvent } from '../log/event-types.ts'
import { hashDiskFile } from './disk-file.ts'
import { makeBridge, makeTap } from './network.ts'
import { RackError } from './rack-error.ts'
import type { RackOrder, RehearsalReport } from './rack-order.ts'
import { makeVirtualMachine } from './virtual-machine.ts'
import type { VirtualMachine } from './virtual-machine.ts'

const LAUNCHER = fileURLToPath(new URL('../../bin/crowbar', import.meta.url))

export interface InsideOptions {
  readonly signal: AbortSignal
  /** Told each event, and the status about once a second. */
  readonly onEvent: (event: LogEvent) => void
  readonly onStatus: (status: Status) => void
}

/**
 * Carries a rehearsal out as process 1 of a rack: bridge, admin agent, machines, apply, second apply, canaries, report.
 *
 * The report is written to `report.json` whatever happened; machines and agent are gone when this settles.
 */
export async function runRack(order: RackOrder, options: InsideOptions): Promise<RehearsalReport> {
  const started = performance.now()
  const problems: string[] = []
  const deadline = AbortSignal.timeout(order.deadlineMs)
  const signal = AbortSignal.any([options.signal, deadline])
  await makeBridge(order.network, signal)
  await using agent = await startAgent(order, signal)
  const client = controlClient(join(order.work, 'data', 'control.sock'))
  let outcome: RehearsalReport['outcome'] = 'failed'
  let secondApply: string | null = null
  let machines: readonly VirtualMachine[] = []
  try {
    await ready(client, agent, signal)
    machines = await makeMachines(order, error => problems.push(error.message), signal)
    for (const machine of machines) machine.powerOn()
    const answer = await client.post<ApplyAnswer>('/apply', { ref: null, approve: [], dryRun: false })
    if (answer.outcome === 'refused') problems.push(answer.message, ...answer.diagnostics.map(one => `${one.code}: ${one.summary}`))
    else outcome = await follow(client, options, signal)
    if (outcome === 'complete') secondApply = (await client.post<ApplyAnswer>('/apply', { ref: null, approve: [], dryRun: false })).message
  } catch (error) {
    outcome = options.signal.aborted ? 'interrupted' : deadline.aborted ? 'timeout' : 'failed'
    if (!signal.aborted) problems.push((error as Error).message)
  }
  const status = await client.get<Status>('/status').catch(() => undefined)
  await keepDocuments(client, order.out)
  for (const machine of machines) await machine[Symbol.asyncDispose]()
  const report: RehearsalReport = {
    outcome,
    seconds: Math.round((performance.now() - started) / 1000),
    accelerator: order.accelerator,
    commit: status?.site.commit ?? null,
    steps: (status?.steps ?? []).map(({ id, node, state, seconds, reason }) => ({ id, node, state, seconds, reason })),
    canaries: await checkCanaries(machines),
    secondApply,
    reported: await reportedValues(join(order.out, 'events.jsonl')),
    problems,
  }
  await writeFile(join(order.out, 'report.json'), `${JSON.stringify(report, null, 1)}\n`)
  return report
}

async function startAgent(order: RackOrder, signal: AbortSignal): Promise<AsyncDisposable & { readonly exited: Promise<string> }> {
  const config = join(order.work, 'agent.json')
  await writeFile(config, JSON.stringify({
    site: { repository: order.repository, branch: 'main' },
    node: order.network.adminNode,
    data: join(order.work, 'data'),
    store: order.store,
    stager: order.stager,
    followSeconds: 1,
  }))
  const log = await open(join(order.out, 'agent.log'), 'a')
  const child = spawn(LAUNCHER, ['agent', '--config', config], { stdio: ['ignore', log.fd, log.fd] })
  const exited = new Promise<string>(resolve => {
    child.once('error', error => resolve(error.message))
    child.once('exit', (code, killedBy) => resolve(String(code ?? killedBy)))
  })
  signal.throwIfAborted()
  return {
    exited,
    async [Symbol.asyncDispose]() {
      child.kill('SIGTERM')
      const killer = setTimeout(() => child.kill('SIGKILL'), 10_000)
      await exited
      clearTimeout(killer)
      await log.close()
    },
  }
}

async function ready(client: ControlClient, agent: { readonly exited: Promise<string> }, signal: AbortSignal): Promise<void> {
  let exit: string | undefined
  void agent.exited.then(how => {
    exit = how
  })
  for (;;) {
    if (exit !== undefined) throw new RackError('RACK_MACHINE_DIED', `the agent ended with ${exit}; see agent.log`)
    const status = await client.get<Status>('/status').catch(() => undefined)
    if (status?.agent.ready === true) return
    if (status?.site.state === 'refused') throw new RackError('RACK_BAD_DOCUMENT', `the agent refused the site: ${status.site.reason ?? ''}`)
    await sleep(200, undefined, { signal })
  }
}

async function makeMachines(order: RackOrder, onDeath: (error: RackError) => void, signal: AbortSignal): Promise<VirtualMachine[]> {
  let taps = 0
  const machines: VirtualMachine[] = []
  for (const spec of order.machines) {
    const names: string[] = []
    for (const _ of spec.nics) {
      const name = `tap${taps++}`
      await makeTap(name, order.network, signal)
      names.push(name)
    }
    machines.push(await makeVirtualMachine(spec, { folder: order.work, consoleFolder: order.out, accelerator: order.accelerator, taps: names, onDeath }))
  }
  return machines
}

/** Follows the run until it ends and nothing more is to come: a `partial` run goes on when a machine turns up. */
async function follow(client: ControlClient, options: InsideOptions, signal: AbortSignal): Promise<RehearsalReport['outcome']> {
  const events = new AbortController()
  const following = AbortSignal.any([signal, events.signal])
  const told = (async () => {
    for await (const event of client.lines<LogEvent>('/events?after=0&follow', following)) options.onEvent(event)
  })()
  try {
    for (;;) {
      const status = await client.get<Status>('/status')
      options.onStatus(status)
      const state = status.run?.state
      // Nobody approves anything here: what waits for a person waits for ever.
      if (state === 'complete' || state === 'failed' || (state === 'partial' && status.approvals.length > 0)) return state
      await sleep(1000, undefined, { signal })
    }
  } finally {
    events.abort()
    await told
  }
}

async function keepDocuments(client: ControlClient, out: string): Promise<void> {
  for (const name of ['plan', 'changes'] as const) {
    const document = await client.get(`/${name}`).catch(() => undefined)
    if (document !== undefined) await writeFile(join(out, `${name}.json`), `${JSON.stringify(document, null, 1)}\n`)
  }
  const lines: string[] = []
  const stop = AbortSignal.timeout(30_000)
  try {
    for await (const event of client.lines('/events?after=0', stop)) lines.push(JSON.stringify(event))
  } catch {
    // The agent is gone; what was read is kept.
  }
  await writeFile(join(out, 'events.jsonl'), lines.map(line => `${line}\n`).join(''))
}

async function checkCanaries(machines: readonly VirtualMachine[]): Promise<RehearsalReport['canaries']> {
  const checked: { machine: string; serial: string; unchanged: boolean }[] = []
  for (const machine of machines) {
    for (const { file, serial, sha256 } of machine.canaries) {
      checked.push({ machine: machine.spec.name, serial, unchanged: (await hashDiskFile(file)) === sha256 })
    }
  }
  return checked
}

async function reportedValues(events: string): Promise<Record<string, unknown>> {
  const reported: Record<string, unknown> = {}
  await using file = await open(events)
  for await (const line of file.readLines()) {
    const event = JSON.parse(line) as LogEvent
    if (event.type === 'step.succeeded' && Object.keys(event.data.provides).length > 0) reported[event.data.step] = event.data.provides
  }
  return reported
}

