import { controlClient } from '../control/control-client.ts'
import { sayControlError } from './order.ts'

/** `crowbar admit`: a person says that a machine in quarantine is what it says it is. */
export async function admitCommand(machine: string, options: { readonly socket: string }): Promise<number> {
  try {
    const { message } = await controlClient(options.socket).post<{ message: string }>(`/admit?machine=${encodeURIComponent(machine)}`)
    process.stdout.write(`${message}\n`)
    return message.endsWith('is admitted') ? 0 : 1
  } catch (error) {
    return sayControlError(error)
  }
}
