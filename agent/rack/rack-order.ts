import type { Accelerator } from './accelerator.ts'
import type { Disturbance, DisturbanceReport } from './disturbance.ts'
import type { ContainerSpec } from './container-specs.ts'
import type { MachineSpec } from './machines.ts'
import type { RackNetwork } from './network.ts'

/** The nodes of a rack as containers. */
export interface ContainerOrder {
  /** Archives of root filesystems, by operating system. */
  readonly bases: Readonly<Record<string, string>>
  readonly nodes: readonly ContainerSpec[]
  /** The Node executable and the file with the node agent's bundle; containers read them where they are. */
  readonly runtime: string
  readonly bundle: string
}

/** All that the inside of a rack has to know: it asks the outside for nothing but staged content. */
export interface RackOrder {
  /** Different for each rack that is up; part of the names of what the kernel does not take down with it. */
  readonly id: string
  /** When the rehearsal began, milliseconds since 1970: the zero of the times that people see. */
  readonly began: number
  readonly network: RackNetwork
  /** Virtual machines; none when the nodes are containers. */
  readonly machines: readonly MachineSpec[]
  readonly accelerator: Accelerator
  readonly containers: ContainerOrder | null
  readonly disturbances: readonly Disturbance[]
  /** The age identity file that decrypts the site's secrets; null: made-up values take their place. */
  readonly identity: string | null
  /** Secrets that have made-up values, each as `path (version)`. */
  readonly standIns: readonly string[]
  /** The agent asks no upstream either. */
  readonly offline: boolean
  /** Stay up after the run, until told to end. */
  readonly hold: boolean
  /** Bare repository of the site. */
  readonly repository: string
  readonly store: string
  readonly stager: string
  /** For disks and sockets; removed afterwards. */
  readonly work: string
  /** For what is kept. */
  readonly out: string
  readonly deadlineMs: number
}

/** What the outside asks of a rack that is held. */
export type HeldWish =
  | { readonly act: 'kill-agent' | 'start-agent' }
  | { readonly act: 'power-off' | 'power-on'; readonly machine: string }
  /** Another machine, switched on and with nothing of the old one's, takes the place of a container node. */
  | { readonly act: 'replace'; readonly machine: string; readonly mac: string }

export type HeldRequest = HeldWish & { readonly id: number }

/** What the inside says to the outside: it is held; a request was carried out, or why not. */
export type RackMessage = { readonly held: true } | { readonly done: number; readonly error: string | null }

/** One step as it ended. */
export interface ReportedStep {
  readonly id: string
  readonly node: string | null
  readonly state: string
  readonly seconds: number | null
  readonly attempts: number
  readonly reason: string | null
  /** The end of what it wrote, when it failed. */
  readonly lastWords: readonly string[]
}

/** `report.json` of a rehearsal. */
export interface RehearsalReport {
  readonly outcome: 'complete' | 'partial' | 'failed' | 'timeout' | 'interrupted'
  readonly seconds: number
  /** How virtual machines ran; null when the nodes were containers. */
  readonly accelerator: Accelerator | null
  readonly commit: string | null
  readonly nodes: readonly { readonly name: string; readonly os: string | null; readonly address: string | null; readonly machine: string | null }[]
  readonly steps: readonly ReportedStep[]
  /** What went wrong on purpose. */
  readonly disturbances: readonly DisturbanceReport[]
  /** Secrets that had made-up values, each as `path (version)`. */
  readonly standIns: readonly string[]
  /** Canary disks, by machine and serial: whether every byte is as it was. */
  readonly canaries: readonly { readonly machine: string; readonly serial: string; readonly unchanged: boolean }[]
  /** What a second apply of the same commit said. */
  readonly secondApply: string | null
  /** Values that roles reported, by step; sensitive ones are left out. */
  readonly reported: Readonly<Record<string, unknown>>
  readonly problems: readonly string[]
}
