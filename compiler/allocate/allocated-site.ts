import type { InstallTarget } from '../../schemas/install.ts'
import type { Lock } from '../../schemas/lock.ts'
import type { Attachment, Missing } from '../../schemas/plan.ts'
import type { BoundSite } from '../bind/bound-site.ts'

/** The addresses of one node on one network, IPv4 first. */
export type NetworkAddresses = Attachment['addresses']

/** The site with addresses, ports and disks. */
export interface AllocatedSite {
  readonly bound: BoundSite
  /** Node → attachments, the admin network first, then by name. */
  readonly attachments: ReadonlyMap<string, readonly Attachment[]>
  /** Node → the disks that an install writes; null as long as no machine is claimed, or when nothing is installed. */
  readonly targets: ReadonlyMap<string, readonly InstallTarget[] | null>
  /** Deployment → name → virtual address. */
  readonly virtual: ReadonlyMap<string, Readonly<Record<string, string>>>
  readonly missing: readonly Missing[]
  readonly lock: Lock
}
