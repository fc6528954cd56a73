import { ControlError, controlClient } from '../control/control-client.ts'

/** Options of every command that asks an agent. */
export interface SocketOptions {
  readonly socket: string
  readonly format: string
}

/** `crowbar freeze`, `thaw`, `cancel`: one call, one line. */
export async function orderCommand(order: 'freeze' | 'thaw' | 'cancel', options: { readonly socket: string }): Promise<number> {
  try {
    await controlClient(options.socket).post(`/${order}`)
    process.stdout.write({ freeze: 'frozen: nothing starts until "crowbar thaw"\n', thaw: 'thawed\n', cancel: 'cancelled: running steps end, no more start\n' }[order])
    return 0
  } catch (error) {
    return sayControlError(error)
  }
}

/** Says on standard error why the agent could not be asked. @returns the exit code; rethrows what is not about that. */
export function sayControlError(error: unknown): number {
  if (!(error instanceof ControlError)) throw error
  process.stderr.write(`crowbar: ${error.message}\n`)
  return 1
}
