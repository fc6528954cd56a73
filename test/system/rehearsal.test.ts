import { execFileSync, spawn } from 'node:child_process'
import { appendFileSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { afterAll, beforeAll, expect, onTestFailed, test } from 'vitest'
import type { LogEvent } from '../../agent/log/event-types.ts'
import type { RehearsalReport } from '../../agent/rack/rack-order.ts'
import { crowbar } from './held-rack.ts'

/** The one run of real firmware: two virtual machines, and everything goes wrong that may. */
const DISTURBANCES = [
  'kill-agent@install@web+10s',
  'power-cut:m2@install@client+15s',
  'power-cut:m1@hello/hello-server@web+4s',
  'kill-agent@hello/hello-client@client+1s',
]
const ROOT = fileURLToPath(new URL('../../', import.meta.url))

let folder = ''
let out = ''
let code: number | null = null
let said = ''
let keep = false
let report: RehearsalReport
let events: readonly LogEvent[] = []

beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), 'crowbar-rehearsal-'))
  out = join(folder, 'out')
  code = await new Promise((resolve, reject) => {
    const child = spawn(join(ROOT, 'bin/crowbar'), ['rehearse', join(ROOT, 'site-examples/first-light'), '--out', out, '--keep-going', '20', ...DISTURBANCES.flatMap(one => ['--disturb', one])], { stdio: ['ignore', 'pipe', 'pipe'] })
    child.stdout.on('data', (chunk: Buffer) => (said += chunk.toString()))
    child.stderr.on('data', (chunk: Buffer) => appendFileSync(join(folder, 'progress.log'), chunk))
    child.once('error', reject)
    child.once('exit', resolve)
  })
  keep = code !== 0
  if (keep) console.error(`the rehearsal failed; consoles and logs are kept in ${folder}\n${said}\n${readFileSync(join(folder, 'progress.log'), 'utf8').slice(-6000)}`)
  report = JSON.parse(readFileSync(join(out, 'report.json'), 'utf8')) as RehearsalReport
  events = readFileSync(join(out, 'events.jsonl'), 'utf8').trim().split('\n').map(line => JSON.parse(line) as LogEvent)
}, 25 * 60_000)
afterAll(() => {
  if (!keep) rmSync(folder, { recursive: true, force: true })
})
const keepWhenItFails = (): void => onTestFailed(() => {
  keep = true
})

test('every step succeeds, whatever went wrong meanwhile', () => {
  keepWhenItFails()
  expect(report.problems).toEqual([])
  expect([code, report.outcome]).toEqual([0, 'complete'])
  // What is in the store already is not staged again.
  expect(report.steps.filter(({ id, state }) => state !== 'succeeded' && !(id.startsWith('stage/') && state === 'unchanged'))).toEqual([])
  expect(report.disturbances.map(({ text, during }) => [text, during])).toEqual(DISTURBANCES.map(text => [text, 'running']))
  expect(said).toContain('complete in')
})

test('the client reaches the service with the token that the server made, which is in no event', () => {
  keepWhenItFails()
  expect(report.reported['hello/hello-check@client']).toEqual({ seen: 'Hello from first-light' })
  const made = events.find(event => event.type === 'step.succeeded' && event.data.step === 'hello/hello-server@web')
  expect(made?.type === 'step.succeeded' && [Object.keys(made.data.provides), Object.keys(made.data.sealed)]).toEqual([[], ['token']])
})

test('the disk that nobody declared is byte for byte as it was', () => {
  keepWhenItFails()
  expect(report.canaries).toEqual([{ machine: 'm2', serial: 'FL-DATA-1', unchanged: true }])
})

test('a killed agent sends no install twice, and a machine that lost power goes on without asking', () => {
  keepWhenItFails()
  const attempts = (step: string): number => report.steps.find(one => one.id === step)?.attempts ?? 0
  expect(attempts('install@web')).toBe(1)
  expect(attempts('install@client')).toBeGreaterThan(1)
  expect(attempts('hello/hello-server@web')).toBeGreaterThan(1)
  expect(attempts('hello/hello-client@client')).toBe(1)
  expect(events.filter(event => event.type === 'approval.given' || (event.type === 'step.waiting' && event.data.on === 'person'))).toEqual([])
  expect(events.filter(event => event.type === 'agent.started')).toHaveLength(3)
})

test('a second apply does nothing', () => {
  keepWhenItFails()
  expect(report.secondApply).toMatch(/^nothing to do/)
})

test('one machine boots by BIOS, the other by UEFI, both from the network and then from their disk', () => {
  keepWhenItFails()
  const firmware = new Map(events.flatMap(event => (event.type === 'machine.seen' ? [[event.data.macs[0], event.data.firmware] as const] : [])))
  expect([firmware.get('52:54:00:12:4d:01'), firmware.get('52:54:00:12:4d:02')]).toEqual(['bios', 'uefi'])
  const consoles = ['m1', 'm2'].map(name => readFileSync(join(out, `${name}.console.log`), 'latin1'))
  expect(consoles.map(printed => printed.includes('BdsDxe'))).toEqual([false, true])
  for (const printed of consoles) {
    // One kernel command line came from the network, the other one from the disk.
    expect(printed).toContain('crowbar.url=')
    expect(printed).toContain('GRUB')
    expect(printed).toMatch(/Command line: .*root=UUID=/)
  }
})

test('diff says WIPE, and which disk by serial, when a node moves to another system', () => {
  keepWhenItFails()
  const clone = join(folder, 'clone')
  const git = (...args: string[]): string => execFileSync('git', args, { cwd: clone, encoding: 'utf8', stdio: ['ignore', 'pipe', 'pipe'] })
  execFileSync('git', ['clone', '--quiet', join(out, 'site.git'), clone])
  git('fetch', '--quiet', 'origin', '+refs/crowbar/*:refs/crowbar/*')
  expect(crowbar('diff', '--site', clone).code).toBe(0)
  const file = git('grep', '-l', 'name: web').trim()
  const text = readFileSync(join(clone, file), 'utf8')
  const moved = text.replace(/(name: web\n(?:.*\n)*?os: )debian-12/, '$1debian-11')
  expect(moved).not.toBe(text)
  writeFileSync(join(clone, file), moved)
  const { code: exit, stdout } = crowbar('diff', '--site', clone)
  expect(exit).toBe(2)
  expect(stdout).toContain('WIPE')
  expect(stdout).toContain('FL-WEB-1')
  expect(stdout).not.toContain('FL-CLIENT-1')
  expect(stdout).not.toContain('FL-DATA-1')
})
