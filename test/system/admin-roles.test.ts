import { execFileSync } from 'node:child_process'
import { existsSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { crowbar, openHeldRack } from './held-rack.ts'
import type { TestRack } from './held-rack.ts'

let rack: TestRack

beforeAll(async () => {
  rack = await openHeldRack('test/system/sites/before-and-beside')
})
afterAll(async () => {
  await rack?.[Symbol.asyncDispose]()
})

const WORD = 'var/lib/beacon/word'
const runs = (): number => (rack.read('admin', 'var/lib/beacon/runs') ?? '').split('\n').filter(line => line === 'run').length

test('a role runs on the admin node by its own node agent, and another node takes what it made', async () => {
  expect(rack.report.problems).toEqual([])
  expect(rack.report.outcome).toBe('complete')
  expect(rack.read('admin', WORD)).toMatch(/^[0-9a-f]{16}$/)
  expect(rack.read('alpha', 'etc/word')).toBe(rack.read('admin', WORD))
  expect((await rack.status()).nodes.map(({ name, connected }) => [name, connected])).toEqual([['admin', 'installed'], ['alpha', 'installed']])
})

test('what a role says of itself holds: along with another, after all of them, as another, with files of a library, once more', () => {
  expect(rack.read('alpha', 'etc/ground')).toBe('beacon/ground@alpha\n')
  expect(rack.read('alpha', 'etc/said')).toBe('debian says listener\n')
  expect(rack.read('admin', 'var/lib/beacon/answer')).toBe('192.168.127.81')
  const ended = rack.report.steps.map(({ id }) => id)
  expect(ended).toContain('beacon/heard@alpha')
})

test('the admin node is no machine that a node could claim', async () => {
  const events = await rack.eventsAfter(0)
  const facts = events.flatMap(event => (event.type === 'machine.facts' ? [event.data.machine] : []))
  expect(new Set(facts).size).toBe(1)
  expect((await rack.status()).machines.map(({ node }) => node)).toEqual(['alpha'])
  expect(events.filter(event => event.type === 'step.sent').map(event => event.data.step).toSorted()).toEqual(['beacon/answer@admin', 'beacon/beacon@admin', 'beacon/ground@alpha', 'beacon/heard@alpha', 'beacon/listener@alpha', 'beacon/listener@alpha'])
})

test('kill -9 of the admin agent while its own node runs a role doubles nothing', async () => {
  const before = runs()
  rack.commit({ 'site.yaml': text => text.replace('  beacon: {}', '  beacon: { attributes: { beacon: { seconds: 6 } } }') })
  const seq = await rack.now()
  await rack.apply()
  await rack.event(seq, event => event.type === 'step.accepted' && event.data.step === 'beacon/beacon@admin')
  await sleep(500)
  await rack.rack.ask({ act: 'kill-agent' })
  await rack.rack.ask({ act: 'start-agent' })
  const ended = await rack.runEnded()
  expect(ended.run?.state).toBe('complete')
  expect(ended.steps.find(({ id }) => id === 'beacon/beacon@admin')?.state).toBe('succeeded')
  expect(runs()).toBe(before + 1)
})

test('what is safe is applied by itself; what is not is held, and status says why', async () => {
  const automation = 'domain: beside.example.com\n'
  const seq = await rack.now()
  rack.commit({ 'site.yaml': text => text.replace(automation, `${automation}automation: { apply: safe }\n`).replace('seconds: 6', 'seconds: 0') })
  await rack.event(seq, event => event.type === 'run.started' && event.data.reason === 'automation.apply: safe')
  expect((await rack.runEnded()).run?.state).toBe('complete')
  expect((await rack.status()).held).toBeNull()

  rack.commit({ 'site.yaml': text => text.replace('  beacon: { attributes: { beacon: { seconds: 0 } } }\n', '') })
  const held = async () => (await rack.status()).held
  for (const deadline = Date.now() + 60_000; (await held()) === null && Date.now() < deadline;) await sleep(500)
  expect(await held()).toMatchObject({ consequence: 'remove', steps: 1 })
  expect(rack.read('admin', WORD)).toBeDefined()
  // A person lets it go, and it is undone where it ran.
  const { state, sent } = await rack.applyToTheEnd()
  expect([state, sent]).toEqual(['complete', ['beacon/beacon@admin#remove', 'beacon/listener@alpha']])
  expect(rack.read('admin', WORD)).toBeUndefined()
  expect(rack.read('alpha', 'etc/word')).toBe('none')
})

test('a role that destroys waits for its approval, and runs once an installation', async () => {
  rack.commit({ 'site.yaml': text => text.replace('  heard: ', '  fresh: { nodes: [alpha] }\n  heard: ') })
  expect((await rack.applyToTheEnd()).state).toBe('partial')
  expect((await rack.status()).approvals.map(({ step, disks }) => [step, disks])).toEqual([['beacon/fresh@alpha', []]])
  expect(rack.read('alpha', 'etc/fresh')).toBeUndefined()
  await rack.client.post('/approve', { steps: ['beacon/fresh@alpha'] })
  expect((await rack.runEnded()).run?.state).toBe('complete')
  rack.commit({ 'site.yaml': text => text.replace('  fresh: { nodes: [alpha] }', '  fresh: { nodes: [alpha], attributes: { beacon: { seconds: 3 } } }') })
  expect((await rack.apply()).outcome).toBe('nothing')
  expect(rack.read('alpha', 'etc/fresh')).toBe('fresh\n')
})

test('killed when what was seen is pushed and no answer has come, the agent extends the run by it in its next life', async () => {
  const mac = '52:54:00:12:7d:02'
  // Under `safe` an extension would not bring what destroys.
  rack.commit({ 'site.yaml': text => text.replace('automation: { apply: safe }\n', '') })
  const clone = rack.clone()
  expect(crowbar('replace', 'alpha', '--mac', mac, '--site', clone)).toMatchObject({ code: 0 })
  for (const command of ['commit --quiet --all --message Replace', 'push --quiet origin HEAD:main']) execFileSync('git', ['-c', 'user.name=author', '-c', 'user.email=author@example.com', ...command.split(' ')], { cwd: clone })
  await rack.rack.ask({ act: 'power-off', machine: 'alpha' })
  await rack.apply()
  const [pushed, go] = ['pushed', 'go'].map(name => join(rack.rack.repository, 'hooks', name)) as [string, string]
  writeFileSync(join(rack.rack.repository, 'hooks', 'post-receive'), `#!/bin/sh
while read -r old new ref; do
  case "$ref $(git log -1 --format=%s "$new")" in "refs/heads/main inventory:"*) ;; *) continue ;; esac
  : > ${pushed}
  for i in $(seq 600); do [ -e ${go} ] || sleep 0.1; done
done
`, { mode: 0o755 })
  await rack.rack.ask({ act: 'replace', machine: 'alpha', mac })
  for (const deadline = Date.now() + 120_000; !existsSync(pushed) && Date.now() < deadline;) await sleep(100)
  expect(existsSync(pushed)).toBe(true)
  await rack.rack.ask({ act: 'kill-agent' })
  writeFileSync(go, '')
  await rack.rack.ask({ act: 'start-agent' })
  const seq = await rack.now()
  await rack.event(seq - 1, event => event.type === 'run.ended')
  // It ended because it had gone on: before, it would have waited for the machine for ever.
  expect((await rack.status()).steps.flatMap(({ id, state }) => (state === 'succeeded' ? [id] : []))).toContain('install@alpha')
  expect(rack.read('alpha', 'etc/fresh')).toBeUndefined()
})
