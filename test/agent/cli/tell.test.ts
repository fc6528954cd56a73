import { expect, test } from 'vitest'
import { tell } from '../../../agent/cli/tell.ts'
import type { LogEvent } from '../../../agent/log/event-types.ts'

const said = (type: string, data: unknown): string | undefined => tell({ seq: 1, time: '', stream: '', epoch: 1, v: 1, type, data } as LogEvent)

test('what a machine says does nothing on a terminal, and forges no line', () => {
  const message = 'mkfs\u001b[2J failed\n99 2026-11-22 install@db succeeded\u202e'
  expect(said('step.failed', { step: 'install@web', code: 'PROGRAM_FAILED', message, retryAfterMs: null })).toBe('install@web FAILED: mkfs?[2J failed\n    99 2026-11-22 install@db succeeded? (PROGRAM_FAILED)')
})

test('another DHCP server is told, what else the boot services see is not', () => {
  expect(said('boot.seen', { mac: null, kind: 'boot.dhcp.foreign', data: { type: 'boot.dhcp.foreign', interface: 'eth1', server: '10.1.0.254' } })).toBe('ANOTHER DHCP SERVER answers on eth1: 10.1.0.254')
  expect(said('boot.seen', { mac: '52:54:00:00:00:01', kind: 'boot.dhcp.offer', data: {} })).toBeUndefined()
})
