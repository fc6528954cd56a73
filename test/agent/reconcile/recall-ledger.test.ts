import { execFileSync } from 'node:child_process'
import { mkdtempSync, renameSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, expect, test } from 'vitest'
import type { Ledger } from '../../../schemas/ledger.ts'
import { LEDGER_REF } from '../../../schemas/ledger.ts'
import { readLedger } from '../../../schemas/ledger-tree.ts'
import { openDocuments } from '../../../agent/log/documents.ts'
import type { NewEvent } from '../../../agent/log/event-types.ts'
import { openSqliteStore } from '../../../agent/log/sqlite-store.ts'
import { refuseBehind } from '../../../agent/reconcile/compare-ledger.ts'
import { ledgerFiles } from '../../../agent/reconcile/ledger-branch.ts'
import { behindEvents, recallLedger } from '../../../agent/reconcile/recall-ledger.ts'
import { openSite } from '../../../agent/site/repository.ts'
import type { SiteRepository } from '../../../agent/site/repository.ts'
import { openStore } from '../../../agent/stage/store.ts'
import { openState } from '../../../agent/state/open-state.ts'

const signal = AbortSignal.timeout(60_000)
const STARTED: NewEvent = { type: 'agent.started', data: { version: '1', node: 'adm' } }
let folder = ''
let bare = ''

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'crowbar-recall-'))
  bare = join(folder, 'site.git')
  const work = join(folder, 'work')
  git(folder, 'init', '--quiet', '--bare', '--initial-branch=main', bare)
  git(folder, 'clone', '--quiet', bare, work)
  writeFileSync(join(work, 'site.yaml'), 'kind: site\n')
  git(work, 'add', '--all')
  git(work, '-c', 'user.name=p', '-c', 'user.email=p@example.com', 'commit', '--quiet', '--message', 'first')
  git(work, 'push', '--quiet', 'origin', 'HEAD:main')
})
afterEach(() => rmSync(folder, { recursive: true, force: true }))

/** One life of an agent on a data folder: what it recalls, writes and publishes. */
async function life(data: string, work: (agent: Awaited<ReturnType<typeof open>>) => Promise<void>): Promise<void> {
  const agent = await open(data)
  await work(agent)
  await agent.ledger[Symbol.asyncDispose]()
  await agent.store[Symbol.asyncDispose]()
}

async function open(data: string, onUnreachable: (error: unknown) => void = () => undefined) {
  const store = await openSqliteStore(data, { now: () => 1_800_000_000_000, random: (bytes) => new Uint8Array(bytes).fill(7) })
  const objects = await openStore(join(data, 'objects'))
  const site: SiteRepository = await openSite({ repository: bare, branch: 'main', folder: join(data, 'clone'), now: () => 1_800_000_000_000, signal })
  const recalled = await recallLedger({ store, documents: openDocuments(store), site, objects, everyMs: 20, onUnreachable, signal })
  await store.append([STARTED], { epoch: recalled.epoch })
  const run = (n: number): Promise<number> => store.append([{ type: 'run.started', data: { run: n, commit: 'c', planId: 'p', plan: 'p', changesId: 'x', changes: 'x', only: null, rollouts: [], steps: 1, reason: 'r' } }], { epoch: recalled.epoch })
  const publish = async (): Promise<string> => {
    await recalled.ledger.upToDate()
    return (await site.publishLedger(await ledgerFiles(recalled.ledger.current, objects), 'test', signal)).outcome.kind
  }
  return { ...recalled, store, site, run, publish }
}

function published(): Ledger {
  const paths = git(bare, 'ls-tree', '-r', '--name-only', LEDGER_REF).trim().split('\n')
  const read = readLedger(new Map(paths.map((path) => [path, git(bare, 'show', `${LEDGER_REF}:${path}`)])))
  if (!read.ok) throw new Error(JSON.stringify(read.problems))
  return read.ledger
}

test('an agent whose data folder is an old copy starts frozen from the published ledger, and does not overwrite it', async () => {
  const data = join(folder, 'a')
  await life(data, async (agent) => {
    await agent.run(1)
    await agent.store.append([{ type: 'approval.given', data: { node: 'n1', approval: { step: 'install@n1', once: 'k', machine: 'm1', disks: [] }, by: 'root' } }], { epoch: agent.epoch })
    expect(await agent.publish()).toBe('pushed')
  })
  execFileSync('cp', ['-a', data, join(folder, 'backup')])
  await life(data, async (agent) => {
    expect(agent.behind).toBeNull()
    await agent.run(2)
    expect(await agent.publish()).toBe('pushed')
  })
  await life(join(folder, 'backup'), async (agent) => {
    expect(agent.behind).toMatch(/run 2 of .* this agent's log at run 1 of/)
    expect(agent.ledger.current.run).toMatchObject({ run: 2 })
    expect(agent.epoch).toBeGreaterThan(2)
    const state = await openState(agent.store)
    const events = behindEvents(state.current, agent.behind ?? '')
    expect(events.map(({ type }) => type)).toEqual(['freeze.on', 'approval.voided', 'run.cancelled'])
    await agent.store.append(events, { epoch: agent.epoch })
    expect(state.current).toMatchObject({ frozen: { by: 'the agent' }, run: { run: 1, cancelled: 'the agent' } })
    expect(state.current.approvals.size).toBe(0)
    await state[Symbol.asyncDispose]()
    expect(await agent.publish()).toBe('pushed')
    expect(published().run).toMatchObject({ run: 2, epoch: agent.epoch })
  })
  // From here on the copy is the agent; the folder that it was copied from is behind.
  await life(join(folder, 'backup'), async ({ behind }) => expect(behind).toBeNull())
  await life(data, async ({ behind }) => expect(behind).not.toBeNull())
})

test('an agent with another data folder takes over the published ledger under a higher epoch; the first one stops', async () => {
  const first = await open(join(folder, 'a'))
  await first.run(1)
  expect(await first.publish()).toBe('pushed')
  await life(join(folder, 'b'), async (second) => {
    expect(second).toMatchObject({ behind: null })
    expect(second.ledger.current.run).toMatchObject({ run: 1 })
    expect(second.epoch).toBeGreaterThan(first.epoch)
    expect(await second.publish()).toBe('pushed')
  })
  await first.run(2)
  expect(await first.publish()).toBe('rejected')
  await first.site.fetch(signal)
  await expect(refuseBehind(first.site, first.ledger.current.run, signal)).rejects.toMatchObject({ code: 'LEDGER_BEHIND' })
  await first.ledger[Symbol.asyncDispose]()
  await first.store[Symbol.asyncDispose]()
  await life(join(folder, 'b'), async ({ behind }) => expect(behind).toBeNull())
})

test('an agent with an empty log waits for the site repository instead of taking the cluster for a new one', async () => {
  await life(join(folder, 'a'), async (agent) => {
    await agent.run(1)
    await agent.publish()
  })
  renameSync(bare, `${bare}.away`)
  let tries = 0
  const agent = await open(join(folder, 'b'), () => {
    if (++tries === 2) renameSync(`${bare}.away`, bare)
  })
  expect(tries).toBe(2)
  expect(agent.ledger.current.run).toMatchObject({ run: 1 })
  await agent.ledger[Symbol.asyncDispose]()
  await agent.store[Symbol.asyncDispose]()
})

test('an agent that was killed before its first snapshot does not fold its own log onto what it published', async () => {
  const data = join(folder, 'a')
  const agent = await open(data)
  await agent.run(1)
  await agent.publish()
  const before = JSON.stringify(agent.ledger.current)
  // Nothing is disposed of: a killed process writes no snapshot.
  await life(data, async (again) => {
    expect(again.behind).toBeNull()
    expect(again.ledger.current.run).toMatchObject({ run: 1 })
    expect(JSON.stringify({ ...again.ledger.current, run: null })).toBe(JSON.stringify({ ...(JSON.parse(before) as Ledger), run: null }))
  })
})

function git(cwd: string, ...args: string[]): string {
  return execFileSync('git', args, { cwd, encoding: 'utf8', stdio: ['ignore', 'pipe', 'ignore'] })
}
