import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import type { BootAnswer } from '../../../agent/boot/booter.ts'
import type { Reservation } from '../../../agent/boot/dhcp/subnet.ts'
import { serveBoot, type BootInterface } from '../../../agent/boot/serve-boot.ts'

/** What the test gives this process, as JSON in a file; reservations are data here. */
export interface BootServerSetup {
  readonly interfaces: readonly BootInterfaceSetup[]
  readonly leaseFile: string
  readonly answer: BootAnswer
  readonly answers?: Readonly<Record<string, BootAnswer>>
  /** Name → path, for `/boot/files/`. */
  readonly files?: Readonly<Record<string, string>>
  /** SHA-256 → path. */
  readonly artifacts?: Readonly<Record<string, string>>
  readonly loaderFolder?: string
  readonly loaders?: Readonly<Record<number, string>>
  readonly probe?: boolean
  readonly quiet?: boolean
}

/** A boot interface whose subnet has its reservations as a list. */
export type BootInterfaceSetup = Omit<BootInterface, 'subnet' | 'relayed'> & {
  readonly subnet: SubnetSetup
  readonly relayed?: readonly SubnetSetup[]
}
type SubnetSetup = Omit<BootInterface['subnet'], 'reservations'> & { readonly reservations: readonly Reservation[] }

// Runs inside a network namespace, which vitest's process is not in. Prints `ready`, then one event a line; a line on
// its input is a setup whose subnets replace those of the interfaces; the end of the input ends it.
const setup = JSON.parse(readFileSync(process.argv[2] ?? '', 'utf8')) as BootServerSetup
const withReservations = (subnet: SubnetSetup): BootInterface['subnet'] => ({ ...subnet, reservations: () => subnet.reservations })
const toInterface = (each: BootInterfaceSetup): BootInterface => ({
  ...each,
  subnet: withReservations(each.subnet),
  relayed: (each.relayed ?? []).map(withReservations),
})

await using services = await serveBoot({
  interfaces: setup.interfaces.map(toInterface),
  booter: { answer: ({ mac }) => setup.answers?.[mac] ?? setup.answer },
  leaseFile: setup.leaseFile,
  artifact: (sha256) => setup.artifacts?.[sha256],
  file: (name) => setup.files?.[name],
  loader: (name) => join(setup.loaderFolder ?? '/usr/lib/ipxe', name),
  ...(setup.loaders !== undefined && { loaders: setup.loaders }),
  ...(setup.probe !== undefined && { probe: setup.probe }),
  clock: Date.now,
  report: (event) => {
    if (setup.quiet !== true) console.log(JSON.stringify(event))
  },
  signal: AbortSignal.timeout(10_000),
})
console.log('ready')
for await (const line of createInterface({ input: process.stdin })) {
  const next = JSON.parse(line) as BootServerSetup
  for (const each of next.interfaces.map(toInterface)) services.update(each.name, each)
  console.log('updated')
}
