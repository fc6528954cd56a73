import { setTimeout as sleep } from 'node:timers/promises'
import { afterAll, beforeAll, expect, test } from 'vitest'
import type { LogEvent } from '../../agent/log/event-types.ts'
import type { ApplyAnswer } from '../../schemas/control.ts'
import { crowbar, openHeldRack } from './held-rack.ts'
import type { TestRack } from './held-rack.ts'

/** One rack of four nodes, whose tests go on where the one before left off, as commits do. */
let rack: TestRack

beforeAll(async () => {
  rack = await openHeldRack('test/system/sites/rolling')
})
afterAll(async () => {
  await rack?.[Symbol.asyncDispose]()
})

const NODES = ['n1', 'n2', 'n3', 'n4']
const log = (node: string): string[] => (rack.read(node, 'var/lib/shop/log') ?? '').split('\n').filter(line => line !== '')
/** Sets attributes of the role `front` and, when given, its rollout. */
const withFront = (attributes: string, rollout?: string) => (text: string): string => {
  const edited = text.replace(/attributes: \{ shop: .*$/m, `attributes: { shop: { ${attributes} } } }`)
  return rollout === undefined ? edited : edited.replace(/^ {2}front: \{ batches.*$/m, `  front: { ${rollout} }`)
}
/** What was sent and how it ended, in order: `+step` and `-step`. */
const course = (events: readonly LogEvent[], kinds: RegExp): string[] => events.flatMap(({ type, data }) => {
  if (type === 'step.sent' && kinds.test(data.step)) return [`+${data.step}`]
  return (type === 'step.succeeded' || type === 'step.unchanged' || type === 'step.failed') && kinds.test(data.step) ? [`-${data.step}`] : []
})
const cli = (...args: string[]): ReturnType<typeof crowbar> => crowbar(...args, '--socket', rack.rack.socket)

test('the first run went batch after batch, each checked', async () => {
  expect([rack.report.outcome, rack.report.problems]).toEqual(['complete', []])
  expect(NODES.map(log)).toEqual(NODES.map(() => ['run back', 'run front 1']))
  const events = await rack.eventsAfter(0)
  const order = course(events, /front/)
  // Nodes whose machines were seen later came last.
  const batches = events.findLast(event => event.type === 'run.started' || event.type === 'run.extended')?.data.rollouts[0]?.batches ?? []
  expect(batches[0]).toHaveLength(1)
  expect(batches.flat().toSorted()).toEqual(NODES)
  const at = (entry: string): number => order.indexOf(entry)
  for (const [batch, nodes] of batches.entries()) {
    for (const node of nodes) {
      const check = `gate/rollout/shop/front/${batch + 1}@${node}`
      expect(at(`+${check}`)).toBeGreaterThan(Math.max(...nodes.map(one => at(`-shop/front@${one}`))))
      for (const next of batches[batch + 1] ?? []) expect(at(`+shop/front@${next}`)).toBeGreaterThan(at(`-${check}`))
    }
  }
  expect(rack.report.secondApply).toMatch(/^nothing to do/)
})

test('a node that fails stops what comes later; within the budget it does not', async () => {
  rack.commit({ 'deployment.yaml': withFront('version: 2, broken: [n2], sick: []', 'batches: [1], maxFailures: 0, gate: { check: front, timeout: 20s }') })
  expect((await rack.applyToTheEnd()).state).toBe('failed')
  expect(NODES.map(node => log(node).at(-1))).toEqual(['run front 2', 'run front 1', 'run front 1', 'run front 1'])
  const status = await rack.status()
  expect(status.rollouts).toMatchObject([{ id: 'rollout/shop/front', state: 'stopped', failed: ['n2'], batch: 2, batches: 4 }])
  expect(status.steps.find(({ id }) => id === 'shop/front@n3')).toMatchObject({ state: 'blocked', reason: 'rollout/shop/front stopped: 1 of 4 nodes failed (budget 0)' })
  expect(cli('status').stdout).toContain('rollout/shop/front stopped: 1 of 4 nodes failed (budget 0)')

  rack.commit({ 'deployment.yaml': withFront('version: 3, broken: [n2], sick: []', 'batches: [1], maxFailures: 1, gate: { check: front, timeout: 20s }') })
  expect((await rack.applyToTheEnd()).state).toBe('failed')
  expect(NODES.map(node => log(node).at(-1))).toEqual(['run front 3', 'run front 1', 'run front 3', 'run front 3'])
})

test('a gate that does not pass stops the rollout', async () => {
  rack.commit({ 'deployment.yaml': withFront('version: 4, broken: [], sick: [n1]', 'batches: [1, 3], maxFailures: 4, gate: { check: front, timeout: 8s }') })
  expect((await rack.applyToTheEnd()).state).toBe('failed')
  expect(NODES.map(node => log(node).at(-1))).toEqual(['run front 4', 'run front 1', 'run front 3', 'run front 3'])
  expect((await rack.status()).rollouts).toMatchObject([{ state: 'stopped', reason: expect.stringContaining('shop/front did not pass its check on n1') as string }])
})

test('a dry run says what would run and in which batches, and changes nothing', async () => {
  rack.commit({ 'deployment.yaml': withFront('version: 5, broken: [], sick: []', 'batches: [1, 3], maxFailures: 0, pause: after-first') })
  const before = await rack.now()
  const { code, stdout } = cli('apply', '--dry-run')
  expect(code).toBe(0)
  expect(stdout).toContain('shop/front@n4')
  expect(stdout).toMatch(/rollout\/shop\/front: 2 batches, pause after-first\n {2}1 {2}n1\n {2}2 {2}n2 n3 n4/)
  expect((await rack.eventsAfter(before)).map(({ type }) => type)).not.toContain('run.started')
})

test('a pause waits until somebody lets the rollout go on, also after the agent was killed', async () => {
  const applied = cli('apply')
  expect([applied.code, applied.stdout]).toEqual([3, expect.stringContaining('pauses after batch 1 of 2: crowbar approve rollout/shop/front')])
  expect(NODES.map(node => log(node).at(-1))).toEqual(['run front 5', 'run front 1', 'run front 3', 'run front 3'])
  await rack.rack.ask({ act: 'kill-agent' })
  await rack.rack.ask({ act: 'start-agent' })
  expect((await rack.status()).rollouts).toMatchObject([{ state: 'paused', batch: 1 }])
  expect(cli('approve', 'rollout/shop/*')).toMatchObject({ code: 0, stdout: 'approved rollout/shop/front to go on after batch 1.\n' })
  expect((await rack.runEnded()).run?.state).toBe('complete')
  expect(NODES.map(node => log(node).at(-1))).toEqual(NODES.map(() => 'run front 5'))
})

const OPERATION = `kind: operation
name: restart-all
do: [drain, reboot, resume]
where: "true"
rollout: { batches: [1], maxFailures: 0 }
`

test('a rolling restart: one node at a time, the roles in order, once', async () => {
  // The agent was killed just now, and the run went on without those that had nothing more to do.
  for (const deadline = Date.now() + 60_000; (await rack.status()).nodes.some(node => node.connected === null) && Date.now() < deadline;) await sleep(200)
  rack.commit({ 'operations.yaml': () => OPERATION })
  const before = await rack.now()
  const { state } = await rack.applyToTheEnd()
  expect(state).toBe('complete')
  const events = await rack.eventsAfter(before)
  const steps = NODES.flatMap(node => ['drain', 'reboot', 'resume'].map(action => `operation/restart-all/${action}@${node}`))
  expect(course(events, /^operation/)).toEqual(steps.flatMap(step => [`+${step}`, `-${step}`]))
  for (const node of NODES) expect(log(node).slice(-4)).toEqual(['drain front 5', 'drain back', 'resume back', 'resume front 5'])
  const boots = events.flatMap(event => (event.type === 'node.connected' ? [event.data.node] : []))
  expect(boots).toEqual(NODES)
  expect((await rack.apply()).outcome).toBe('nothing')
  for (const deadline = Date.now() + 20_000; crowbar('diff', '--site', rack.clone()).code !== 0 && Date.now() < deadline;) await sleep(300)
  expect(crowbar('diff', '--site', rack.clone()).code).toBe(0)
})

test('kill -9 of the agent while a node restarts: the operation goes on, and no node restarts twice', async () => {
  rack.commit({ 'operations.yaml': text => text.replace('restart-all', 'restart-again') })
  const before = await rack.now()
  await rack.apply()
  await rack.event(before, event => event.type === 'step.accepted' && event.data.step === 'operation/restart-again/reboot@n2')
  await rack.rack.ask({ act: 'kill-agent' })
  await sleep(3000)
  await rack.rack.ask({ act: 'start-agent' })
  expect((await rack.runEnded()).run?.state).toBe('complete')
  const sent = (await rack.eventsAfter(before)).flatMap(event => (event.type === 'step.sent' ? [event.data.step] : []))
  expect(sent).toEqual(NODES.flatMap(node => ['drain', 'reboot', 'resume'].map(action => `operation/restart-again/${action}@${node}`)))
  for (const node of NODES) expect(log(node).filter(line => line === 'drain back')).toHaveLength(2)
  expect((await rack.apply()).outcome).toBe('nothing')
})

test('only what was chosen runs, with what it needs; the rest is left for the next apply', async () => {
  rack.commit({ 'deployment.yaml': withFront('version: 6, broken: [], sick: []', 'batches: [1, 3], maxFailures: 0') })
  const before = await rack.now()
  expect(cli('apply', '--target', 'n3', '--target', '*@n4', '--exclude', 'n4').code).toBe(0)
  expect((await rack.eventsAfter(before)).flatMap(event => (event.type === 'step.sent' ? [event.data.step] : []))).toEqual(['shop/front@n3'])
  expect(cli('apply', '--target', 'n9')).toMatchObject({ code: 1, stdout: expect.stringContaining('n9') as string })
  expect((await rack.client.post<ApplyAnswer>('/apply', { ref: null, approve: [], exclude: ['n1'], dryRun: true })).preview?.steps.map(({ id }) => id)).toEqual(['shop/front@n2', 'shop/front@n4'])
  expect((await rack.applyToTheEnd()).sent).toEqual(['shop/front@n1', 'shop/front@n2', 'shop/front@n4'])
})

test('runs and nodes are listed', () => {
  const runs = JSON.parse(cli('runs', '--format', 'json').stdout) as { readonly run: number; readonly state: string }[]
  expect(runs.map(({ run }) => run)).toEqual(runs.map((_, index) => runs.length - index))
  expect(runs.filter(({ state }) => state === 'failed')).toHaveLength(3)
  expect(cli('nodes').stdout).toMatch(/^n4 .* installed {2}done$/m)
})
