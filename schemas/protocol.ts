import { digest } from './canonical.ts'
import { foreseenShape } from './foreseen.ts'
import { installShape, installTargetShape } from './install.ts'
import { diskStateShape, factsShape } from './inventory.ts'
import { anyObject, anything, boolean, either, integer, list, literal, map, nullable, object, oneOf, optional, string } from './shape.ts'
import type { Json, TypeOf } from './shape.ts'

/** The node protocol's version. Either side refuses a greater major. */
export const PROTOCOL_VERSION = 1

const fetchable = object({ url: string(), sha256: string({ pattern: '^[0-9a-f]{64}$' }), bytes: integer({ min: 0 }) })

/** The flat apt repository that holds the packages of a task and what they need. Its index has the hash of each of them. */
const packageRepository = object({ url: string(), index: string({ pattern: '^[0-9a-f]{64}$' }, 'SHA-256 of its file Packages.'), key: string({ pattern: '^[A-Za-z0-9+/]+=*$' }, 'Whose signature its Release bears: an OpenPGP keyring, base64.') })
export type PackageRepository = TypeOf<typeof packageRepository>

const roleFields = {
  attempt: string({}, '<epoch>/<step>/<n>'),
  step: string(),
  jig: string(),
  entry: string(),
  content: list(object({ path: string(), mode: oneOf(['0644', '0755']), file: fetchable }), {}, 'The files of the barclamp.'),
  document: anyObject('The step’s document, every value resolved.'),
  sensitive: list(string(), {}, 'JSON pointers into `document` that must not be logged.'),
  mask: optional(list(anything(), {}, 'Sensitive values that went into the document: they must not be logged by themselves either.')),
  packages: list(string()),
  repository: nullable(packageRepository),
  provides: map(object({ type: string(), sensitive: boolean() })),
  timeout: integer({ min: 1 }, 'Seconds.'),
} as const

/** Runs an entry of a barclamp on the node with a document. */
const roleTask = object({ kind: literal('role'), ...roleFields })

/**
 * Says what that entry would do, and does nothing: its result has `foreseen`. A kind of its own, so that a node agent
 * that does not know it cannot take it for the real thing.
 */
const dryRunTask = object({ kind: literal('dry-run'), ...roleFields, preview: nullable(string({}, 'The file of the role that says what its run would do, for tools without a dry run.')) })

/** For every target: what must be on it (digest of the content signature), or the stamp that an interrupted attempt left. */
const expectation = object({ id: string(), signature: string(), orStamp: nullable(string()) })

/** Writes an operating system onto the chosen disks, and nothing else. */
const installTask = object({
  kind: literal('install'),
  attempt: string(),
  step: string(),
  install: installShape,
  rootfs: nullable(fetchable),
  expect: list(expectation),
  stamp: string({}, 'Written before anything else, and gone when the install is complete.'),
  enrolment: object({ url: string(), ca: string(), token: string(), node: string(), incarnation: string() }),
  timeout: integer({ min: 1 }),
})

/** Overwrites the chosen disks with zeros, and nothing else. */
const eraseTask = object({
  kind: literal('erase'),
  attempt: string(),
  step: string(),
  targets: list(installTargetShape, { min: 1 }),
  expect: list(expectation),
  stamp: string({}, 'Written before anything else, and gone when the agent has acknowledged the result.'),
  timeout: integer({ min: 1 }, 'Seconds.'),
})

/** An entry of a barclamp with its document. */
const entryWork = object({
  step: string({}, 'The role step whose entry it is.'),
  jig: string(),
  entry: string(),
  content: list(object({ path: string(), mode: oneOf(['0644', '0755']), file: fetchable })),
  document: anyObject('Every value resolved.'),
  sensitive: list(string(), {}, 'JSON pointers into `document` that must not be logged.'),
  mask: list(anything(), {}, 'Sensitive values that went into the document.'),
  timeout: integer({ min: 1 }, 'Seconds.'),
})

/** Runs entries one after another; the first that fails is the last. */
const entriesTask = object({ kind: literal('entries'), attempt: string(), step: string(), entries: list(entryWork), timeout: integer({ min: 1 }) })

/** Upgrades the packages that are installed to what a repository has, and installs what those need. */
const upgradeTask = object({ kind: literal('upgrade'), attempt: string(), step: string(), repository: packageRepository, timeout: integer({ min: 1 }) })

/** Restarts the machine, at most once for the attempt. It has no result but a failure: another boot id at hello says that it is done. */
const rebootTask = object({ kind: literal('reboot'), attempt: string(), step: string(), timeout: integer({ min: 1 }) })

/** Looks at the disks again and reports their content. */
const inspectTask = object({ kind: literal('inspect'), attempt: string(), step: string(), timeout: integer({ min: 1 }) })

export const taskShape = either([roleTask, dryRunTask, installTask, eraseTask, entriesTask, upgradeTask, rebootTask, inspectTask])
export type Task = TypeOf<typeof taskShape>
export type RoleTask = TypeOf<typeof roleTask>
export type DryRunTask = TypeOf<typeof dryRunTask>
export type EntriesTask = TypeOf<typeof entriesTask>
export type UpgradeTask = TypeOf<typeof upgradeTask>
export type InstallTask = TypeOf<typeof installTask>
export type EraseTask = TypeOf<typeof eraseTask>

/** How an attempt ended. Journalled on the node before it is sent, sent until it is acknowledged. */
const result = object({
  attempt: string(),
  outcome: oneOf(['succeeded', 'unchanged', 'failed', 'cancelled']),
  code: nullable(string({}, 'When failed: a literal code such as JIG_EXIT, DISK_CHANGED, TIMEOUT.')),
  message: nullable(string()),
  provides: map(anything()),
  facts: optional(anyObject()),
  foreseen: optional(list(foreseenShape, {}, 'Of a dry run: what would change; empty: nothing.')),
  seconds: integer({ min: 0 }),
})
export type TaskResult = TypeOf<typeof result>

const envelope = { v: literal(PROTOCOL_VERSION), seq: integer({ min: 0 }), ack: integer({ min: 0 }) } as const

/**
 * Frames a node sends. `seq` counts up from 1 per session and direction; `ack` is the highest received in order; a gap
 * ends the session. The agent speaks first (challenge), the node answers with hello; nothing else comes before welcome.
 *
 * Credit: no more than 64 frames of a node are on their way without having been acknowledged. `pong` also comes unasked,
 * to acknowledge when there is nothing else to say.
 */
export const nodeFrameShape = either([
  object({
    ...envelope,
    type: literal('hello'),
    environment: oneOf(['discovery', 'installed']),
    /** Redeems the token of this boot or installation; sent each time, since the same key may redeem it again. */
    token: nullable(string()),
    /** Ed25519 public key of the node agent, base64url. */
    key: string({ pattern: '^[A-Za-z0-9_-]{43}$' }),
    /** Signature over `helloText()`, base64url. */
    proof: string({ pattern: '^[A-Za-z0-9_-]{86}$' }),
    node: nullable(string()),
    incarnation: nullable(string()),
    highestEpoch: integer({ min: 0 }),
    boot: string({}, 'Kernel boot id.'),
    facts: factsShape,
    disks: list(diskStateShape),
    /**
     * Every attempt in the journal whose result was not acknowledged, and the last ones that were: `started` has no result
     * and does not run any more.
     */
    journal: list(object({ attempt: string(), state: oneOf(['started', 'running', 'finished']), result: nullable(result) })),
    versions: map(string()),
  }),
  object({ ...envelope, type: literal('accepted'), attempt: string() }),
  object({ ...envelope, type: literal('output'), attempt: string(), stream: oneOf(['stdout', 'stderr', 'progress']), text: string() }),
  object({ ...envelope, type: literal('result'), result }),
  /** With facts, when they too were looked at again. */
  object({ ...envelope, type: literal('disks'), disks: list(diskStateShape), facts: optional(factsShape) }),
  object({ ...envelope, type: literal('ping') }),
])
export type NodeFrame = TypeOf<typeof nodeFrameShape>

/** Frames the admin agent sends. */
export const agentFrameShape = either([
  object({ ...envelope, type: literal('challenge'), nonce: string(), epoch: integer({ min: 0 }) }),
  object({ ...envelope, type: literal('welcome'), epoch: integer({ min: 0 }), machine: string(), node: nullable(string()) }),
  object({ ...envelope, type: literal('refused'), code: string(), message: string() }),
  object({ ...envelope, type: literal('task'), epoch: integer({ min: 0 }), task: taskShape }),
  object({ ...envelope, type: literal('cancel'), epoch: integer({ min: 0 }), attempt: string() }),
  object({ ...envelope, type: literal('reboot'), epoch: integer({ min: 0 }), reason: string() }),
  object({ ...envelope, type: literal('acknowledge'), attempt: string({}, 'The result of this attempt is durable here.') }),
  object({ ...envelope, type: literal('pong') }),
])
export type AgentFrame = TypeOf<typeof agentFrameShape>

/**
 * What a node signs to prove that it holds its key: the challenge's nonce and epoch, and all that its hello says but for
 * the envelope and the proof itself.
 */
export function helloText(nonce: string, epoch: number, hello: Readonly<Record<string, unknown>>): string {
  const { v: _v, seq: _seq, ack: _ack, proof: _proof, ...said } = hello
  return `crowbar hello ${PROTOCOL_VERSION}\n${nonce}\n${epoch}\n${digest(said as Json)}\n`
}
