import { networkInterfaces } from 'node:os'
import { canonical } from '../../schemas/canonical.ts'
import type { Facts } from '../../schemas/inventory.ts'
import type { Ledger } from '../../schemas/ledger.ts'
import type { Plan } from '../../schemas/plan.ts'
import type { Json } from '../../schemas/shape.ts'
import { takeTurns } from '../take-turns.ts'
import { bootInterfaces, networkReservations } from './boot-interfaces.ts'
import type { Reservation } from './dhcp/subnet.ts'
import { serveBoot } from './serve-boot.ts'
import type { BootServices, ServeBootOptions } from './serve-boot.ts'

export interface KeepBootOptions extends Omit<ServeBootOptions, 'interfaces' | 'signal'> {
  /** The admin node whose `agent` document counts. */
  readonly node: string
  readonly factsOf: (machine: string) => Facts | undefined
  /** As of now. */
  readonly ledger: () => Ledger
  /** What is asked for and cannot be served, in words; said again when it changes. */
  readonly onProblems: (problems: readonly string[]) => void
}

/** Boot services that follow the plan. */
export interface KeptBoot extends AsyncDisposable {
  /** Serves what this plan asks for. Interfaces that stay as they are go on undisturbed; reservations change at once. */
  follow(plan: Plan, signal: AbortSignal): Promise<void>
  /** Reservations follow the ledger: a node was installed, or is being. */
  reserve(): void
  /** True when at least one interface is served. */
  readonly serving: boolean
  /** True when all that the last plan asks for is served; else follow() again later: a cable may be plugged in. */
  readonly complete: boolean
}

/** Starts nothing yet: what is served follows from the first plan. */
export function keepBoot(options: KeepBootOptions): KeptBoot {
  let services: BootServices | undefined
  let served = ''
  let problems = ''
  let followed: Plan | undefined
  const reservations = new Map<string, readonly Reservation[]>()
  const inTurn = takeTurns()
  const current = (network: string): readonly Reservation[] => reservations.get(network) ?? []

  const reserve = (): void => {
    if (followed === undefined) return
    for (const network of Object.keys(followed.networks)) reservations.set(network, networkReservations(followed, network, { ledger: options.ledger(), factsOf: options.factsOf }))
  }

  return {
    reserve,
    get complete() {
      return problems === ''
    },
    get serving() {
      return services !== undefined
    },
    follow: (plan, signal) => inTurn(async () => {
      followed = plan
      reserve()
      const wanted = bootInterfaces(plan, options.node, { reservations: current, addressOf })
      if (wanted.problems.join('\n') !== problems) options.onProblems(wanted.problems)
      problems = wanted.problems.join('\n')
      // Functions aside, equal descriptions are equal services.
      const next = canonical(JSON.parse(JSON.stringify(wanted.interfaces)) as Json)
      if (next === served) return
      await services?.[Symbol.asyncDispose]()
      services = undefined
      served = ''
      if (wanted.interfaces.length > 0) services = await serveBoot({ ...options, interfaces: wanted.interfaces, signal })
      served = next
    }),
    [Symbol.asyncDispose]: () => inTurn(async () => {
      await services?.[Symbol.asyncDispose]()
      services = undefined
    }),
  }
}

function addressOf(device: string): string | undefined {
  return networkInterfaces()[device]?.find(one => one.family === 'IPv4')?.address
}
