import type { BootAnswer, BootClient, Booter } from './booter.ts'
import type { ReportBootEvent } from './boot-event.ts'

/**
 * Asks the booter and never throws: a booter that fails holds the machine, because not to boot is the one answer that
 * can do no harm. The failure is reported as `boot.booter.failed`.
 */
export function askBooter(booter: Booter, client: BootClient, report: ReportBootEvent): BootAnswer {
  try {
    return booter.answer(client)
  } catch (error) {
    report({ type: 'boot.booter.failed', mac: client.mac, message: error instanceof Error ? error.message : String(error) })
    return { kind: 'hold', reason: 'the admin node could not decide what this machine boots' }
  }
}
