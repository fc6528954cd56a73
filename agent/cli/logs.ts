import { controlClient } from '../control/control-client.ts'
import { printable } from '../control/printable.ts'
import type { LogEvent } from '../log/event-types.ts'
import { sayControlError } from './order.ts'
import type { SocketOptions } from './order.ts'
import { tell } from './tell.ts'

export interface LogsOptions extends SocketOptions {
  readonly follow?: boolean
  readonly after: string
}

/** One piece of what an attempt wrote. */
interface OutputLine {
  readonly attempt: string
  readonly time: string
  readonly stream: string
  readonly text: string
}

/** `crowbar logs`: events, or with a step what its attempts wrote. */
export async function logsCommand(step: string | undefined, options: LogsOptions): Promise<number> {
  const stop = new AbortController()
  process.once('SIGINT', () => stop.abort())
  const client = controlClient(options.socket)
  try {
    if (step !== undefined) {
      for await (const line of client.lines<OutputLine>(`/output?step=${encodeURIComponent(step)}`, stop.signal)) {
        process.stdout.write(options.format === 'json' ? `${JSON.stringify(line)}\n` : `${line.time} ${printable(line.text.trimEnd().replaceAll('\t', '    '))}\n`)
      }
      return 0
    }
    for await (const event of client.lines<LogEvent>(`/events?after=${encodeURIComponent(options.after)}${options.follow === true ? '&follow' : ''}`, stop.signal)) {
      const line = options.format === 'json' ? JSON.stringify(event) : tell(event)
      if (line !== undefined) process.stdout.write(options.format === 'json' ? `${line}\n` : `${event.seq} ${event.time} ${line}\n`)
    }
    return 0
  } catch (error) {
    return sayControlError(error)
  }
}
