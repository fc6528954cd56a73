import { execFileSync } from 'node:child_process'
import { mkdirSync, rmSync, writeFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import type { LogEvent } from '../../agent/log/event-types.ts'
import type { ApplyAnswer, Status } from '../../schemas/control.ts'
import { readLedger } from '../../schemas/ledger-tree.ts'
import { LEDGER_REF } from '../../schemas/ledger.ts'
import type { Ledger } from '../../schemas/ledger.ts'
import type { Json } from '../../schemas/shape.ts'
import { stepDocument } from '../../schemas/step-values.ts'
import type { Random } from '../agent/engine/random-site.ts'
import { randomOf } from '../agent/engine/random-site.ts'
import type { TestRack } from './held-rack.ts'
import { nodeAgentOf } from './inside-container.ts'
import { edited, mended, nameOf, renamed, ROLES, siteFiles, wholeOf } from './pier-site.ts'
import type { PierSite } from './pier-site.ts'

/** What came of a sequence: everything in `problems` is a promise that was broken. */
export interface SequenceReport {
  readonly site: PierSite
  readonly problems: readonly string[]
  readonly sent: number
  readonly renames: number
  readonly agentKills: number
  readonly nodeKills: number
  readonly cuts: number
  readonly approvals: number
}

interface Scene {
  readonly rack: TestRack
  readonly random: Random
  readonly sums: { agentKills: number; nodeKills: number; cuts: number; approvals: number }
}

const PATIENCE_MS = 180_000

/**
 * Some commits to the site of a rack, and what goes wrong meanwhile: kill -9 of the admin agent and of node agents, power
 * cuts, failures, approvals late or never. Then all is mended and approved, and the nodes are held against the ledger.
 *
 * @param from what the site says now, applied.
 */
export async function runSequence(rack: TestRack, from: PierSite, seed: number): Promise<SequenceReport> {
  const random = randomOf(seed)
  const scene: Scene = { rack, random, sums: { agentKills: 0, nodeKills: 0, cuts: 0, approvals: 0 } }
  // Whoever was left without power when a sequence before broke down.
  for (const node of from.nodes) await rack.rack.ask({ act: 'power-on', machine: node })
  const before = await rack.now()
  // Whether nodes get other names is drawn apart, so that a seed edits what it always did.
  const naming = randomOf(seed + 1_000_000)
  const named = naming(3) > 0 ? renamed(from, naming, seed) : { ...from, moved: {} }
  let site = named
  for (let commits = random(8) === 0 ? 2 : 1; commits > 0; commits--) {
    site = edited(site, random, seed * 10 + commits)
    push(rack, site)
    await disturbed(site, scene)
  }
  if (site.broken.size > 0) {
    site = mended(site)
    push(rack, site)
  }
  const problems = await settled(scene)
  problems.push(...(await compare(rack, site)))
  const events = await rack.eventsAfter(before)
  problems.push(...notRenamed(events, named))
  return { site, problems: [...problems, ...doubled(events)], sent: events.filter(({ type }) => type === 'step.sent').length, renames: Object.keys(named.moved).length, ...scene.sums }
}

/** Applies while things go wrong, for as long as it takes or until nobody is willing to approve. */
async function disturbed(site: PierSite, { rack, random, sums }: Scene): Promise<void> {
  await apply(rack)
  for (let blows = random(3); blows > 0; blows--) {
    await sleep(100 + random(1200))
    const node = site.nodes[random(site.nodes.length)] as string
    const what = random(4)
    if (what < 2) {
      sums.agentKills++
      await rack.rack.ask({ act: 'kill-agent' })
      await rack.rack.ask({ act: 'start-agent' })
    } else if (what === 2) {
      sums.cuts++
      await rack.rack.ask({ act: 'power-off', machine: node })
      await sleep(random(500))
      await rack.rack.ask({ act: 'power-on', machine: node })
    } else if (killNodeAgent(rack, node, [nameOf(site, node), site.moved[node] ?? node])) sums.nodeKills++
  }
  if (random(3) > 0) return
  const { approvals } = await runOver(rack)
  for (const { step } of approvals) {
    if (random(2) === 0) continue
    sums.approvals++
    await rack.client.post('/approve', { steps: [step] })
  }
}

/** Approves all and applies until there is nothing left to do. */
async function settled({ rack, sums }: Scene): Promise<string[]> {
  let last = ''
  for (const deadline = Date.now() + PATIENCE_MS; Date.now() < deadline;) {
    const answer = await apply(rack)
    last = answer.message
    const { run, approvals, rollouts } = await runOver(rack)
    if (answer.outcome === 'nothing') return run?.state === 'running' ? ['the second apply had nothing to do, and a run went on'] : []
    const paused = rollouts.some(({ state }) => state === 'paused')
    if (approvals.length === 0 && !paused) continue
    sums.approvals += approvals.length
    await rack.client.post('/approve', { steps: ['*'] })
    await runOver(rack)
  }
  return [`it does not come to an end: ${last}; ${JSON.stringify((await rack.status()).steps.filter(({ state }) => state !== 'succeeded' && state !== 'unchanged').slice(0, 5))}`]
}

/** The answer of an agent that may be starting. */
async function apply(rack: TestRack): Promise<ApplyAnswer> {
  for (const deadline = Date.now() + PATIENCE_MS; ; await sleep(300)) {
    try {
      const answer = await rack.client.post<ApplyAnswer>('/apply', { ref: null, approve: [] })
      // Steps that ended while it was compiled, again and again.
      if (answer.outcome !== 'refused' || Date.now() > deadline) {
        if (answer.outcome === 'refused') throw new Error(answer.message)
        return answer
      }
    } catch (error) {
      if (Date.now() > deadline) throw error
    }
  }
}

/** Waits until no run goes on. */
async function runOver(rack: TestRack): Promise<Status> {
  for (const deadline = Date.now() + PATIENCE_MS; ; await sleep(150)) {
    const status = await rack.status().catch(() => undefined)
    if (status !== undefined && (status.run === null || status.run.state !== 'running')) return status
    if (Date.now() > deadline) throw new Error(`the run does not end: ${JSON.stringify(status?.steps.filter(({ state }) => state !== 'succeeded').slice(0, 5))}`)
  }
}

function push(rack: TestRack, site: PierSite): void {
  const clone = rack.clone()
  const git = (...args: string[]): string => execFileSync('git', ['-c', 'user.name=author', '-c', 'user.email=author@example.com', ...args], { cwd: clone, encoding: 'utf8', stdio: ['ignore', 'pipe', 'pipe'] })
  writeSite(clone, site)
  git('add', '--all')
  git('commit', '--quiet', '--allow-empty', '--message', 'A change')
  git('push', '--quiet', 'origin', 'HEAD:main')
  rmSync(clone, { recursive: true, force: true })
}

export function writeSite(folder: string, site: PierSite): void {
  for (const [path, text] of Object.entries(siteFiles(site))) {
    mkdirSync(dirname(join(folder, path)), { recursive: true })
    writeFileSync(join(folder, path), text)
  }
}

/** kill -9 of the agent on a node, which its init system starts again. */
function killNodeAgent(rack: TestRack, machine: string, names: readonly string[]): boolean {
  const pid = names.map((node) => nodeAgentOf({ node, upper: rack.rack.filesOf(machine) })).find((one) => one !== undefined)
  if (pid === undefined) return false
  try {
    process.kill(pid, 'SIGKILL')
    return true
  } catch {
    // It has ended meanwhile.
    return false
  }
}

/** What the nodes are, what the ledger says and what the site asks for are one and the same. */
async function compare(rack: TestRack, site: PierSite): Promise<string[]> {
  const { run } = await rack.status()
  const ledger = await publishedLedger(rack, run?.run ?? 0)
  const problems: string[] = []
  const asked = new Set(ROLES.flatMap((role) => Object.keys(site.roles[role]).map((node) => `d/${role}@${nameOf(site, node)}`)))
  for (const node of site.nodes) {
    const name = nameOf(site, node)
    const told = ledger.nodes[name]
    if (!(await isCalled(rack, { node, name }))) problems.push(`${node} is to be called ${name}, and says ${rack.read(node, 'etc/hostname')?.trim() ?? 'nothing'}`)
    for (const what of ['doubled', 'removed-twice']) for (const line of lines(rack, node, what)) problems.push(`${node} ${what}: ${line}`)
    for (const id of Object.keys(told?.attempted ?? {})) if (asked.has(id)) problems.push(`${id} counts as unfinished`)
    for (const role of ROLES) {
      const id = `d/${role}@${name}`
      // Begun, never whole, and not asked for any more: the changes say that nobody knows how to undo it.
      if (!asked.has(id) && Object.hasOwn(told?.attempted ?? {}, id)) continue
      const is = rack.read(node, `var/lib/pier/${role}`)?.trim()
      const should = wholeOf(site, role, node)
      if (is !== should) problems.push(`${id} is ${is ?? 'not there'}, and should be ${should ?? 'not there'}`)
      const entry = told?.steps[id]
      const version = entry === undefined ? undefined : (stepDocument(entry.step, ledger.values)?.[role] as { readonly version: Json } | undefined)?.version
      if (version !== site.roles[role][node]) problems.push(`${id} is at version ${JSON.stringify(version)} in the ledger, and at ${site.roles[role][node]} in the site`)
    }
  }
  return problems
}

/** Whether a node takes on its name: it is told when it is connected. */
async function isCalled(rack: TestRack, { node, name }: { readonly node: string; readonly name: string }): Promise<boolean> {
  for (const deadline = Date.now() + 60_000; Date.now() < deadline; await sleep(300)) if (rack.read(node, 'etc/hostname')?.trim() === name) return true
  return false
}

function lines(rack: TestRack, node: string, file: string): string[] {
  return (rack.read(node, `var/lib/pier/${file}`) ?? '').split('\n').filter((line) => line !== '')
}

/** The ledger as anybody sees it who may fetch from the repository, once it has the end of the run. */
async function publishedLedger(rack: TestRack, run: number): Promise<Ledger> {
  for (const deadline = Date.now() + 30_000; ; await sleep(300)) {
    const git = (input: string, ...args: string[]): Buffer => execFileSync('git', ['--git-dir', rack.rack.repository, ...args], { input, maxBuffer: 256 * 1024 * 1024 })
    const paths = git('', 'ls-tree', '-r', '--name-only', LEDGER_REF).toString().split('\n').filter((path) => path.endsWith('.json'))
    const output = git(paths.map((path) => `${LEDGER_REF}:${path}\n`).join(''), 'cat-file', '--batch')
    const files = new Map<string, string>()
    let at = 0
    for (const path of paths) {
      const end = output.indexOf(10, at)
      const bytes = Number(output.subarray(at, end).toString().split(' ')[2])
      files.set(path, output.subarray(end + 1, end + 1 + bytes).toString())
      at = end + 1 + bytes + 1
    }
    const read = readLedger(files)
    if (!read.ok) throw new Error(`the published ledger cannot be read: ${JSON.stringify(read.problems)}`)
    if ((read.ledger.run?.run === run && read.ledger.run.state !== 'running') || Date.now() > deadline) return read.ledger
  }
}

/** Each node that was given another name got it, and all at once. */
function notRenamed(events: readonly LogEvent[], { names, moved }: PierSite): string[] {
  const did = events.flatMap((event) => (event.type === 'node.renamed' ? [event.data.nodes.map(({ from, to }) => `${from} ${to}`).toSorted().join(', ')] : []))
  const should = Object.entries(moved).map(([node, from]) => `${from} ${names[node] ?? node}`).toSorted().join(', ')
  return did.join('; ') === should ? [] : [`renamed should be ${should}, and was ${did.join('; ')}`]
}

/** No attempt is sent under two numbers of one kind, and none is sent again once it has ended well. */
function doubled(events: readonly LogEvent[]): string[] {
  const problems: string[] = []
  const sent = new Set<string>()
  for (const { type, data } of events) {
    if (type !== 'step.sent') continue
    if (sent.has(data.attempt)) problems.push(`${data.attempt} was sent twice`)
    sent.add(data.attempt)
  }
  return problems
}
