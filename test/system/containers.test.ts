import { setTimeout as sleep } from 'node:timers/promises'
import { afterAll, beforeAll, expect, test } from 'vitest'
import type { Plan } from '../../schemas/plan.ts'
import { crowbar, openHeldRack } from './held-rack.ts'
import type { TestRack } from './held-rack.ts'

/** One rack, whose tests go on where the one before left off, as commits do. */
let rack: TestRack

beforeAll(async () => {
  rack = await openHeldRack('site-examples/joined')
})
afterAll(async () => {
  await rack?.[Symbol.asyncDispose]()
})

const TOKEN = 'var/lib/relay/token'
const KEPT = 'var/lib/relay/kept'
const runs = (node: string, role: string): number => (rack.read(node, 'var/lib/relay/runs') ?? '').split('\n').filter(line => line === role).length
const attempts = async (step: string): Promise<number> => (await rack.status()).steps.find(one => one.id === step)?.attempts ?? 0
/** Sets an attribute of a role in its deployment. */
const withSeconds = (role: string, nodes: string, seconds: number) => (text: string): string =>
  text.replace(new RegExp(`  ${role}: .*`), `  ${role}: { nodes: [${nodes}], attributes: { relay: { seconds: ${seconds} } } }`)
/** Waits until the ledger that the agent publishes leaves nothing to do: it follows the log by half a second or so. */
const diffSaysNothing = async (): Promise<void> => {
  for (const deadline = Date.now() + 20_000; crowbar('diff', '--site', rack.clone()).code !== 0 && Date.now() < deadline;) await sleep(300)
  expect(crowbar('diff', '--site', rack.clone()).code).toBe(0)
}
/** Starts a run and waits until a step runs on its node. */
const startUntilRunning = async (step: string): Promise<void> => {
  const before = await rack.now()
  await rack.apply()
  await rack.event(before, event => event.type === 'step.accepted' && event.data.step === step)
  await sleep(500)
}

test('every step succeeds, once', () => {
  expect(rack.report.problems).toEqual([])
  expect(rack.report.outcome).toBe('complete')
  expect(rack.report.steps.map(({ state }) => state)).toEqual(rack.report.steps.map(() => 'succeeded'))
  expect(rack.report.steps).toHaveLength(15)
  expect(rack.report.reported['relay/roll-call@gamma']).toEqual({ reached: 3 })
  expect(['alpha', 'beta', 'gamma'].map(node => runs(node, 'member'))).toEqual([1, 1, 1])
})

test('the token on the second node is the one that was made on the first', () => {
  expect(rack.read('alpha', TOKEN)).toMatch(/^[0-9a-f]{32}$/)
  expect(rack.read('beta', KEPT)).toBe(rack.read('alpha', TOKEN))
  expect(rack.read('gamma', 'var/lib/relay/members')).toBe('All together\n192.168.125.81\n192.168.125.82\n192.168.125.83\n')
})

test('the token is nowhere in what is published', async () => {
  const token = rack.read('alpha', TOKEN) ?? ''
  const clone = rack.clone({ bare: true })
  const { execFileSync } = await import('node:child_process')
  for (const ref of ['refs/heads/main', 'refs/crowbar/applied']) {
    const text = execFileSync('sh', ['-c', `git ls-tree -r --name-only ${ref} | while read -r f; do git show ${ref}:"$f"; done`], { cwd: clone, encoding: 'utf8' })
    expect(text.length).toBeGreaterThan(1000)
    expect(text.includes(token)).toBe(false)
  }
  expect(JSON.stringify(await rack.eventsAfter(0)).includes(token)).toBe(false)
})

test('the agent has the plan that anybody compiles from a clone', async () => {
  const { code, stdout } = crowbar('plan', '--site', rack.clone(), '--ref', 'HEAD', '--format', 'json')
  expect(code).toBe(0)
  expect(await rack.client.get<Plan>('/plan')).toEqual(JSON.parse(stdout))
})

test('a second apply does nothing', async () => {
  const before = await rack.now()
  expect(rack.report.secondApply).toMatch(/^nothing to do/)
  expect((await rack.apply()).outcome).toBe('nothing')
  expect((await rack.eventsAfter(before)).map(({ type }) => type)).not.toContain('run.started')
})

test('diff has nothing to say, from a clone and from a bare one with the ledger fetched', async () => {
  await diffSaysNothing()
  for (const bare of [false, true]) {
    const { code, stdout, stderr } = crowbar('diff', '--site', rack.clone({ bare }))
    expect([code, stderr]).toEqual([0, ''])
    expect(stdout.toLowerCase()).toContain('nothing')
  }
})

test('an attribute of one node runs again exactly the role that depends on it', async () => {
  rack.commit({ 'nodes.yaml': text => text.replace(/(name: gamma\n)/, '$1attributes: { motd: { text: The third } }\n') })
  const { code, stdout } = crowbar('diff', '--site', rack.clone())
  expect(code).toBe(2)
  expect(stdout).toContain('motd')
  expect(stdout).not.toContain('token-maker')
  expect(await rack.applyToTheEnd()).toEqual({ state: 'complete', sent: ['relay/motd@gamma'] })
  expect(rack.read('gamma', 'etc/motd')).toBe('The third')
  expect(rack.read('alpha', 'etc/motd')).toBe('A member of joined')
})

test('a role that a commit takes from a node is undone there, by its own script', async () => {
  rack.commit({ 'deployment.yaml': text => text.replace('motd: { nodes: [alpha, gamma]', 'motd: { nodes: [gamma]') })
  expect(await rack.applyToTheEnd()).toEqual({ state: 'complete', sent: ['relay/motd@alpha#remove'] })
  expect(rack.read('alpha', 'etc/motd')).toBeUndefined()
  expect(rack.read('gamma', 'etc/motd')).toBe('The third')
  expect((await rack.apply()).outcome).toBe('nothing')
})

test('kill -9 of the agent while a role runs doubles nothing', async () => {
  const token = rack.read('alpha', TOKEN)
  const before = runs('alpha', 'token-maker')
  rack.commit({ 'deployment.yaml': withSeconds('token-maker', 'alpha', 8) })
  const step = 'relay/token-maker@alpha'
  await startUntilRunning(step)
  await rack.rack.ask({ act: 'kill-agent' })
  await rack.rack.ask({ act: 'start-agent' })
  const ended = await rack.runEnded()
  expect(ended.run?.state).toBe('complete')
  expect(ended.steps.find(one => one.id === step)?.state).toBe('succeeded')
  expect(runs('alpha', 'token-maker')).toBe(before + 1)
  expect([rack.read('alpha', TOKEN), rack.read('beta', KEPT)]).toEqual([token, token])
  expect((await rack.apply()).outcome).toBe('nothing')
})

test('a node that loses power while a role runs comes back and goes on', async () => {
  const step = 'relay/token-keeper@beta'
  const before = await attempts(step)
  const earlier = runs('beta', 'token-keeper')
  rack.commit({ 'deployment.yaml': withSeconds('token-keeper', 'beta', 8) })
  await startUntilRunning(step)
  await rack.rack.ask({ act: 'power-off', machine: 'beta' })
  await sleep(1000)
  await rack.rack.ask({ act: 'power-on', machine: 'beta' })
  const ended = await rack.runEnded()
  expect(ended.run?.state).toBe('complete')
  expect(await attempts(step)).toBeGreaterThanOrEqual(before + 2)
  expect(runs('beta', 'token-keeper')).toBe(earlier + 2)
  expect(rack.read('beta', KEPT)).toBe(rack.read('alpha', TOKEN))
})

test('a role that fails holds its own node back and no other, and a corrected commit finishes', async () => {
  const broken = '[ "$(crowbar-get crowbar.node.name)" != beta ] || { echo "out of order"; exit 3; }\n'
  rack.commit({ 'barclamps/relay/member/run.sh': text => text.replace('{\n', `${broken}{\n`) })
  const before = await rack.now()
  expect((await rack.applyToTheEnd()).state).toBe('failed')
  const state = Object.fromEntries((await rack.status()).steps.map(one => [one.id, one.state]))
  expect(state).toMatchObject({
    'relay/member@beta': 'failed', 'relay/token-keeper@beta': 'skipped', 'relay/roll-call@gamma': 'skipped', 'barrier/relay/member': 'skipped',
    'relay/member@alpha': 'succeeded', 'relay/token-maker@alpha': 'succeeded', 'relay/member@gamma': 'succeeded',
  })
  const failure = (await rack.eventsAfter(before)).find(event => event.type === 'step.failed')
  expect(failure?.data).toMatchObject({ step: 'relay/member@beta', code: 'JIG_EXIT' })
  expect(crowbar('diff', '--site', rack.clone()).code).toBe(2)

  rack.commit({ 'barclamps/relay/member/run.sh': text => text.replace(broken, '# In order again.\n') })
  const repaired = await rack.applyToTheEnd()
  expect(repaired.state).toBe('complete')
  expect(repaired.sent).toContain('relay/member@beta')
  expect(repaired.sent).toContain('relay/roll-call@gamma')
  await diffSaysNothing()
})

test('a frozen agent starts nothing, also after it was killed, and goes on when thawed', async () => {
  await rack.client.post('/freeze')
  rack.commit({ 'nodes.yaml': text => text.replace('The third', 'Number three') })
  const before = await rack.now()
  expect((await rack.apply()).outcome).toBe('started')
  await rack.rack.ask({ act: 'kill-agent' })
  await rack.rack.ask({ act: 'start-agent' })
  await sleep(3000)
  const status = await rack.status()
  expect([status.agent.frozen, status.run?.state]).toEqual([true, 'running'])
  expect(status.steps.find(one => one.id === 'relay/motd@gamma')).toMatchObject({ state: 'blocked', reason: expect.stringContaining('frozen') as string })
  expect((await rack.eventsAfter(before)).map(({ type }) => type)).not.toContain('step.sent')
  await rack.client.post('/thaw')
  expect((await rack.runEnded()).run?.state).toBe('complete')
  expect(rack.read('gamma', 'etc/motd')).toBe('Number three')
})

test('a commit that does not compile leaves the cluster as it is, and says where', async () => {
  rack.commit({ 'deployment.yaml': text => text.replace('roll-call:', 'rol-call:') })
  const answer = await rack.apply()
  expect(answer.outcome).toBe('refused')
  expect(answer.message).toContain('deployment.yaml:')
  expect((await rack.status()).site.state).toBe('refused')
  rack.commit({ 'deployment.yaml': text => text.replace('rol-call:', 'roll-call:') })
  expect((await rack.apply()).outcome).toBe('nothing')
})

test('a node gets another name: only the role that mentions it runs, the host is called so, also when the agent is killed on the way', async () => {
  rack.commit({
    'nodes.yaml': text => text.replace('Number three', '"I am ${node.name}"'),
    'barclamps/motd/run.sh': text => `${text}uname -n >/etc/motd.host\n`,
  })
  expect(await rack.applyToTheEnd()).toEqual({ state: 'complete', sent: ['relay/motd@gamma'] })
  expect([rack.read('gamma', 'etc/motd'), rack.read('gamma', 'etc/motd.host')]).toEqual(['I am gamma', 'gamma\n'])

  rack.commit({ 'nodes.yaml': text => text.replace('name: gamma\n', 'name: omega\nmoved: { from: gamma }\n'), 'deployment.yaml': text => text.replaceAll('gamma', 'omega') })
  const before = await rack.now()
  expect((await rack.apply()).message).toContain('gamma becomes omega')
  await rack.rack.ask({ act: 'kill-agent' })
  await rack.rack.ask({ act: 'start-agent' })
  expect((await rack.runEnded()).run?.state).toBe('complete')
  const events = await rack.eventsAfter(before)
  expect(events.flatMap(event => (event.type === 'node.renamed' ? event.data.nodes.map(({ from, to }) => `${from} ${to}`) : []))).toEqual(['gamma omega'])
  expect(events.flatMap(event => (event.type === 'step.succeeded' && event.data.n > 0 ? [event.data.step] : []))).toEqual(['relay/motd@omega'])
  expect([rack.read('gamma', 'etc/motd'), rack.read('gamma', 'etc/motd.host'), rack.read('gamma', 'etc/hostname')]).toEqual(['I am omega', 'omega\n', 'omega\n'])
  expect((await rack.apply()).outcome).toBe('nothing')
  await diffSaysNothing()
})

test('two nodes swap their names: nothing runs, and each goes on as what it is under the other name', async () => {
  const other = (text: string): string => text.replaceAll(/\b(?:alpha|beta)\b/g, name => (name === 'alpha' ? 'beta' : 'alpha'))
  rack.commit({ 'nodes.yaml': text => other(text).replace(/name: (alpha|beta)\n/g, (line, name: string) => `${line}moved: { from: ${other(name)} }\n`), 'deployment.yaml': other })
  const before = await rack.now()
  expect(await rack.applyToTheEnd()).toEqual({ state: 'complete', sent: [] })
  for (const name of ['alpha', 'beta']) await rack.event(before, event => event.type === 'node.connected' && event.data.node === name)
  const earlier = runs('beta', 'token-keeper')
  rack.commit({ 'deployment.yaml': withSeconds('token-keeper', 'alpha', 1) })
  expect(await rack.applyToTheEnd()).toEqual({ state: 'complete', sent: ['relay/token-keeper@alpha'] })
  expect(runs('beta', 'token-keeper')).toBe(earlier + 1)
  expect([rack.read('alpha', 'etc/hostname'), rack.read('beta', 'etc/hostname')]).toEqual(['beta\n', 'alpha\n'])
  expect(rack.read('beta', KEPT)).toBe(rack.read('alpha', TOKEN))
  expect((await rack.apply()).outcome).toBe('nothing')
  await diffSaysNothing()
})
