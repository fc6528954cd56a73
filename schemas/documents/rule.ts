import { boolean, either, integer, list, literal, map, object, oneOf, optional, string } from '../shape.ts'
import type { TypeOf } from '../shape.ts'
import { attributes, cel, duration, labels, name, tags } from './words.ts'

/** `kind: rule`: by `order`, ties by name; the first that sets a field wins, tags add up. */
export const ruleShape = object({
  kind: literal('rule'),
  name: name(),
  order: optional(integer({ min: 0, max: 1_000_000 }, 'Default 100; lower comes first.')),
  when: cel('over `machine` and, for pinned nodes, `node`'),
  set: object({
    os: optional(name()),
    hardware: optional(name()),
    tags: optional(tags),
    labels: optional(labels),
    attributes: optional(attributes),
  }),
}, 'What a machine is for, decided by what it is.')
export type RuleDocument = TypeOf<typeof ruleShape>

const diskSelector = object({
  bus: optional(oneOf(['nvme', 'sata', 'sas', 'scsi', 'virtio', 'usb', 'loop', 'other'])),
  rotational: optional(boolean()),
  model: optional(string({ min: 1 })),
  serial: optional(string({ min: 1 })),
  wwn: optional(string({ min: 1 })),
  minBytes: optional(integer({ min: 0 })),
  maxBytes: optional(integer({ min: 0 })),
  count: optional(integer({ min: 1, max: 1000 }, 'Default 1. Too few that match: an error.')),
})

/** Levels of an array of disks. */
export const RAID_LEVELS = [0, 1, 5, 6, 10] as const

/** `kind: hardware`: which disks are for what. A disk that no entry chooses is kept. */
export const hardwareShape = object({
  kind: literal('hardware'),
  name: name(),
  disks: optional(
    map(
      object({
        choose: diskSelector,
        raid: optional(oneOf(RAID_LEVELS, 'The chosen disks are one array.')),
        onInstall: oneOf(['wipe', 'keep']),
      }),
      '^[a-z][a-z0-9-]{0,62}$',
      'Chosen in this order: a disk that an earlier entry took is not there for a later one.',
    ),
  ),
  layout: optional(
    list(
      object({
        on: name('A disk entry.'),
        mount: either([string({ pattern: '^/' }), literal('swap')]),
        fs: optional(oneOf(['ext4', 'xfs', 'btrfs', 'vfat', 'swap'])),
        size: string({ pattern: '^([0-9]+(MiB|GiB|TiB)|[0-9]{1,3}%|rest)$' }),
      }),
    ),
  ),
  firmware: optional(map(string(), undefined, 'BIOS settings by name.')),
}, 'Disks, RAID and firmware settings of a kind of machine.')
export type HardwareDocument = TypeOf<typeof hardwareShape>

/** Ways onto a disk. `joined` adopts an installed machine. */
export const INSTALL_METHODS = ['image', 'preseed', 'autoinstall', 'kickstart', 'autoyast', 'agama', 'ignition', 'joined'] as const

/** `kind: os`. */
export const osShape = object({
  kind: literal('os'),
  name: name(),
  family: name('debian, rhel, suse, …'),
  version: string({ min: 1 }),
  architecture: oneOf(['amd64', 'arm64']),
  install: oneOf(INSTALL_METHODS),
  source: optional(either([name(), list(name(), { min: 1 })], 'The sources of its packages, the distribution’s own first.')),
  packages: optional(list(string({ min: 1 }), {}, 'Installed beside the base system.')),
}, 'An operating system and how it gets onto a disk.')
export type OsDocument = TypeOf<typeof osShape>

/** The sources that an operating system takes packages from, the distribution's own first. */
export function sourcesOfOs({ source }: Pick<OsDocument, 'source'>): readonly string[] {
  return source === undefined ? [] : typeof source === 'string' ? [source] : source
}

/** What turns a source tree into packages. */
export const BUILDERS = ['debian', 'make', 'autotools', 'cmake', 'python', 'node'] as const
export type Builder = (typeof BUILDERS)[number]

const PACKAGE = '^[a-z0-9][a-z0-9+.-]+$'

/** How packages are built from a git source. */
export const buildShape = object({
  with: oneOf(BUILDERS),
  packages: list(string({ pattern: PACKAGE }), { min: 1 }, 'What it gives. `debian` may give several, the others give one.'),
  needs: optional(list(string({ pattern: PACKAGE }), {}, 'Distribution packages that the build needs, beside the builder’s own.')),
  depends: optional(list(string({ pattern: PACKAGE }), {}, 'Packages that the result depends on, beside those that are found out.')),
  version: optional(string({ pattern: '^[0-9][A-Za-z0-9.+~]*$' }, 'Of the upstream. Default: the last tag, without what is before its first digit.')),
  revision: optional(integer({ min: 1 }, 'Raised when something else than the commit changes, so that nodes see a newer version. Default 1.')),
  timeout: optional(duration('Default 30m.')),
  limits: optional(object({
    disk: optional(string({ pattern: '^[0-9]+(MiB|GiB)$' }, 'Default 16GiB.')),
    memory: optional(string({ pattern: '^[0-9]+(MiB|GiB)$' }, 'Default three quarters of the machine’s.')),
    processes: optional(integer({ min: 16 }, 'With threads. Default 4096.')),
  }, 'What the build may use at most.')),
}, 'Packages that are built from the tree.')
export type BuildDocument = TypeOf<typeof buildShape>

/** `kind: source`: an upstream that staging reads. */
export const sourceShape = object({
  kind: literal('source'),
  name: name(),
  type: oneOf(['apt', 'rpm', 'git', 'npm', 'pypi', 'oci', 'file']),
  upstream: either([literal('system'), string({ pattern: '^(https?|git|ssh|file)://' }), list(string({ pattern: '^(https?|git|ssh|file)://' }), { min: 1 })], 'system: what the admin node itself is configured to use.'),
  suites: optional(list(string({ min: 1 }))),
  components: optional(list(string({ min: 1 }))),
  architectures: optional(list(oneOf(['amd64', 'arm64', 'all']))),
  keyring: optional(string({ min: 1 })),
  ref: optional(string({ min: 1 })),
  patches: optional(list(string({ min: 1 }), {}, 'Files of the site, applied in this order.')),
  submodules: optional(map(name(), undefined, 'Path of a submodule → the git source that has it.')),
  build: optional(buildShape),
  sha256: optional(string({ pattern: '^[0-9a-f]{64}$' })),
}, 'Where packages, sources and files come from.')
export type SourceDocument = TypeOf<typeof sourceShape>
