import { execFileSync, spawnSync } from 'node:child_process'
import { lstatSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join, resolve } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { fileURLToPath } from 'node:url'
import { controlClient } from '../../agent/control/control-client.ts'
import type { ControlClient } from '../../agent/control/control-client.ts'
import type { LogEvent } from '../../agent/log/event-types.ts'
import type { RehearsalReport } from '../../agent/rack/rack-order.ts'
import { rehearse } from '../../agent/rack/rehearse.ts'
import type { HeldRack } from '../../agent/rack/run-enclosed.ts'
import type { ApplyAnswer, Status } from '../../schemas/control.ts'

const ROOT = fileURLToPath(new URL('../../', import.meta.url))

/** A rack on which a site was applied, and which goes on as long as a test wants it. */
export interface TestRack extends AsyncDisposable {
  readonly rack: HeldRack
  /** Where the rehearsal leaves what it keeps: consoles, log, report. */
  readonly out: string
  readonly client: ControlClient
  /** Of the first run. */
  readonly report: RehearsalReport
  /** A file of a node's own, as text; undefined when the node does not have it. */
  read(node: string, path: string): string | undefined
  /** Runs a program on a container node, in its own namespaces, as root. @throws when it fails, with what it wrote. */
  run(node: string, argv: readonly [string, ...string[]]): string
  /** Where the files of a container node are while it runs. */
  rootOf(node: string): string
  /** Commits and pushes changed files, as an author does. @returns the commit. */
  commit(edits: Readonly<Record<string, (text: string) => string>>): string
  /** A fresh clone of the followed repository, at the head of its branch; with `bare` and the ledger's ref. */
  clone(options?: { readonly bare: boolean }): string
  status(): Promise<Status>
  apply(): Promise<ApplyAnswer>
  /** Applies, waits until the run has ended, and gives its end and the steps that were sent meanwhile, sorted. */
  applyToTheEnd(): Promise<{ readonly state: string; readonly sent: readonly string[] }>
  runEnded(): Promise<Status>
  /** Number of the last event. */
  now(): Promise<number>
  eventsAfter(seq: number): Promise<LogEvent[]>
  /** Waits for an event after `seq`. */
  event(seq: number, test: (event: LogEvent) => boolean): Promise<LogEvent>
}

/** The first process of a container: the child of the systemd-nspawn that has this root. */
function initOf(root: string): string {
  for (const pid of readdirSync('/proc').filter(name => /^[0-9]+$/.test(name))) {
    const argv = readOr(`/proc/${pid}/cmdline`).split('\0')
    if (!argv[0]?.endsWith('systemd-nspawn') || argv[argv.indexOf('--directory') + 1] !== root) continue
    const [child] = readOr(`/proc/${pid}/task/${pid}/children`).split(' ').filter(one => one !== '')
    if (child !== undefined) return child
  }
  throw new Error(`no container has the root ${root}`)
}

function readOr(file: string): string {
  try {
    return readFileSync(file, 'utf8')
  } catch {
    return ''
  }
}

/** Runs `bin/crowbar`. */
export function crowbar(...args: string[]): { readonly code: number | null; readonly stdout: string; readonly stderr: string } {
  const { status, stdout, stderr } = spawnSync(join(ROOT, 'bin/crowbar'), args, { encoding: 'utf8', maxBuffer: 64 * 1024 * 1024 })
  return { code: status, stdout, stderr }
}

/**
 * Builds the rack and applies the site; settles when the first run is over, or waits for an approval.
 *
 * @param site a folder; relative to the project.
 */
export async function openHeldRack(site: string, { nodes = 'container', identity = null }: { readonly nodes?: 'qemu' | 'container'; readonly identity?: string | null } = {}): Promise<TestRack> {
  const folder = mkdtempSync(join(tmpdir(), 'crowbar-held-'))
  const out = join(folder, 'out')
  const stop = new AbortController()
  const release = Promise.withResolvers<void>()
  const held = Promise.withResolvers<HeldRack>()
  const said: string[] = []
  const ended = rehearse({
    site: resolve(ROOT, site), nodes, identity, out, store: null, disturbances: [], deadlineMs: nodes === 'qemu' ? 840_000 : 600_000, signal: stop.signal,
    onProgress: message => said.push(message),
    onHeld: rack => {
      held.resolve(rack)
      return release.promise
    },
  })
  ended.then(outcome => held.reject(new Error(`the rack did not hold: ${JSON.stringify(outcome)}`)), held.reject)
  const dispose = async (): Promise<void> => {
    release.resolve()
    await ended.catch(() => undefined)
    rmSync(folder, { recursive: true, force: true })
  }
  try {
    return { ...around(await held.promise, { folder, out }), [Symbol.asyncDispose]: dispose }
  } catch (error) {
    stop.abort()
    await dispose()
    throw new Error(`the rack was not built after: ${said.join('; ')}`, { cause: error })
  }
}

function around(rack: HeldRack, { folder, out }: { readonly folder: string; readonly out: string }): Omit<TestRack, typeof Symbol.asyncDispose> {
  const client = controlClient(rack.socket)
  const git = (cwd: string, ...args: string[]): string => execFileSync('git', ['-c', 'user.name=author', '-c', 'user.email=author@example.com', ...args], { cwd, encoding: 'utf8', stdio: ['ignore', 'pipe', 'pipe'] }).trim()
  const status = (): Promise<Status> => client.get<Status>('/status')
  const now = async (): Promise<number> => (await client.get<{ seq: number }>('/sequence')).seq
  const apply = (): Promise<ApplyAnswer> => client.post<ApplyAnswer>('/apply', { ref: null, approve: [], dryRun: false })
  const eventsAfter = async (seq: number): Promise<LogEvent[]> => {
    const events: LogEvent[] = []
    for await (const event of client.lines<LogEvent>(`/events?after=${seq}`, AbortSignal.timeout(30_000))) events.push(event)
    return events
  }
  const runEnded = async (): Promise<Status> => {
    for (const deadline = Date.now() + 600_000; ;) {
      const seen = await status().catch(() => undefined)
      if (seen?.run !== null && seen?.run.state !== undefined && seen.run.state !== 'running') return seen
      if (Date.now() > deadline) throw new Error(`the run did not end: ${JSON.stringify(seen?.steps)}`)
      await sleep(200)
    }
  }
  return {
    rack, out, client, status, now, apply, eventsAfter, runEnded,
    report: JSON.parse(readFileSync(join(out, 'report.json'), 'utf8')) as RehearsalReport,
    read(node, path) {
      const file = join(rack.filesOf(node), path)
      const found = lstatSync(file, { throwIfNoEntry: false })
      // A file of the base that the node removed is a character device here.
      return found?.isFile() === true ? readFileSync(file, 'utf8') : undefined
    },
    clone({ bare } = { bare: false }) {
      const target = mkdtempSync(join(folder, 'clone-'))
      git(folder, 'clone', '--quiet', ...(bare ? ['--bare'] : []), rack.repository, target)
      git(target, 'fetch', '--quiet', 'origin', '+refs/crowbar/*:refs/crowbar/*')
      return target
    },
    rootOf: node => `/proc/${initOf(join(dirname(rack.filesOf(node)), 'root'))}/root`,
    run(node, [program, ...argv]) {
      const init = initOf(join(dirname(rack.filesOf(node)), 'root'))
      const { status: code, stdout, stderr } = spawnSync('nsenter', ['--target', init, '--all', '--root', '--wd', 'env', '-i', 'PATH=/usr/sbin:/usr/bin:/sbin:/bin', 'LC_ALL=C.UTF-8', 'HOME=/root', program, ...argv], { encoding: 'utf8', maxBuffer: 64 * 1024 * 1024 })
      if (code !== 0) throw new Error(`${program} on ${node} ended with ${String(code)}: ${stdout}${stderr}`)
      return stdout
    },
    commit(edits) {
      const clone = this.clone()
      for (const [path, edit] of Object.entries(edits)) {
        const before = readFileSync(join(clone, path), 'utf8')
        const after = edit(before)
        if (after === before) throw new Error(`the edit changes nothing in ${path}`)
        writeFileSync(join(clone, path), after)
      }
      git(clone, 'commit', '--quiet', '--all', '--message', 'A change')
      git(clone, 'push', '--quiet', 'origin', 'HEAD:main')
      return git(clone, 'rev-parse', 'HEAD')
    },
    async applyToTheEnd() {
      const before = await now()
      const answer = await apply()
      if (answer.outcome === 'refused') throw new Error(answer.message)
      const { run } = await runEnded()
      const events = await eventsAfter(before)
      return { state: run?.state ?? 'none', sent: events.flatMap(event => (event.type === 'step.sent' ? [event.data.step] : [])).toSorted() }
    },
    async event(seq, test) {
      for (const deadline = Date.now() + 300_000; Date.now() < deadline; await sleep(100)) {
        const found = (await eventsAfter(seq)).find(event => test(event))
        if (found !== undefined) return found
      }
      throw new Error('the event did not come')
    },
  }
}
