import type { WhyNot } from '../../schemas/control.ts'
import { controlClient } from '../control/control-client.ts'
import { sayControlError } from './order.ts'
import type { SocketOptions } from './order.ts'

/** `crowbar why-not STEP`. @returns 0 when it is known, 1 when no step is called so. */
export async function whyNotCommand(step: string, options: SocketOptions): Promise<number> {
  try {
    const answer = await controlClient(options.socket).get<WhyNot>(`/why-not?step=${encodeURIComponent(step)}`)
    process.stdout.write(options.format === 'json' ? `${JSON.stringify(answer, null, 2)}\n` : printWhyNot(answer))
    return 0
  } catch (error) {
    return sayControlError(error)
  }
}

/** The step, what it waits for, and below that the same of each step that it waits for. */
export function printWhyNot({ chain }: WhyNot): string {
  return chain.map(({ step, state, because }) => `${step}  ${state}\n${because.map(one => `  ${one}\n`).join('')}`).join('')
}
