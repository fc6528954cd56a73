import { controlClient } from '../control/control-client.ts'
import { sayControlError } from './order.ts'

/** `crowbar join`: prints what a machine that is installed already needs to become a node. It holds a token: keep it private. */
export async function joinCommand(node: string, options: { readonly socket: string }): Promise<number> {
  try {
    process.stdout.write(`${JSON.stringify(await controlClient(options.socket).get(`/join?node=${encodeURIComponent(node)}`), null, 1)}\n`)
    return 0
  } catch (error) {
    return sayControlError(error)
  }
}
