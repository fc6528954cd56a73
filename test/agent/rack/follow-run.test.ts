import { expect, test } from 'vitest'
import type { ControlClient } from '../../../agent/control/control-client.ts'
import { followRun } from '../../../agent/rack/follow-run.ts'

/** An agent whose log has five events, which breaks off after each two, and which is away for one question in three. */
function flaky(states: readonly string[]): ControlClient {
  let asked = 0
  let questions = 0
  return {
    async get<T>(path: string) {
      await Promise.resolve()
      if (path === '/sequence') return { seq: 5 } as T
      if (++questions % 3 === 0) throw new Error('nobody answers')
      return { run: { state: states[Math.min(asked++, states.length - 1)] }, approvals: [], rollouts: [] } as T
    },
    post: () => Promise.reject(new Error('not asked for')),
    async *lines<T>(path: string, signal: AbortSignal): AsyncIterable<T> {
      await Promise.resolve()
      const after = Number(/after=([0-9]+)/.exec(path)?.[1])
      for (let seq = after + 1; seq <= Math.min(after + 2, 5); seq++) yield { seq } as T
      if (after + 2 < 5) throw new Error('the connection broke')
      await new Promise<void>(resolve => signal.addEventListener('abort', () => resolve(), { once: true }))
    },
  }
}

test('every event is told once and in order, however often the agent is away', async () => {
  const seen: number[] = []
  const end = await followRun(flaky(['running', 'complete']), { signal: AbortSignal.timeout(15_000), onEvent: ({ seq }) => seen.push(seq), onStatus: () => undefined, unsettled: () => false })
  expect(end).toBe('complete')
  expect(seen).toEqual([1, 2, 3, 4, 5])
})

test('a run that has ended is watched until what may still happen to it has happened', async () => {
  let looks = 0
  await followRun(flaky(['complete']), { signal: AbortSignal.timeout(15_000), onEvent: () => undefined, onStatus: () => looks++, unsettled: () => looks < 3 })
  expect(looks).toBeGreaterThanOrEqual(3)
})

test('a rollout that pauses is let go on', async () => {
  const asked: unknown[] = []
  const inner = flaky(['complete'])
  const client: ControlClient = {
    ...inner,
    get: <T>(path: string) => (path === '/status' && asked.length === 0 ? Promise.resolve({ run: { state: 'partial' }, approvals: [], rollouts: [{ id: 'rollout/d/a', state: 'paused' }, { id: 'rollout/d/b', state: 'done' }] } as T) : inner.get<T>(path)),
    post: <T>(path: string, body: unknown) => Promise.resolve(void asked.push([path, body]) as T),
  }
  const told: string[] = []
  expect(await followRun(client, { signal: AbortSignal.timeout(15_000), onEvent: () => undefined, onStatus: () => undefined, unsettled: () => false, onPause: ids => told.push(...ids) })).toBe('complete')
  expect([asked, told]).toEqual([[['/approve', { steps: ['rollout/d/a'] }]], ['rollout/d/a']])
})

test('an abort ends it', async () => {
  const stop = new AbortController()
  const following = followRun(flaky(['running']), { signal: stop.signal, onEvent: () => undefined, onStatus: () => stop.abort(new Error('enough')), unsettled: () => false })
  await expect(following).rejects.toThrow()
})
