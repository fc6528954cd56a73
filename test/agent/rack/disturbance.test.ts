import { setTimeout as sleep } from 'node:timers/promises'
import { expect, test } from 'vitest'
import type { LogEvent } from '../../../agent/log/event-types.ts'
import { checkDisturbances, openDisturber, parseDisturbance } from '../../../agent/rack/disturbance.ts'
import type { Disturbance } from '../../../agent/rack/disturbance.ts'

const event = (type: 'step.sent' | 'step.succeeded' | 'step.waiting', step: string): LogEvent => ({ seq: 1, time: '', stream: '', epoch: 1, type, v: 1, data: { step } }) as unknown as LogEvent

function open(texts: readonly string[], carryOut: (one: Disturbance) => Promise<void> = () => Promise.resolve()): ReturnType<typeof openDisturber> & { readonly errors: string[] } {
  const errors: string[] = []
  const disturber = openDisturber(texts.map(text => parseDisturbance(text)), { carryOut, elapsedMs: () => 7000, onError: error => errors.push(error.message), signal: new AbortController().signal })
  return Object.assign(disturber, { errors })
}

async function settled(disturber: { readonly pending: boolean }): Promise<void> {
  while (disturber.pending) await sleep(5)
}

test('reads what goes wrong, at which step and how long after it began', () => {
  expect(parseDisturbance('kill-agent@install@web+20s')).toMatchObject({ what: 'kill-agent', machine: null, step: 'install@web', delayMs: 20_000 })
  expect(parseDisturbance('power-cut:m1@hello/hello-server@web+500ms')).toMatchObject({ what: 'power-cut', machine: 'm1', step: 'hello/hello-server@web', delayMs: 500 })
  expect(parseDisturbance('kill-agent@stage/rootfs-debian-12')).toMatchObject({ step: 'stage/rootfs-debian-12', delayMs: 0 })
})

test.each(['', 'kill-agent', 'kill-agent:m1@install@web', 'power-cut@install@web', 'fire@install@web', 'power-cut:m1'])('refuses %j', text => {
  expect(() => parseDisturbance(text)).toThrow(expect.objectContaining({ code: 'RACK_BAD_DISTURBANCE' }))
})

test('names the machines and steps that there are', () => {
  const known = { machines: ['m1', 'm2'], steps: ['install@web'] }
  expect(() => checkDisturbances([parseDisturbance('power-cut:m3@install@web')], known)).toThrow(/no machine m3; it has m1, m2/)
  expect(() => checkDisturbances([parseDisturbance('kill-agent@instal@web')], known)).toThrow(/no step instal@web; it has install@web/)
  expect(() => checkDisturbances([parseDisturbance('power-cut:m1@install@web')], known)).not.toThrow()
})

test('a disturbance comes once, when its step was sent, and its report says what the step was doing', async () => {
  const done: string[] = []
  await using disturber = open(['kill-agent@a+10ms', 'power-cut:m@b'], one => {
    done.push(one.text)
    return Promise.resolve()
  })
  disturber.heard(event('step.waiting', 'a'))
  expect(disturber.pending).toBe(false)
  disturber.heard(event('step.sent', 'a'))
  disturber.heard(event('step.sent', 'a'))
  expect(disturber.pending).toBe(true)
  await settled(disturber)
  expect(done).toEqual(['kill-agent@a+10ms'])
  expect(disturber.reports).toEqual([{ text: 'kill-agent@a+10ms', seconds: 7, during: 'running' }, { text: 'power-cut:m@b', seconds: null, during: null }])
})

test('a step that is over before the delay is said to be over, also one that was never sent', async () => {
  await using disturber = open(['kill-agent@a+20ms', 'kill-agent@b'])
  disturber.heard(event('step.sent', 'a'))
  disturber.heard(event('step.succeeded', 'a'))
  disturber.heard(event('step.succeeded', 'b'))
  await settled(disturber)
  expect(disturber.reports.map(({ during }) => during)).toEqual(['over', 'over'])
})

test('disturbances take turns, and one that cannot be carried out is told', async () => {
  let running = 0
  let most = 0
  await using disturber = open(['kill-agent@a', 'kill-agent@a+1ms', 'power-cut:gone@a+2ms'], async one => {
    most = Math.max(most, ++running)
    await sleep(10)
    running--
    if (one.machine === 'gone') throw new Error('no such machine')
  })
  disturber.heard(event('step.sent', 'a'))
  await settled(disturber)
  expect(most).toBe(1)
  expect(disturber.errors).toEqual(['no such machine'])
})

test('closing drops what has not begun', async () => {
  const disturber = open(['kill-agent@a+60s'])
  disturber.heard(event('step.sent', 'a'))
  await disturber[Symbol.asyncDispose]()
  expect(disturber.reports[0]?.seconds).toBeNull()
  expect(disturber.errors).toEqual([])
})
