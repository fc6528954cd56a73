import { join, resolve, basename } from 'node:path'
import { RackError } from '../rack/rack-error.ts'
import type { RehearsalReport } from '../rack/rack-order.ts'
import { rehearse } from '../rack/rehearse.ts'
import { liveLine } from './live.ts'
import { table } from './table.ts'

export interface RehearseOptions {
  readonly nodes: string
  readonly out?: string
  readonly keepGoing: string
}

/** `crowbar rehearse`. @returns 0 when every step succeeded and every canary is unchanged, else 1; 64 for wrong usage. */
export async function rehearseCommand(site: string, options: RehearseOptions): Promise<number> {
  if (options.nodes !== 'qemu' && options.nodes !== 'container') {
    process.stderr.write(`crowbar: --nodes is qemu or container, not ${options.nodes}\n`)
    return 64
  }
  const minutes = Number(options.keepGoing)
  if (!(minutes > 0)) {
    process.stderr.write(`crowbar: --keep-going is a number of minutes, not ${options.keepGoing}\n`)
    return 64
  }
  const stop = new AbortController()
  const interrupt = (): void => stop.abort(new RackError('RACK_MACHINE_DIED', 'interrupted'))
  process.once('SIGINT', interrupt)
  process.once('SIGTERM', interrupt)
  const out = resolve(options.out ?? join('rehearsals', `${basename(resolve(site))}-${new Date().toISOString().slice(0, 19).replaceAll(':', '')}`))
  const started = performance.now()
  const live = liveLine()
  try {
    const outcome = await rehearse({
      site, nodes: options.nodes, out, store: null, deadlineMs: minutes * 60_000, signal: stop.signal,
      onProgress: message => live.say(`${clock(performance.now() - started)} ${message}`),
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
    if (!(error instanceof RackError) && (error as { code?: unknown }).code === undefined) throw error
    process.stderr.write(`crowbar: ${(error as Error).message}\n`)
    return 1
  } finally {
    process.off('SIGINT', interrupt)
    process.off('SIGTERM', interrupt)
  }
}

function succeeded(report: RehearsalReport): boolean {
  return report.outcome === 'complete' && report.canaries.every(canary => canary.unchanged) && report.problems.length === 0
}

/** The end of a rehearsal: what each step did and took, what was seen, and where everything is. */
export function printReport(report: RehearsalReport, options: { readonly seconds: number; readonly out: string }): string {
  const lines = [
    '',
    ...table(['step', 'node', 'state', 'seconds', ''], report.steps.map(step => [step.id, step.node ?? '-', step.state, step.seconds === null ? '-' : String(step.seconds), step.reason ?? ''])),
    '',
    ...Object.entries(report.reported).map(([step, provides]) => `${step} reported ${JSON.stringify(provides)}`),
    ...report.canaries.map(canary => `disk ${canary.serial} of ${canary.machine}: ${canary.unchanged ? 'byte for byte as it was' : 'CHANGED'}`),
  ]
  if (report.secondApply !== null) lines.push(`second apply: ${report.secondApply}`)
  for (const problem of report.problems) lines.push(`PROBLEM: ${problem}`)
  lines.push(`${report.outcome} in ${options.seconds} s (${report.seconds} s of it in the rack, ${report.accelerator})`, `event log, plan, changes and consoles: ${options.out}`)
  return `${lines.join('\n')}\n`
}

function clock(milliseconds: number): string {
  const seconds = Math.floor(milliseconds / 1000)
  return `${String(Math.floor(seconds / 60)).padStart(2, '0')}:${String(seconds % 60).padStart(2, '0')}`
}
