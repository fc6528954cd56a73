import type { OsDocument } from '../../schemas/documents/rule.ts'
import { jigPackages } from '../../schemas/jig-packages.ts'
import { own } from '../../schemas/own.ts'
import type { BoundNode } from '../bind/bound-site.ts'
import type { ResolvedRole } from '../resolve/resolved-site.ts'

/** Name of the root filesystem of an operating system. */
export function rootfsOf(os: OsDocument): string {
  return `rootfs-${os.name}`
}

/** Name of the packages that roles bring to nodes of an operating system. */
export function packagesOf(os: OsDocument): string {
  return `packages-${os.name}`
}

/** The distribution packages that a role brings to a node, its tool's among them; the os's name wins over its family. */
export function packagesOfRole(role: ResolvedRole, node: BoundNode): readonly string[] {
  const os = node.os?.value
  if (os === undefined) return []
  const { packages, jig } = role.declaration
  const brought = own(packages, os.name) ?? own(packages, os.family) ?? []
  const tool = jig === undefined ? [] : jigPackages(jig, os)
  return tool.length === 0 ? brought : [...new Set([...tool, ...brought])]
}

/** Whether an install writes onto disks of a node, and does not adopt it as it is. */
export function isWritten(node: BoundNode): boolean {
  return !node.admin && node.os !== null && node.os.value.install !== 'joined'
}

/** Whether that is done with a root filesystem, and not by an installer. */
export function isImaged(node: BoundNode): boolean {
  return isWritten(node) && node.os?.value.install === 'image'
}
