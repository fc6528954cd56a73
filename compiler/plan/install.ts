import { digest } from '../../schemas/canonical.ts'
import type { Digest } from '../../schemas/canonical.ts'
import type { InstallDocument } from '../../schemas/install.ts'
import type { Json } from '../../schemas/shape.ts'
import type { AllocatedSite } from '../allocate/allocated-site.ts'
import type { BoundNode } from '../bind/bound-site.ts'
import { isImaged, isWritten, rootfsOf } from '../order/artifacts.ts'

/** The document of an install step and its once-key; null as long as something of it is not known. */
export function installOf(allocated: AllocatedSite, node: BoundNode): { readonly document: InstallDocument; readonly once: Digest } | null {
  const { machine, os } = node
  const written = isWritten(node)
  const targets = allocated.targets.get(node.name) ?? null
  if (machine === null || os === null || (written && targets === null)) return null
  const layout = written ? layoutOf(node) : []
  const raid = written ? raidOf(node) : {}
  const document: InstallDocument = {
    method: os.value.install,
    machine: machine.id,
    hostname: node.name,
    domain: allocated.bound.resolved.site.site.value.domain,
    os: os.value.name,
    architecture: os.value.architecture,
    firmware: machine.facts.firmware.kind,
    rootfs: isImaged(node) ? rootfsOf(os.value) : null,
    targets: targets ?? [],
    ...raid,
    layout,
    attachments: allocated.attachments.get(node.name) ?? [],
    generation: node.generation,
  }
  return { document, once: digest({ machine: document.machine, os: document.os, targets: document.targets, ...raid, layout, generation: node.generation } as unknown as Json) }
}

/** Levels of the entries that an install writes; nothing where there is none, so that the once-key of all other installs stays. */
function raidOf({ hardware }: BoundNode): Pick<InstallDocument, 'raid'> {
  const levels = Object.entries(hardware?.value.disks ?? {}).flatMap(([entry, { raid, onInstall }]) => (raid === undefined || onInstall === 'keep' ? [] : [[entry, raid] as const]))
  return levels.length === 0 ? {} : { raid: Object.fromEntries(levels) }
}

/** What a hardware document does not say: one root filesystem that fills the system disk. */
function layoutOf(node: BoundNode): InstallDocument['layout'] {
  const declared = node.hardware?.value.layout
  if (declared === undefined) return [{ on: 'system', mount: '/', fs: 'ext4', size: 'rest' }]
  return declared.map(({ on, mount, fs, size }) => ({ on, mount, fs: fs ?? (mount === 'swap' ? 'swap' : 'ext4'), size }))
}
