import type { ValidateFunction } from 'ajv/dist/2020.js'
import { byCodePoint, canonical, digest } from './canonical.ts'
import { machineStateShape } from './inventory.ts'
import { LEDGER_ADMIN, ledgerNodeShape, ledgerRunShape } from './ledger.ts'
import type { Ledger, LedgerNode, LedgerRun } from './ledger.ts'
import type { MachineState } from './inventory.ts'
import { loadAjv } from './load-ajv.ts'
import { planShape } from './plan.ts'
import { boolean, literal, map, object } from './shape.ts'
import type { Json, JsonSchema, Shape, TypeOf } from './shape.ts'
import { stepValueDigests } from './step-values.ts'

/** The only major version of the branch's files that this Crowbar reads and writes. */
export const LEDGER_VERSION = 1

const rolesShape = object({ version: literal(LEDGER_VERSION), roles: map(object({ bootstrapped: boolean() })) })

/** As in `contents` of a plan. */
const listingShape = { json: (planShape.json['properties'] as { readonly contents: { readonly additionalProperties: JsonSchema } }).contents.additionalProperties }

/** What is wrong with a file of the branch. `NEWER`: a later Crowbar wrote it; everything else is damage. */
export interface LedgerProblem {
  readonly code: 'NOT_JSON' | 'NEWER' | 'SHAPE' | 'NAME' | 'DIGEST'
  readonly path: string
  readonly message: string
}

export type ReadLedger =
  | { readonly ok: true; readonly ledger: Ledger }
  /** Nothing of a ledger with a problem may be used: what is missing in it would look as if it had never run. */
  | { readonly ok: false; readonly problems: readonly LedgerProblem[] }

/**
 * The files of the branch `refs/crowbar/applied` that hold a ledger, by path: `nodes/<node>.json`, `nodes/_admin.json`,
 * `values/<hex>.json`, `content/<hex>.json` (the listing of a barclamp's files, by the digest of its content),
 * `machines/<id>.json`, `roles.json` and `run.json`. Canonical JSON and a newline; nodes are written over several lines,
 * one entry a line, so that git shows which step changed.
 *
 * Values that no entry refers to are dropped. `content/<sha256>` without `.json`, the bytes that listings name, is the
 * pusher's.
 */
export function writeLedger(ledger: Ledger): Map<string, string> {
  const files = new Map<string, string>()
  const needed = new Set<string>()
  const listings = new Set<string>()
  for (const [name, node] of sorted(ledger.nodes)) {
    files.set(`nodes/${name}.json`, nodeText(node))
    for (const entry of Object.values(node.steps)) {
      for (const key of stepValueDigests(entry.step, ledger)) needed.add(key)
      if (entry.step.content !== null) listings.add(entry.step.content)
    }
  }
  for (const [id, machine] of sorted(ledger.machines)) files.set(`machines/${id}.json`, `${canonical(machine)}\n`)
  for (const key of [...needed].toSorted(byCodePoint)) {
    const value = ledger.values[key]
    if (value !== undefined) files.set(`${listings.has(key) ? 'content' : 'values'}/${key.replace('sha256:', '')}.json`, `${canonical(value)}\n`)
  }
  if (ledger.roles !== undefined && Object.keys(ledger.roles).length > 0) {
    files.set('roles.json', `${canonical({ version: LEDGER_VERSION, roles: ledger.roles })}\n`)
  }
  if (ledger.run !== null) files.set('run.json', `${canonical(ledger.run)}\n`)
  return files
}

/**
 * Reads what writeLedger() wrote, checking the shape of every file, names, and the digests of values. A listing is not
 * what its digest is taken over; the bytes that it names are checked when they are fetched. Files that it does not know
 * (bytes in `content/`, a README) are left alone.
 */
export function readLedger(files: ReadonlyMap<string, string>): ReadLedger {
  const problems: LedgerProblem[] = []
  const nodes: [string, LedgerNode][] = []
  const machines: [string, MachineState][] = []
  const values: [string, Json][] = []
  let run: LedgerRun | null = null
  let roles: TypeOf<typeof rolesShape>['roles'] | undefined
  for (const [path, text] of [...files].toSorted(([a], [b]) => byCodePoint(a, b))) {
    const [folder, name] = split(path)
    if (folder === null) continue
    const value = parse(path, text, problems)
    if (value === undefined) continue
    if (folder === 'values') {
      if (digest(value) === `sha256:${name}`) values.push([`sha256:${name}`, value])
      else problems.push({ code: 'DIGEST', path, message: 'its content is not what its name says' })
    } else if (folder === 'content') {
      if (checked(path, value, listingShape, problems) !== undefined) values.push([`sha256:${name}`, value])
    } else if (folder === 'nodes') {
      const node = checked(path, value, ledgerNodeShape, problems)
      if (node !== undefined && named(path, name, node.node, problems) && entriesOf(path, node, problems)) nodes.push([name, node])
    } else if (folder === 'machines') {
      const machine = checked(path, value, machineStateShape, problems)
      if (machine !== undefined && named(path, name, machine.id, problems)) machines.push([name, machine])
    } else if (folder === 'run') run = checked(path, value, ledgerRunShape, problems) ?? null
    else roles = checked(path, value, rolesShape, problems)?.roles
  }
  if (problems.length > 0) return { ok: false, problems }
  const ledger = { nodes: Object.fromEntries(nodes), machines: Object.fromEntries(machines), values: Object.fromEntries(values), run }
  return { ok: true, ledger: roles === undefined ? ledger : { ...ledger, roles } }
}

function nodeText(node: LedgerNode): string {
  const { steps: _steps, version: _version, ...rest } = node
  const head = canonical(rest)
  const steps = sorted(node.steps).map(([id, entry]) => `${JSON.stringify(id)}:${canonical(entry)}`)
  const body = steps.length === 0 ? '{}' : `{\n${steps.join(',\n')}\n}`
  return `${head.slice(0, -1)},\n"steps":${body},\n"version":${node.version}}\n`
}

type Folder = 'nodes' | 'machines' | 'values' | 'content' | 'run' | 'roles'

function split(path: string): [Folder, string] | [null, null] {
  if (path === 'run.json') return ['run', '']
  if (path === 'roles.json') return ['roles', '']
  const found = /^(nodes|machines|values|content)\/([^/]+)\.json$/.exec(path)
  if (found === null) return [null, null]
  return [found[1] as Folder, found[2] as string]
}

function parse(path: string, text: string, problems: LedgerProblem[]): Json | undefined {
  try {
    return JSON.parse(text) as Json
  } catch (error) {
    problems.push({ code: 'NOT_JSON', path, message: error instanceof Error ? error.message : 'not JSON' })
    return undefined
  }
}

function checked<T>(path: string, value: Json, shape: Shape<T>, problems: LedgerProblem[]): T | undefined {
  const version = value !== null && typeof value === 'object' && 'version' in value ? value['version'] : LEDGER_VERSION
  if (typeof version === 'number' && version > LEDGER_VERSION) {
    problems.push({ code: 'NEWER', path, message: `version ${version}, but this Crowbar reads ${LEDGER_VERSION}: a later Crowbar wrote it` })
    return undefined
  }
  const validate = validator(shape)
  if (validate(value)) return value as T
  const first = validate.errors?.[0]
  problems.push({ code: 'SHAPE', path, message: first === undefined ? 'does not have the right shape' : `${first.instancePath} ${first.message ?? ''}`.trim() })
  return undefined
}

function named(path: string, name: string, says: string, problems: LedgerProblem[]): boolean {
  if (name === says) return true
  problems.push({ code: 'NAME', path, message: `it says that it is about ${says}` })
  return false
}

/** An entry under another id than its step's, or of another node, would leave its own step without one. */
function entriesOf(path: string, node: LedgerNode, problems: LedgerProblem[]): boolean {
  for (const [id, { step }] of Object.entries(node.steps)) {
    if (id === step.id && (step.node ?? LEDGER_ADMIN) === node.node) continue
    problems.push({ code: 'NAME', path, message: `what it has as ${id} is ${step.id}` })
    return false
  }
  return true
}

const validators = new Map<unknown, ValidateFunction>()

function validator(shape: Shape<unknown>): ValidateFunction {
  let found = validators.get(shape)
  if (found === undefined) {
    const { Ajv2020 } = loadAjv()
    found = new Ajv2020({ strict: false }).compile(shape.json)
    validators.set(shape, found)
  }
  return found
}

function sorted<T>(from: { readonly [key: string]: T }): [string, T][] {
  return Object.entries(from).toSorted(([a], [b]) => byCodePoint(a, b))
}

