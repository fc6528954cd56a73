import { execFileSync, spawn } from 'node:child_process'
import type { ChildProcess } from 'node:child_process'
import { existsSync, mkdtempSync, readFileSync, readdirSync, readlinkSync, rmSync } from 'node:fs'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { fileURLToPath } from 'node:url'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { removeLeftovers } from '../../agent/rack/leftovers.ts'
import { needDebianPackages } from './debian-packages.ts'

const ROOT = fileURLToPath(new URL('../../', import.meta.url))
let folder = ''

beforeEach(async () => {
  await needDebianPackages(['systemd-container', 'git', 'iproute2'])
  // Not /tmp itself, which may be memory; and no other rehearsal's working folder beside ours.
  folder = mkdtempSync(join('/var/tmp', 'crowbar-interrupted-'))
})
afterEach(() => {
  rmSync(folder, { recursive: true, force: true })
})

interface Started {
  readonly child: ChildProcess
  readonly exited: Promise<number | string>
  /** All that it has started, at any depth, by number. */
  readonly family: readonly number[]
  /** Namespaces of all of those that are not our own. */
  readonly namespaces: ReadonlySet<string>
  readonly stderr: () => string
}

/** Starts a rehearsal and waits until containers run a role. */
async function startRehearsal(): Promise<Started> {
  const child = spawn(join(ROOT, 'bin/crowbar'), ['rehearse', '--nodes', 'container', '--out', join(folder, 'out'), join(ROOT, 'site-examples/joined')], {
    stdio: ['ignore', 'ignore', 'pipe'], env: { ...process.env, TMPDIR: folder },
  })
  let stderr = ''
  child.stderr?.on('data', (chunk: Buffer) => (stderr += chunk.toString()))
  const exited = new Promise<number | string>(resolve => child.once('exit', (code, signal) => resolve(code ?? signal ?? '')))
  try {
    for (const deadline = Date.now() + 300_000; !stderr.includes('relay/member@alpha started'); await sleep(50)) {
      if (Date.now() > deadline || child.exitCode !== null) throw new Error(`no role was started: ${stderr}`)
    }
    const family = descendants(child.pid ?? 0)
    expect(family.length).toBeGreaterThan(20)
    return { child, exited, family, namespaces: new Set(family.flatMap(namespacesOf).filter(one => !OWN.has(one))), stderr: () => stderr }
  } catch (error) {
    child.kill('SIGKILL')
    throw error
  }
}

const KINDS = ['net', 'mnt', 'pid', 'uts', 'ipc', 'cgroup'] as const
const OWN: ReadonlySet<string> = new Set(namespacesOf(process.pid))

function namespacesOf(pid: number): string[] {
  return KINDS.flatMap(kind => {
    try {
      return [readlinkSync(`/proc/${pid}/ns/${kind}`)]
    } catch {
      return []
    }
  })
}

function pids(): number[] {
  return readdirSync('/proc').filter(name => /^[0-9]+$/.test(name)).map(Number)
}

function descendants(root: number): number[] {
  const parents = new Map(pids().flatMap(pid => {
    try {
      const stat = readFileSync(`/proc/${pid}/stat`, 'latin1')
      return [[pid, Number(stat.slice(stat.lastIndexOf(')') + 2).split(' ')[1])] as const]
    } catch {
      return []
    }
  }))
  const found = [root]
  for (const one of found) found.push(...[...parents].filter(([, parent]) => parent === one).map(([pid]) => pid))
  return found
}

/** Waits until nothing is left; says what is when it takes too long. */
async function expectNothingLeft({ family, namespaces }: Started): Promise<void> {
  const look = (): Record<string, unknown> => ({
    processes: family.filter(pid => existsSync(`/proc/${pid}`)),
    namespaces: pids().flatMap(namespacesOf).filter(one => namespaces.has(one)),
    mounts: readFileSync('/proc/self/mountinfo', 'utf8').split('\n').filter(line => line.includes(folder)),
    bridges: execFileSync('ip', ['-o', 'link'], { encoding: 'utf8' }).split('\n').filter(line => /rack0|c[0-9]p[0-9]/.test(line)),
    loops: execFileSync('losetup', ['-a'], { encoding: 'utf8' }).split('\n').filter(line => line.includes(folder)),
  })
  const nothing = { processes: [], namespaces: [], mounts: [], bridges: [], loops: [] }
  for (const deadline = Date.now() + 30_000; Date.now() < deadline && JSON.stringify(look()) !== JSON.stringify(nothing);) await sleep(200)
  expect(look()).toEqual(nothing)
}

const workingFolders = (): string[] => readdirSync(folder).filter(name => name.startsWith('crowbar-rack-'))
const controlGroups = (pid: number | undefined): string[] =>
  execFileSync('find', ['/sys/fs/cgroup', '-type', 'd', '-name', `crowbar-rack-${pid}-*`], { encoding: 'utf8' }).split('\n').filter(line => line !== '')

test('Ctrl-C ends a rehearsal and leaves nothing of it but what it has written', async () => {
  const started = await startRehearsal()
  expect(workingFolders()).toHaveLength(1)
  started.child.kill('SIGINT')
  expect(await started.exited).toBe(1)
  expect(started.stderr()).toContain('interrupted')
  await expectNothingLeft(started)
  expect([workingFolders(), controlGroups(started.child.pid)]).toEqual([[], []])
  expect(existsSync(join(folder, 'out/events.jsonl'))).toBe(true)
})

test('the kernel takes a rack down whose rehearsal is killed, and the next one sweeps up the files', async () => {
  const started = await startRehearsal()
  started.child.kill('SIGKILL')
  expect(await started.exited).toBe('SIGKILL')
  await expectNothingLeft(started)
  expect(workingFolders()).toHaveLength(1)
  await removeLeftovers(folder)
  expect([workingFolders(), controlGroups(started.child.pid)]).toEqual([[], []])
})
