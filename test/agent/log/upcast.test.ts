import { expect, test } from 'vitest'
import { upcast } from '../../../agent/log/upcast.ts'

const event = { seq: 1, time: '2026-01-01T00:00:00.000Z', stream: 'agent', epoch: 1, type: 'freeze.on', v: 1, data: { by: 'root' } }

test('an old version is carried up step by step', () => {
  const steps = { 'freeze.on': { 1: (data: object) => ({ ...data, reason: 'not said' }), 2: (data: object) => ({ ...data, reviewed: true }) } }
  expect(upcast(event, steps, { 'freeze.on': 3 })).toEqual({ ...event, v: 3, data: { by: 'root', reason: 'not said', reviewed: true } })
})

test('a newer version, an unknown type and a missing step are refused', () => {
  expect(() => upcast({ ...event, v: 2 })).toThrow(expect.objectContaining({ code: 'EVENT_UNKNOWN' }))
  expect(() => upcast({ ...event, type: 'constructor' })).toThrow(expect.objectContaining({ code: 'EVENT_UNKNOWN' }))
  expect(() => upcast(event, {}, { 'freeze.on': 2 })).toThrow(expect.objectContaining({ code: 'EVENT_UNKNOWN' }))
})

test('what a version 1 could not say yet: no waves, no restart', () => {
  expect(upcast({ ...event, type: 'run.started', data: { run: 1 } })).toMatchObject({ v: 2, data: { run: 1, rollouts: [] } })
  expect(upcast({ ...event, type: 'step.sent', data: { step: 'd/a@n1' } })).toMatchObject({ v: 2, data: { step: 'd/a@n1', boot: null } })
})
