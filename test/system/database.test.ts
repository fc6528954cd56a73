import { execFileSync } from 'node:child_process'
import { setTimeout as sleep } from 'node:timers/promises'
import { afterAll, beforeAll, expect, test } from 'vitest'
import type { LogEvent } from '../../agent/log/event-types.ts'
import { crowbar, openHeldRack } from './held-rack.ts'
import type { TestRack } from './held-rack.ts'
import { runInside } from './inside-container.ts'

/** A Galera cluster of three container nodes, from its founding to the loss of its founder and of all its members. */
let rack: TestRack
/** The uuid of the one cluster. */
let cluster = ''

beforeAll(async () => {
  rack = await openHeldRack('site-examples/database')
})
afterAll(async () => {
  await rack?.[Symbol.asyncDispose]()
})

const MEMBERS = ['db-1', 'db-2', 'db-3']
const run = (node: string, ...argv: [string, ...string[]]): string => {
  const { code, stdout, stderr } = runInside({ node, upper: rack.rack.filesOf(node) }, argv)
  if (code !== 0) throw new Error(`${argv.join(' ')} on ${node} ended with ${code}: ${stderr}`)
  return stdout.trim()
}
const sql = (node: string, statement: string): string => run(node, 'mariadb', '--batch', '--skip-column-names', '--execute', statement)
const status = (node: string, name: string): string => sql(node, `SHOW GLOBAL STATUS LIKE '${name}'`).split('\t')[1] ?? ''
const variable = (node: string, name: string): string => sql(node, `SHOW GLOBAL VARIABLES LIKE '${name}'`).split('\t')[1] ?? ''
const servers = (): string[] => MEMBERS.map((node) => run(node, 'pidof', 'mariadbd'))
/** What the shop has tried. */
interface Order { readonly id: number; readonly to: string; readonly taken: boolean }
const orders = (): Order[] => (rack.read('app', 'var/log/shop.log') ?? '').trim().split('\n').map((line) => line.split(' ')).map(([id, to, came]) => ({ id: Number(id), to: to ?? '', taken: came === 'taken' }))
const lastOrder = (): number => orders().at(-1)?.id ?? 0
const twiceInARow = (since: number): Order[] => orders().filter(({ id }) => id > since).filter((order, at, all) => !order.taken && all[at + 1]?.taken === false)
const setting = (text: string) => (before: string): string => before.replace(/ {4}bufferPool: .*/, (line) => `${line.split('\n')[0]}\n    ${text}`)
const sent = (events: readonly LogEvent[], what: RegExp): string[] => events.flatMap(({ type, data }) => (type === 'step.sent' && what.test(data.step) ? [data.step] : []))

/** The three are one cluster, the one that was founded first, and have every order that the shop was told is taken. */
async function expectWhole(): Promise<void> {
  const before = orders().filter(({ taken }) => taken).map(({ id }) => id)
  expect(MEMBERS.map((node) => ['wsrep_local_state_comment', 'wsrep_cluster_status', 'wsrep_cluster_size', 'wsrep_cluster_state_uuid'].map((name) => status(node, name)))).toEqual(MEMBERS.map(() => ['Synced', 'Primary', '3', cluster]))
  for (const node of MEMBERS) {
    const there = new Set(sql(node, 'SET SESSION wsrep_sync_wait = 1; SELECT id FROM shop.orders').split('\n').map(Number))
    expect(before.filter((id) => !there.has(id))).toEqual([])
  }
}

test('the founder makes the cluster, the others join it one after the other, and the shop takes orders', async () => {
  expect([rack.report.problems, rack.report.outcome]).toEqual([[], 'complete'])
  const steps = sent(await rack.eventsAfter(0), /database-server@/).filter((step) => !step.startsWith('gate/'))
  expect([steps[0], steps.toSorted()]).toEqual(['database/database-server@db-1', MEMBERS.map((node) => `database/database-server@${node}`)])
  cluster = status('db-1', 'wsrep_cluster_state_uuid')
  expect(cluster).toMatch(/^[0-9a-f]{8}-/)
  for (const node of MEMBERS) expect(rack.report.reported[`database/database-server@${node}`]).toEqual({ uuid: cluster })
  await expectWhole()
  expect(rack.report.secondApply).toMatch(/^nothing to do/)
})

test('no password is on a command line, in a log, or on a member’s disk', async () => {
  const password = /password="(.*)"/.exec(rack.read('app', 'etc/shop/client.cnf') ?? '')?.[1] ?? ''
  expect(password.length).toBeGreaterThan(20)
  expect(JSON.stringify(await rack.eventsAfter(0)).includes(password)).toBe(false)
  for (const node of MEMBERS) {
    expect(run(node, 'sh', '-c', `journalctl --no-pager | grep -c -F -e '${password}'; ps axww -o args= | grep -F -e '${password}' | grep -vc grep; grep -rlF -e '${password}' /etc /run /tmp /root /var/lib/crowbar-database /var/lib/mysql || true`)).toBe('0\n0')
  }
})

test('a setting that can be changed while the server runs is, and no server restarts', async () => {
  const before = servers()
  rack.commit({ 'deployment.yaml': setting('maxConnections: 321') })
  expect((await rack.applyToTheEnd()).state).toBe('complete')
  expect(MEMBERS.map((node) => variable(node, 'max_connections'))).toEqual(['321', '321', '321'])
  expect(servers()).toEqual(before)
})

test('another setting restarts one member after the other, and the shop is never refused twice in a row', async () => {
  const [before, since, seen] = [servers(), lastOrder(), await rack.now()]
  rack.commit({ 'deployment.yaml': (text) => text.replace('bufferPool: 64', 'bufferPool: 80') })
  expect((await rack.applyToTheEnd()).state).toBe('complete')
  const course = sent(await rack.eventsAfter(seen), /database-server(\/[0-9]+)?@/)
  expect(course).toEqual(MEMBERS.flatMap((node, batch) => [`database/database-server@${node}`, `gate/rollout/database/database-server/${batch + 1}@${node}`]))
  const after = servers()
  expect(after.map((pid, at) => pid !== before[at])).toEqual([true, true, true])
  expect(MEMBERS.map((node) => variable(node, 'innodb_buffer_pool_size'))).toEqual(MEMBERS.map(() => String(80 * 2 ** 20)))
  await sleep(1000)
  expect(lastOrder() - since).toBeGreaterThan(10)
  expect(twiceInARow(since)).toEqual([])
  await expectWhole()
})

test('the founder is lost with its disk, and another machine takes its place in the same cluster', async () => {
  const since = lastOrder()
  await rack.rack.ask({ act: 'power-off', machine: 'db-1' })
  const clone = rack.clone()
  expect(crowbar('replace', 'db-1', '--mac', '52:54:00:12:db:11', '--site', clone)).toMatchObject({ code: 0 })
  for (const command of ['commit --quiet --all --message Replace', 'push --quiet origin HEAD:main']) execFileSync('git', ['-c', 'user.name=author', '-c', 'user.email=author@example.com', ...command.split(' ')], { cwd: clone })
  await rack.apply()
  await rack.rack.ask({ act: 'replace', machine: 'db-1', mac: '52:54:00:12:db:11' })
  expect((await rack.runEnded()).run?.state).toBe('complete')
  expect(twiceInARow(since)).toEqual([])
  await expectWhole()
})

test('all members were off, one of them has lost its data: nobody founds a second cluster', async () => {
  // The last one goes furthest: orders that it alone has taken must not be lost.
  for (const node of ['db-1', 'db-3', 'db-2']) run(node, 'systemctl', 'stop', 'mariadb')
  run('db-1', 'sh', '-c', 'find /var/lib/mysql -mindepth 1 -delete')
  rack.commit({ 'deployment.yaml': (text) => text.replace('maxConnections: 321', 'maxConnections: 322').replace('batches: [1],', 'batches: [3],') })
  expect((await rack.applyToTheEnd()).state).toBe('failed')
  const { steps } = await rack.status()
  const said = MEMBERS.map((node) => crowbar('logs', `database/database-server@${node}`, '--socket', rack.rack.socket).stdout)
  expect(MEMBERS.map((node) => steps.find(({ id }) => id === `database/database-server@${node}`)?.state)).toEqual(['failed', 'failed', 'failed'])
  expect(said[0]).toContain('the cluster was founded already, and none of its members answers here')
  for (const words of said.slice(1)) expect(words).toContain(`no member of this node's cluster ${cluster} is to be seen`)
  for (const node of MEMBERS) expect(runInside({ node, upper: rack.rack.filesOf(node) }, ['pidof', 'mariadbd']).code).toBe(1)
})

test('the recovery starts the cluster again where its data goes furthest', async () => {
  rack.commit({ 'deployment.yaml': (text) => `${text}---\nkind: deployment\nname: recovery\nroles:\n  database-position: { nodes: ["db-[1-3]"] }\n  database-recovery: { nodes: ["db-[1-3]"] }\n` })
  await rack.client.post('/apply', { ref: null, approve: [], target: ['recovery/*'], dryRun: false })
  expect((await rack.runEnded()).run?.state).toBe('complete')
  const { sent: rest, state } = await rack.applyToTheEnd()
  expect([state, rest.filter((step) => step.includes('/database-server@'))]).toEqual(['complete', MEMBERS.map((node) => `database/database-server@${node}`)])
  expect((await rack.apply()).outcome).toBe('nothing')
  await expectWhole()
  expect(MEMBERS.map((node) => variable(node, 'max_connections'))).toEqual(['322', '322', '322'])
})
