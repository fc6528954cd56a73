import type { Patch } from './source-builds.ts'
import type { Digest } from '../../schemas/canonical.ts'
import type { BarclampDocument, RoleDeclaration } from '../../schemas/documents/barclamp.ts'
import type { DeploymentDocument } from '../../schemas/documents/deployment.ts'
import type { NetworkDocument } from '../../schemas/documents/network.ts'
import type { OsDocument, SourceDocument as SourceSpec } from '../../schemas/documents/rule.ts'
import type { Lock } from '../../schemas/lock.ts'
import type { ContentFile } from '../../schemas/plan.ts'
import type { Located, Site } from '../validate/site.ts'
import type { Address, AddressRange, Cidr } from './address.ts'
import type { LockedSets } from './artifacts.ts'
import type { SecretIndex } from './secrets.ts'

/** A file of a barclamp, with its content. */
export interface BarclampFile extends ContentFile {
  readonly content: Uint8Array
}

/** A barclamp that the site uses. */
export interface ResolvedBarclamp {
  readonly name: string
  readonly document: Located<BarclampDocument>
  readonly origin: 'builtin' | 'git' | 'site'
  /** Digest over path, mode and SHA-256 of every file in its folder. */
  readonly content: Digest
  /** By path relative to its folder, in code point order. */
  readonly files: ReadonlyMap<string, BarclampFile>
}

/** A role; names of roles are unique over all barclamps of a site. */
export interface ResolvedRole {
  readonly name: string
  readonly barclamp: ResolvedBarclamp
  readonly declaration: RoleDeclaration
}

export interface ResolvedSubnet {
  readonly cidr: string
  readonly interval: Cidr
  readonly gateway: Address | null
  /** null: the document does not say, so the site's dns service. */
  readonly dns: readonly string[] | null
  readonly ranges: ReadonlyMap<string, AddressRange>
}

export interface ResolvedNetwork {
  readonly name: string
  readonly document: Located<NetworkDocument>
  readonly vlan: number
  readonly mtu: number
  readonly subnets: readonly ResolvedSubnet[]
}

export type RoleBinding = DeploymentDocument['roles'][string]

export interface ResolvedDeployment {
  readonly name: string
  readonly document: Located<DeploymentDocument>
  /** The deployments it comes after, as written. */
  readonly after: readonly string[]
  /** Where wants and requirements look beyond the deployment itself: nearest first, one list a distance. */
  readonly reach: readonly (readonly string[])[]
}

/** The site with every name looked up. */
export interface ResolvedSite {
  readonly site: Site
  /** By name; what the site does not use is left out. */
  readonly barclamps: ReadonlyMap<string, ResolvedBarclamp>
  readonly roles: ReadonlyMap<string, ResolvedRole>
  /** What roles are required and wanted by: a role's own name or one that it acts as → the roles that answer to it, that of the name first. */
  readonly answering: ReadonlyMap<string, readonly ResolvedRole[]>
  readonly networks: ReadonlyMap<string, ResolvedNetwork>
  /** The site's own and the builtin ones; the site's win. */
  readonly systems: ReadonlyMap<string, Located<OsDocument>>
  readonly sources: ReadonlyMap<string, Located<SourceSpec>>
  /** What the keyring of a source holds, base64, by the source's name. */
  readonly keyrings: ReadonlyMap<string, string>
  /** Patches of a source, in their order, by the source's name. */
  readonly patches: ReadonlyMap<string, readonly Patch[]>
  /** In an order in which each comes after those it says it comes after; ties by name. */
  readonly deployments: ReadonlyMap<string, ResolvedDeployment>
  /** Of the new lock: which commits the barclamps from git are of. */
  readonly pins: Lock['barclamps']
  readonly secrets: SecretIndex
  /** What the lock says that artifact sets are made of. */
  readonly artifacts: LockedSets
}

/** Whether a role carries a flag. */
export function hasFlag(role: ResolvedRole, flag: NonNullable<RoleDeclaration['flags']>[number]): boolean {
  return role.declaration.flags?.includes(flag) ?? false
}
