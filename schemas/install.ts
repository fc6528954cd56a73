import { integer, list, map, nullable, object, oneOf, optional, string } from './shape.ts'
import type { TypeOf } from './shape.ts'
import { RAID_LEVELS } from './documents/rule.ts'
import { INSTALL_METHODS } from './documents/rule.ts'
import { planShape } from './plan.ts'

const attachments = (planShape.json['properties'] as { nodes: { additionalProperties: { properties: { attachments: object } } } }).nodes.additionalProperties.properties.attachments

/** A disk that an install may write, by the id and serial that were seen. Every other disk is left alone. */
export const installTargetShape = object({ entry: string({}, 'Key of `disks` in the hardware document; `system` boots.'), id: string(), serial: string(), bytes: integer({ min: 0 }) })

/**
 * The `install` part of an install step's document: all that is needed to put a node onto a machine's disks.
 * The once-key of the step is a digest over machine, os, targets, RAID levels, layout and generation, and over nothing else.
 */
export const installShape = object({
  method: oneOf(INSTALL_METHODS),
  machine: string(),
  hostname: string(),
  domain: string(),
  os: string(),
  architecture: string(),
  firmware: oneOf(['bios', 'uefi', 'container']),
  rootfs: nullable(string({}, 'Artifact set; null when no root filesystem is unpacked.')),
  targets: list(installTargetShape),
  raid: optional(map(oneOf(RAID_LEVELS), undefined, 'Entry → level of the array that its targets form. Absent when there is none.')),
  layout: list(object({ on: string(), mount: string(), fs: string(), size: string() })),
  attachments: { json: attachments as Readonly<Record<string, unknown>> } as { json: Readonly<Record<string, unknown>>; type?: TypeOf<typeof planShape>['nodes'][string]['attachments'] },
  generation: integer({ min: 0 }),
})
export type InstallDocument = TypeOf<typeof installShape>
export type InstallTarget = TypeOf<typeof installTargetShape>
