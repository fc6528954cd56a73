import type { ApplyAnswer, Status, Tried } from '../../schemas/control.ts'
import { controlClient } from '../control/control-client.ts'
import type { ControlClient } from '../control/control-client.ts'
import type { LogEvent } from '../log/event-types.ts'
import { sayControlError } from './order.ts'
import type { SocketOptions } from './order.ts'
import { printStatus } from './status.ts'
import { table } from './table.ts'
import { tell } from './tell.ts'

export interface ApplyOptions extends SocketOptions {
  readonly ref?: string
  readonly approve?: string[]
  readonly target?: string[]
  readonly exclude?: string[]
  readonly dryRun?: true | string
  readonly follow: boolean
}

const REFUSED = 3
const MISUSED = 64

/**
 * `crowbar apply`: hands over a commit and follows the run to its end.
 *
 * @returns 0 complete or nothing to do, 1 failed, the site is at fault, or machines are still missing, 3 something waits for
 * an approval or must not run as things are, or a policy denies it.
 */
export async function applyCommand(options: ApplyOptions): Promise<number> {
  const { dryRun = false } = options
  if (dryRun !== false && dryRun !== true && dryRun !== 'nodes') {
    process.stderr.write(`crowbar: --dry-run is given alone or as --dry-run=nodes, not ${dryRun}\n`)
    return MISUSED
  }
  const client = controlClient(options.socket)
  const json = options.format === 'json'
  try {
    const before = await lastSequence(client)
    if (dryRun === 'nodes' && process.stderr.isTTY) process.stderr.write('asking the nodes; each tool takes as long as it would to run\n')
    const answer = await client.post<ApplyAnswer>('/apply', { ref: options.ref ?? null, approve: options.approve ?? [], target: options.target ?? [], exclude: options.exclude ?? [], dryRun })
    if (json) process.stdout.write(`${JSON.stringify(answer)}\n`)
    else process.stdout.write(printAnswer(answer))
    for (const one of answer.diagnostics) process.stderr.write(`${one.range === undefined ? '' : `${one.range.path}:${one.range.start.line}:${one.range.start.column}: `}${one.severity}[${one.code}]: ${one.summary}\n`)
    if (answer.outcome === 'refused') return answer.denied ? REFUSED : 1
    if (answer.run === null || !options.follow) return 0
    const state = await follow(client, answer.run, before, json)
    if (state === 'complete') return 0
    const status = await client.get<Status>('/status')
    process.stderr.write(printStatus(status))
    return state === 'partial' && waitsForPerson(status) ? REFUSED : 1
  } catch (error) {
    return sayControlError(error)
  }
}

function waitsForPerson({ approvals, refusals, rollouts }: Status): boolean {
  return approvals.length > 0 || refusals.length > 0 || rollouts.some(({ state }) => state === 'paused')
}

/** Lines of a list that are printed; the rest is behind `--format json`. */
const SHOWN = 60

/** The message, and of a dry run what would run, in which waves, and what waits for whom. */
export function printAnswer({ message, preview, selection }: ApplyAnswer): string {
  const lines = [message]
  if (preview !== undefined) {
    lines.push(...some(table(['step', 'does', 'waits for'], preview.steps.map(({ id, consequence, waits }) => [id, consequence, waits ?? ''])), SHOWN + 1))
    for (const { id, tried } of preview.steps) if (tried !== undefined) lines.push('', ...printTried(id, tried))
    for (const { id, batches, pause } of preview.rollouts) {
      lines.push(`${id}: ${batches.length} batches${pause === 'never' ? '' : `, pause ${pause}`}`, ...some(batches.map((nodes, index) => `  ${index + 1}  ${nodes.join(' ')}`), SHOWN))
    }
    lines.push(...some((selection?.pulledIn ?? []).map(({ step, by }) => `pulled in ${step}: ${by} needs it`), SHOWN))
    lines.push(...some((selection?.deferred ?? []).map(({ step, by }) => `deferred ${step}: it needs ${by}, which does not run`), SHOWN))
    if (selection !== undefined) lines.push(`left out: ${selection.excluded}`)
  }
  return `${lines.join('\n')}\n`
}

/** What the dry run of a step on its node found. */
function printTried(id: string, { foreseen, assumes, because }: Tried): readonly string[] {
  if (because !== null) return [`${id}: unknown effect: ${because}`]
  const sure = foreseen.filter(({ effect }) => effect === 'change').length
  const count = [...(sure === 0 ? [] : [`${sure} would change`]), ...(foreseen.length === sure ? [] : [`${foreseen.length - sure} of unknown effect`])]
  const given = assumes.length === 0 ? '' : ` (given what ${assumes.join(', ')} provided last)`
  return [
    `${id}: ${count.length === 0 ? 'nothing would change' : count.join(', ')}${given}`,
    ...some(foreseen.flatMap(({ what, at, effect, detail }) => [`  ${effect === 'unknown' ? 'UNKNOWN ' : ''}${what}${at === null ? '' : `  ${at}`}`, ...detail.split('\n').filter((line) => line !== '').map((line) => `      ${line}`)]), SHOWN),
  ]
}

function some(lines: readonly string[], most: number): readonly string[] {
  return lines.length <= most ? lines : [...lines.slice(0, most), `… and ${lines.length - most} more (--format json)`]
}

/** How long the ledger of a run that has ended may take to be published, milliseconds. */
const PUBLISHED_MS = 15_000

/**
 * Prints what happens until the run has ended and its ledger is published, so that whoever compares next compares with
 * that. SIGINT stops the following, not the run.
 */
async function follow(client: ControlClient, run: number, after: number, json: boolean): Promise<string> {
  const stop = new AbortController()
  process.once('SIGINT', () => stop.abort())
  let ended: { readonly state: string; readonly seq: number } | undefined
  for await (const event of client.lines<LogEvent>(`/events?after=${after}&follow`, stop.signal)) {
    const line = json ? JSON.stringify(event) : tell(event)
    if (line !== undefined) process.stdout.write(`${line}\n`)
    if (event.type === 'run.ended' && event.data.run === run) {
      ended = { state: event.data.state, seq: event.seq }
      setTimeout(() => stop.abort(), PUBLISHED_MS).unref()
    }
    if (event.type === 'ledger.published' && ended !== undefined && event.data.upTo >= ended.seq) return ended.state
    // It goes on: a machine turned up, or a newer commit.
    if ((event.type === 'run.extended' || event.type === 'run.continued') && event.data.run === run && ended !== undefined) return ended.state
  }
  if (ended !== undefined) process.stderr.write('the ledger of this run is not published yet; "crowbar status" says why\n')
  return ended?.state ?? 'running'
}

async function lastSequence(client: ControlClient): Promise<number> {
  return (await client.get<{ seq: number }>('/sequence')).seq
}
