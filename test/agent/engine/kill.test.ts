import { existsSync } from 'node:fs'
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import type { LogEvent } from '../../../agent/log/event-types.ts'
import { fold } from '../../../agent/state/fold.ts'
import { stateToJson } from '../../../agent/state/snapshot.ts'
import { openLife } from './agent-life.ts'
import type { AgentLife } from './agent-life.ts'
import { FakeRack } from './fake-rack.ts'
import { firstLight, playFirstLight } from './first-light.ts'

const EVERYTHING = ['install m-n1', 'install m-n2', 'role web/check@n2', 'role web/client@n2', 'role web/server@n1']
/** Kills are simulated here, so nothing has to reach a disk. */
const MEMORY = '/dev/shm'
const soon = (): AbortSignal => AbortSignal.timeout(10_000)

/** Lets one life after the other run until each is killed, the last one until the run has ended; gives that one's log and ledger. */
async function live(kills: readonly number[], rack: FakeRack, restart: (life: AgentLife) => Promise<void> = (life) => Promise.resolve(life.sessions.connectAll())): Promise<{ events: LogEvent[]; ledger: unknown }> {
  const folder = await mkdtemp(join(existsSync(MEMORY) ? MEMORY : tmpdir(), 'crowbar-kill-'))
  try {
    // One key for all folders: sealed values then have the same references.
    await writeFile(join(folder, 'agent.key'), new Uint8Array(32))
    for (const killAfter of [...kills, Infinity]) {
      await using life = await openLife(folder, rack, { killAfter })
      await restart(life)
      const going = (async () => {
        if (life.engine.state.run === null) await life.engine.start(firstLight(), { reason: 'apply' })
        else await life.engine.resume()
        await life.engine.idle({ signal: soon() })
      })()
      await Promise.race([going, life.killed])
      if (life.isKilled) {
        // Nobody waits for a life that is over.
        going.catch(() => undefined)
        continue
      }
      await life.ledger.upToDate()
      return { events: await life.events(), ledger: structuredClone(life.ledger.current.nodes) }
    }
    throw new Error('no life was the last')
  } finally {
    await rm(folder, { recursive: true, force: true })
  }
}

function firstLightRack(): FakeRack {
  const rack = new FakeRack(['m-n1', 'm-n2'])
  playFirstLight(rack)
  return rack
}

/** What the log says of the end, without what differs between lives: times, epochs, numbers. */
function outcome(events: readonly LogEvent[]): unknown {
  const { run } = fold(events)
  return { ended: run?.ended?.state, steps: [...(run?.steps ?? [])].map(([id, step]) => [id, step.status, step.provides, step.sealed]).toSorted((a, b) => ((a[0] as string) < (b[0] as string) ? -1 : 1)) }
}

/** Installations are named by their attempt, and so by the life that sent it. */
const withoutTimes = (ledger: unknown): unknown => JSON.parse(JSON.stringify(ledger, (key, value: unknown) => (key === 'time' || (key === 'incarnation' && value !== null) ? '' : value)))

test('killed after any event, the next life ends the run the same, and nothing is done twice', { timeout: 180_000 }, async () => {
  const undisturbed = firstLightRack()
  const whole = await live([], undisturbed)
  const expected = outcome(whole.events)
  expect(expected).toMatchObject({ ended: 'complete' })
  expect(undisturbed.effects.toSorted()).toEqual(EVERYTHING)

  for (let killAfter = 1; killAfter < whole.events.length; killAfter++) {
    const rack = firstLightRack()
    const { events, ledger } = await live([killAfter], rack)
    expect({ killAfter, effects: rack.effects.toSorted() }).toEqual({ killAfter, effects: EVERYTHING })
    expect({ killAfter, outcome: outcome(events) }).toEqual({ killAfter, outcome: expected })
    expect({ killAfter, ledger: withoutTimes(ledger) }).toEqual({ killAfter, ledger: withoutTimes(whole.ledger) })
  }
})

test('killed again and again, it still ends the same', { timeout: 180_000 }, async () => {
  for (const kills of [[4, 6, 8, 10, 12], [7, 9, 15, 16, 17, 20], [10, 11, 12, 13, 14, 15, 16, 17, 18, 19, 20, 21, 22], [12, 24]]) {
    const rack = firstLightRack()
    const { events } = await live(kills, rack)
    expect(rack.effects.toSorted()).toEqual(EVERYTHING)
    expect(fold(events).run?.ended?.state).toBe('complete')
  }
})

test('killed while a disk is written and the power goes too: it is written again under the same leave, without asking anybody', async () => {
  const rack = firstLightRack()
  let cuts = 0
  rack.duringInstall = (machine) => (machine === 'm-n1' && cuts++ === 0 ? 'power' : undefined)
  const { events } = await live([], rack)
  expect(rack.effects.filter((effect) => effect === 'install m-n1')).toHaveLength(2)
  expect(events.flatMap((event) => (event.type.startsWith('step.') && 'step' in event.data && event.data.step === 'install@n1' ? [event.type] : []))).toEqual([
    'step.sent',
    'step.accepted',
    'step.unknown',
    'step.sent',
    'step.accepted',
    'step.succeeded',
  ])
  expect(events.some((event) => event.type === 'approval.given')).toBe(false)
})

test('the agent dies while a disk is written, the power goes meanwhile: the next life goes on by the stamp', async () => {
  const undisturbed = firstLightRack()
  const { events: before } = await live([], undisturbed)
  const accepted = before.find((event) => event.type === 'step.accepted' && event.data.step === 'install@n1')
  const rack = firstLightRack()
  let cuts = 0
  rack.duringInstall = (machine) => (machine === 'm-n1' && cuts++ === 0 ? 'hang' : undefined)
  let lives = 0
  const { events } = await live([accepted?.seq ?? 0], rack, async (life) => {
    if (++lives === 2) {
      // Wait until it is in the middle of it.
      while (!rack.effects.includes('install m-n1')) await new Promise((resolve) => setImmediate(resolve))
      rack.powerCycle('m-n1')
    }
    life.sessions.connectAll()
  })
  expect(rack.machine('m-n1').system).not.toBeNull()
  expect(rack.effects.toSorted()).toEqual(['install m-n1', ...EVERYTHING])
  expect(fold(events).run?.ended?.state).toBe('complete')
})

test('every prefix of a log folds, and a fold that goes on from any of them comes to the same', async () => {
  const { events } = await live([9, 14], firstLightRack())
  const whole = stateToJson(fold(events))
  for (let i = 0; i <= events.length; i++) expect(stateToJson(fold(events.slice(i), fold(events.slice(0, i))))).toEqual(whole)
})
