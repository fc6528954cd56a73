import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import type { ApplyAnswer, Status } from '../../schemas/control.ts'
import type { ControlClient } from '../control/control-client.ts'
import type { LogEvent } from '../log/event-types.ts'
import { buildMachines, replaceContainerNode } from './build-machines.ts'
import type { BuildMachinesOptions } from './build-machines.ts'
import { hashDiskFile } from './disk-file.ts'
import { openDisturber } from './disturbance.ts'
import type { Disturbance } from './disturbance.ts'
import { followRun } from './follow-run.ts'
import { keepDocuments } from './keep-documents.ts'
import { makeBridge } from './network.ts'
import { openRackAgent } from './rack-agent.ts'
import type { RackAgent } from './rack-agent.ts'
import type { RackMachine } from './rack-machine.ts'
import type { HeldRequest, RackOrder, RehearsalReport } from './rack-order.ts'

/** Between a cut and the return of power, and between the end of an agent and its next start, milliseconds. */
const AWAY_MS = 1500

export interface InsideOptions {
  readonly signal: AbortSignal
  /** Told each event, and the status about once a second. */
  readonly onEvent: (event: LogEvent) => void
  readonly onStatus: (status: Status) => void
  /** Told what is done on purpose. */
  readonly onDisturbance: (text: string) => void
  /** The run is over and reported, and the order says to stay: called once; the rack ends when it settles. */
  readonly onHeld: (obey: (request: HeldRequest) => Promise<void>) => Promise<void>
}

/**
 * Carries a rehearsal out as process 1 of a rack: bridge, admin agent, machines, apply, disturbances, second apply,
 * canaries, report.
 *
 * The report is written to `report.json` whatever happened; machines and agent are gone when this settles.
 */
export async function runRack(order: RackOrder, options: InsideOptions): Promise<RehearsalReport> {
  const started = performance.now()
  const problems: string[] = []
  const deadline = AbortSignal.timeout(order.deadlineMs)
  await makeBridge(order.network, options.signal)
  await using parts = new AsyncDisposableStack()
  const agent = parts.use(await openRackAgent(order))
  const { client } = agent
  const asked = AbortSignal.any([options.signal, deadline])
  const signal = AbortSignal.any([asked, agent.died])
  // The deadline is the run's: machines of a rack that is held are switched on and off long after it.
  const lifetime = AbortSignal.any([options.signal, agent.died])
  const machines: RackMachine[] = []
  const building: BuildMachinesOptions = { client, owner: parts, onDeath: error => problems.push(error.message), signal: lifetime }
  const obey = (request: HeldRequest): Promise<void> => carryOutRequest(request, { order, agent, machines, building, signal: options.signal })
  const disturber = parts.use(openDisturber(order.disturbances, {
    signal,
    elapsedMs: () => performance.now() - started,
    onError: error => problems.push(`a disturbance could not be carried out: ${error.message}`),
    carryOut: disturbance => disturb(disturbance, { obey, say: options.onDisturbance, signal }),
  }))
  let outcome: RehearsalReport['outcome'] = 'failed'
  let secondApply: string | null = null
  try {
    await agent.ready({ image: order.containers === null, signal })
    machines.push(...await buildMachines(order, building))
    for (const machine of machines) await machine.powerOn()
    const answer = await apply(client)
    if (answer.outcome === 'refused') problems.push(answer.message, ...answer.diagnostics.map(one => `${one.code}: ${one.summary}`))
    else outcome = await followRun(client, {
      signal, onStatus: options.onStatus, unsettled: () => disturber.pending,
      onPause: rollouts => options.onDisturbance(`${rollouts.join(', ')} pauses; nobody looks here, so it goes on`),
      onEvent(event) {
        options.onEvent(event)
        disturber.heard(event)
      },
    })
    if (outcome === 'complete') secondApply = (await apply(client)).message
  } catch (error) {
    outcome = options.signal.aborted ? 'interrupted' : deadline.aborted ? 'timeout' : 'failed'
    if (agent.died.aborted) problems.push((agent.died.reason as Error).message)
    else if (!asked.aborted) problems.push((error as Error).message)
  }
  await disturber[Symbol.asyncDispose]()
  for (const { text, seconds } of disturber.reports) if (seconds === null) problems.push(`the disturbance ${text} never came: its step was not sent`)
  const status = await client.get<Status>('/status').catch(() => undefined)
  const { reported, lastWords } = await keepDocuments(client, order.out)
  if (!order.hold) for (const machine of machines) await machine.powerOff()
  const report: RehearsalReport = {
    outcome,
    seconds: Math.round((performance.now() - started) / 1000),
    accelerator: order.containers === null ? order.accelerator : null,
    commit: status?.run?.commit ?? null,
    nodes: (status?.nodes ?? []).map(({ name, os, address, machine }) => ({ name, os, address, machine })),
    steps: (status?.steps ?? []).map(({ id, node, state, seconds, attempts, reason }) => ({ id, node, state, seconds, attempts, reason, lastWords: lastWords.get(id) ?? [] })),
    disturbances: disturber.reports,
    canaries: await checkCanaries(machines),
    secondApply,
    standIns: order.standIns,
    reported,
    problems,
  }
  await writeFile(join(order.out, 'report.json'), `${JSON.stringify(report, null, 1)}\n`)
  if (order.hold && !options.signal.aborted) await options.onHeld(obey)
  return report
}

function apply(client: ControlClient): Promise<ApplyAnswer> {
  return client.post<ApplyAnswer>('/apply', { ref: null, approve: [], dryRun: false })
}

interface Hands {
  readonly order: RackOrder
  readonly agent: RackAgent
  /** Changed where a machine takes the place of another one. */
  readonly machines: RackMachine[]
  readonly building: BuildMachinesOptions
  readonly signal: AbortSignal
}

/** An agent that is started has answered when this settles. */
async function carryOutRequest(request: HeldRequest, { order, agent, machines, building, signal }: Hands): Promise<void> {
  switch (request.act) {
    case 'kill-agent':
      return agent.kill()
    case 'start-agent':
      agent.start()
      return agent.ready({ image: order.containers === null, signal })
    case 'power-off':
    case 'power-on':
    case 'replace': {
      const index = machines.findIndex(one => one.name === request.machine)
      const machine = machines[index]
      if (machine === undefined) throw new TypeError(`the rack has no machine ${request.machine}`)
      if (request.act !== 'replace') return request.act === 'power-off' ? machine.powerOff() : machine.powerOn()
      const other = await replaceContainerNode(order, { node: machine.name, mac: request.mac, before: machine }, building)
      machines[index] = other
      return other.powerOn()
    }
  }
}

async function disturb({ what, machine }: Disturbance, { obey, say, signal }: { readonly obey: (request: HeldRequest) => Promise<void>; readonly say: (text: string) => void; readonly signal: AbortSignal }): Promise<void> {
  if (what === 'kill-agent') {
    say('DISTURBANCE: kill -9 of the admin agent')
    await obey({ id: 0, act: 'kill-agent' })
    await sleep(AWAY_MS, undefined, { signal })
    await obey({ id: 0, act: 'start-agent' })
    say('the admin agent was started again')
  } else {
    const name = machine ?? ''
    say(`DISTURBANCE: ${name} loses power`)
    await obey({ id: 0, act: 'power-off', machine: name })
    await sleep(AWAY_MS, undefined, { signal })
    await obey({ id: 0, act: 'power-on', machine: name })
    say(`${name} has power again`)
  }
}

async function checkCanaries(machines: readonly RackMachine[]): Promise<RehearsalReport['canaries']> {
  const checked: { machine: string; serial: string; unchanged: boolean }[] = []
  for (const machine of machines) {
    for (const { file, serial, sha256 } of machine.canaries) {
      checked.push({ machine: machine.name, serial, unchanged: (await hashDiskFile(file)) === sha256 })
    }
  }
  return checked
}
