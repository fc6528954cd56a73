import { basename, join, relative, resolve } from 'node:path'
import { parseDisturbance } from '../rack/disturbance.ts'
import { RackError } from '../rack/rack-error.ts'
import type { RehearsalReport } from '../rack/rack-order.ts'
import { rehearse } from '../rack/rehearse.ts'
import type { HeldRack } from '../rack/run-enclosed.ts'
import { liveLine } from './live.ts'
import { table } from './table.ts'

export interface RehearseOptions {
  readonly nodes: string
  readonly out?: string
  readonly keepGoing: string
  readonly disturb?: readonly string[]
  readonly hold?: boolean
  readonly identity?: string
  readonly store?: string
  readonly offline?: boolean
}

const MISUSED = 64

/** `crowbar rehearse`. @returns 0 when every step succeeded and every canary is unchanged, else 1; 64 for wrong usage. */
export async function rehearseCommand(site: string, options: RehearseOptions): Promise<number> {
  const { nodes } = options
  if (nodes !== 'qemu' && nodes !== 'container') return misused(`--nodes is qemu or container, not ${nodes}`)
  const minutes = Number(options.keepGoing)
  if (!(minutes > 0)) return misused(`--keep-going is a number of minutes, not ${options.keepGoing}`)
  const stop = new AbortController()
  const interrupt = (): void => stop.abort(new RackError('RACK_MACHINE_DIED', 'interrupted; nothing of the rack is left'))
  const out = resolve(options.out ?? join('rehearsals', `${basename(resolve(site))}-${new Date().toISOString().slice(0, 19).replaceAll(/[-:]/g, '')}`))
  const started = performance.now()
  const live = liveLine()
  const signals = ['SIGINT', 'SIGTERM', 'SIGHUP'] as const
  for (const name of signals) process.on(name, interrupt)
  try {
    const outcome = await rehearse({
      site, nodes, out, store: options.store === undefined ? null : resolve(options.store), offline: options.offline === true, identity: options.identity ?? null, deadlineMs: minutes * 60_000, signal: stop.signal,
      disturbances: (options.disturb ?? []).map(text => parseDisturbance(text)),
      onProgress: message => live.say(`${clock(performance.now() - started)} ${message}`),
      ...(options.hold === true ? { onHeld: (rack: HeldRack) => hold(rack, { signals, interrupt }) } : {}),
    })
    live.clear()
    if (outcome.kind === 'refused') {
      for (const one of outcome.diagnostics) process.stderr.write(`${one.range === undefined ? '' : `${one.range.path}:${one.range.start.line}:${one.range.start.column}: `}${one.severity}[${one.code}]: ${one.summary}\n`)
      return 1
    }
    process.stdout.write(printReport(outcome.report, { seconds: Math.round((performance.now() - started) / 1000), out }))
    return succeeded(outcome.report) ? 0 : 1
  } catch (error) {
    live.clear()
    if (error instanceof RackError && error.code === 'RACK_BAD_DISTURBANCE') return misused(error.message)
    if (!(error instanceof RackError) && (error as { code?: unknown }).code === undefined) throw error
    process.stderr.write(`crowbar: ${(error as Error).message}\n`)
    return 1
  } finally {
    for (const name of signals) process.off(name, interrupt)
  }
}

/** Leaves the rack up until somebody interrupts; that ends it in order. */
async function hold({ socket, repository }: HeldRack, { signals, interrupt }: { readonly signals: readonly NodeJS.Signals[]; readonly interrupt: () => void }): Promise<void> {
  process.stderr.write(`\nThe rack stays up; Ctrl-C ends it. See where it stands:\n  crowbar status --socket ${socket}\nApprove what waits with "crowbar approve"; or push a commit to ${repository}, then:\n  crowbar apply --socket ${socket}\n`)
  for (const name of signals) process.off(name, interrupt)
  await new Promise<void>(settle => {
    for (const name of signals) process.once(name, () => settle())
  })
}

function misused(message: string): number {
  process.stderr.write(`crowbar: ${message}\n`)
  return MISUSED
}

function succeeded(report: RehearsalReport): boolean {
  return report.outcome === 'complete' && report.canaries.every(canary => canary.unchanged) && report.problems.length === 0
}

/** The end of a rehearsal: what each step did and took, what was seen, and where everything is. */
export function printReport(report: RehearsalReport, options: { readonly seconds: number; readonly out: string }): string {
  const repeated = report.steps.some(step => step.attempts > 1)
  const out = relative('', options.out).startsWith('..') ? options.out : relative('', options.out)
  const lines = [
    '',
    ...table(['node', 'os', 'address', 'machine'], report.nodes.map(node => [node.name, node.os ?? '-', node.address ?? '-', node.machine ?? 'none'])),
    '',
    ...table(['step', 'state', 'seconds', ...(repeated ? ['attempts'] : [])], report.steps.map(step => [step.id, step.state, step.seconds === null ? '-' : String(step.seconds), ...(repeated ? [step.attempts === 0 ? '-' : String(step.attempts)] : [])])),
    '',
  ]
  for (const step of report.steps) {
    if (step.reason !== null) lines.push(`${step.id} ${step.state}: ${step.reason}`)
    lines.push(...step.lastWords.map(line => `    ${line}`))
  }
  for (const [step, provides] of Object.entries(report.reported)) lines.push(`${step} reported ${Object.entries(provides as Record<string, unknown>).map(([name, value]) => `${name} ${JSON.stringify(value)}`).join(', ')}`)
  if (report.standIns.length > 0) lines.push(`made-up values stood for ${report.standIns.length === 1 ? 'the secret' : 'the secrets'} ${report.standIns.join(', ')}`)
  for (const canary of report.canaries) lines.push(`disk ${canary.serial} of ${canary.machine}: ${canary.unchanged ? 'byte for byte as it was' : 'CHANGED'}`)
  for (const { text, seconds, during } of report.disturbances) if (seconds !== null) lines.push(`disturbance ${text}: after ${seconds} s, ${during === 'running' ? 'while the step ran' : 'when the step was over'}`)
  if (report.secondApply !== null) lines.push(`second apply: ${report.secondApply}`)
  for (const problem of report.problems) lines.push(`PROBLEM: ${problem}`)
  lines.push(
    '',
    `${report.outcome} in ${clock(options.seconds * 1000)}, ${clock(report.seconds * 1000)} of it in the rack (${report.accelerator === null ? 'containers' : `QEMU, ${report.accelerator}`})`,
    `Event log, plan, changes, consoles:     ${out}`,
    `Site with inventory, lock and ledger:   ${join(out, 'site.git')}`,
    `What a commit there would change:       crowbar diff --site ${join(out, 'site.git')}`,
  )
  return `${lines.join('\n')}\n`
}

function clock(milliseconds: number): string {
  const seconds = Math.floor(milliseconds / 1000)
  return `${String(Math.floor(seconds / 60)).padStart(2, '0')}:${String(seconds % 60).padStart(2, '0')}`
}
