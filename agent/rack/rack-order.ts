import type { Accelerator } from './accelerator.ts'
import type { MachineSpec } from './machines.ts'
import type { RackNetwork } from './network.ts'

/** All that the inside of a rack has to know: it asks the outside for nothing but staged content. */
export interface RackOrder {
  readonly nodes: 'qemu' | 'container'
  readonly network: RackNetwork
  readonly machines: readonly MachineSpec[]
  readonly accelerator: Accelerator
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

/** One step as it ended. */
export interface ReportedStep {
  readonly id: string
  readonly node: string | null
  readonly state: string
  readonly seconds: number | null
  readonly reason: string | null
}

/** `report.json` of a rehearsal. */
export interface RehearsalReport {
  readonly outcome: 'complete' | 'partial' | 'failed' | 'timeout' | 'interrupted'
  readonly seconds: number
  readonly accelerator: Accelerator
  readonly commit: string | null
  readonly steps: readonly ReportedStep[]
  /** Canary disks, by machine and serial: whether every byte is as it was. */
  readonly canaries: readonly { readonly machine: string; readonly serial: string; readonly unchanged: boolean }[]
  /** What a second apply of the same commit said. */
  readonly secondApply: string | null
  /** Values that roles reported, by step; sensitive ones are left out. */
  readonly reported: Readonly<Record<string, unknown>>
  readonly problems: readonly string[]
}
