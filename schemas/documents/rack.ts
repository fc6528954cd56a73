import { boolean, integer, list, literal, object, oneOf, optional, string } from '../shape.ts'
import type { TypeOf } from '../shape.ts'
import { MAC, name } from './words.ts'

const rackDisk = object({
  size: string({ pattern: '^[0-9]+(MiB|GiB)$' }),
  bus: optional(oneOf(['virtio', 'nvme', 'sata', 'scsi'], 'Default virtio.')),
  serial: optional(string({ pattern: '^[A-Za-z0-9_-]{1,20}$' })),
  content: optional(oneOf(['blank', 'ext4', 'gpt', 'mbr', 'mdraid', 'random'], 'What is on it when the machine is made: a filesystem on the whole disk, a partition table with one filesystem, an array of one disk, bytes that are nothing known. Default blank, of a canary random.')),
  canary: optional(boolean('The rehearsal compares it afterwards: not a byte of it may change.')),
})

/**
 * `kind: rack`: the virtual machines that a rehearsal builds. They say nothing about the cluster, and no plan depends
 * on them. A node pinned by MAC, serial or UUID needs none: the rehearsal makes a machine that fits the pin.
 */
export const rackShape = object({
  kind: literal('rack'),
  name: name(),
  machines: list(
    object({
      name: name('For consoles and reports; the site does not see it.'),
      firmware: optional(oneOf(['bios', 'uefi'], 'Default bios.')),
      memory: optional(integer({ min: 512, max: 65536 }, 'MiB. Default 1024.')),
      cores: optional(integer({ min: 1, max: 64 })),
      serial: optional(string({ min: 1 })),
      uuid: optional(string({ min: 1 })),
      nics: optional(list(object({ mac: string({ pattern: MAC }), model: optional(oneOf(['virtio', 'e1000', 'e1000e'])) }), { min: 1 })),
      disks: optional(list(rackDisk)),
    }),
    { min: 1 },
  ),
}, 'The virtual machines of a rehearsal.')
export type RackDocument = TypeOf<typeof rackShape>
