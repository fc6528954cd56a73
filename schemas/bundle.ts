import { integer, list, literal, map, nullable, object, oneOf, string } from './shape.ts'
import type { TypeOf } from './shape.ts'

/** The only major version of bundles that this Crowbar reads and writes. */
export const BUNDLE_VERSION = 1

const HEX = '^[0-9a-f]{64}$'
/** As git has it: SHA-1 or SHA-256. */
const COMMIT = '^([0-9a-f]{40}|[0-9a-f]{64})$'
/** A full ref, as git-check-ref-format(1) allows them. */
const REF = '^(?!.*(?:\\.\\.|//|@\\{|/\\.|\\.lock(?:/|$)))refs/[^\\u0000-\\u0020~^:?*\\[\\\\\\u007f]*[^\\u0000-\\u0020~^:?*\\[\\\\\\u007f/.]$'

const sha256 = (description?: string) => string({ pattern: HEX }, description)
const objectShape = object({ sha256: sha256(), bytes: integer({ min: 0 }) })

const repositoryShape = object({
  kind: oneOf(['site', 'barclamp', 'mirror'], 'The site itself; one commit of a repository with barclamps; a copy of a git source.'),
  name: string({ min: 1 }, 'The site, the commit, the source.'),
  key: string({ pattern: '^[0-9a-f]{32,64}$' }, 'A site: digest of its name; a barclamp: its commit; a mirror: the name of its folder below `git` of the store.'),
  pack: sha256('A git pack with all that the refs lead to.'),
  refs: map(string({ pattern: COMMIT }), REF),
  head: nullable(string({ pattern: REF })),
  shallow: list(string({ pattern: COMMIT }), {}, 'Commits whose parents are left out.'),
  format: oneOf(['sha1', 'sha256']),
})

/** `bundle.json`: what a bundle is, of which objects it is made, and in which volume each is. */
export const bundleIndexShape = object({
  kind: literal('bundle'),
  version: literal(BUNDLE_VERSION),
  site: object({ name: string({ min: 1 }), branch: string({ min: 1 }), commit: string({ pattern: COMMIT }), plan: string({ min: 1 }, 'Id of the plan.'), admins: list(string({ min: 1 }), {}, 'Nodes with an agent document.') }),
  program: object({
    version: string({ min: 1 }, 'Of Crowbar.'),
    platform: string({ pattern: '^[a-z0-9]+-[a-z0-9]+$' }, '`linux-x64`: where its runtime runs.'),
    parts: list(object({ name: oneOf(['runtime', 'modules', 'source']), sha256: sha256('A tar archive, compressed by gzip.') }), { min: 1 }),
  }),
  repositories: list(repositoryShape),
  references: map(sha256(), '^[a-z0-9][a-z0-9_.+-]*(/[a-z0-9][a-z0-9_.+-]*)*$', 'References of the store, and the objects that they name.'),
  since: nullable(object({ id: sha256('SHA-256 of the `bundle.json` of the earlier bundle.'), commit: string({ pattern: COMMIT }) })),
  elsewhere: list(objectShape, {}, 'Objects that the earlier bundle brings, sorted.'),
  volumes: list(object({ digest: sha256('Over the line `<sha256> <bytes>` of each of its objects.'), objects: list(objectShape) }), { min: 1 }),
}, 'The index of a bundle.')
export type BundleIndex = TypeOf<typeof bundleIndexShape>
export type BundledRepository = BundleIndex['repositories'][number]
export type BundledObject = BundleIndex['elsewhere'][number]

/** `bundle.sig`: who vouches for the index. */
export const bundleSignatureShape = object({
  algorithm: literal('ed25519'),
  key: string({ pattern: '^[A-Za-z0-9+/]+=*$' }, 'The public key as SubjectPublicKeyInfo (DER), in base64.'),
  signature: string({ pattern: '^[A-Za-z0-9+/]+=*$' }, 'Over `crowbar bundle 1`, a newline and the bytes of `bundle.json`; in base64.'),
})
export type BundleSignature = TypeOf<typeof bundleSignatureShape>

/** `volume.json`: which of the volumes this file is. */
export const bundleVolumeShape = object({ bundle: sha256('SHA-256 of `bundle.json`.'), number: integer({ min: 1 }), of: integer({ min: 1 }) })
export type BundleVolume = TypeOf<typeof bundleVolumeShape>
