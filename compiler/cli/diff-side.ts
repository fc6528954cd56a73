import { readFileSync, statSync } from 'node:fs'
import type { Ledger } from '../../schemas/ledger.ts'
import { PLAN_VERSION, planShape } from '../../schemas/plan.ts'
import type { Plan } from '../../schemas/plan.ts'
import type { Json } from '../../schemas/shape.ts'
import { checkValue } from '../validate/check-value.ts'
import { pathText } from '../validate/words.ts'
import { readRevision } from '../tree/read.ts'
import { TreeError } from '../tree/tree-error.ts'
import type { Tree } from '../tree/tree.ts'
import { isLedger, ledgerOf } from './base.ts'
import { compileSite } from './compile-site.ts'
import type { GoodSite } from './compile-site.ts'
import { EXIT, tell } from './session.ts'

/** One side of a comparison. */
export type Side =
  | { readonly kind: 'site'; readonly plan: Plan; readonly compiled: GoodSite; readonly tree: Tree | undefined }
  | { readonly kind: 'plan'; readonly plan: Plan }

/**
 * Reads what a name on the command line stands for: a saved plan if there is such a file, else a revision, which may
 * be of a ledger; without a name the folder as it is now.
 *
 * @param missing exit code when there is nothing of that name.
 * @returns an exit code when it cannot be used; why has been said.
 */
export async function readSide(site: string, name: string | undefined, missing: number = EXIT.fault): Promise<Side | { readonly kind: 'ledger'; readonly ledger: Ledger } | number> {
  if (name !== undefined && statSync(name, { throwIfNoEntry: false })?.isFile() === true) return readPlan(name)
  if (name !== undefined) {
    const ledger = await ledgerAt(site, name)
    if (typeof ledger === 'string') return refuse(ledger, missing)
    if (ledger !== undefined) return { kind: 'ledger', ledger }
  }
  const { tree, compiled, diagnostics } = await compileSite({ site, ref: name })
  tell(diagnostics, tree)
  return compiled === undefined ? EXIT.fault : { kind: 'site', plan: compiled.plan, compiled, tree }
}

/** The ledger of a revision; undefined: it is no ledger's; a sentence: it cannot be read. */
async function ledgerAt(site: string, name: string): Promise<Ledger | undefined | string> {
  try {
    const tree = await readRevision(site, name, { environment: process.env, report: () => {} })
    if (tree.files.size === 0 || !isLedger(tree)) return undefined
    const found = ledgerOf(tree, name)
    return found.kind === 'found' ? found.ledger : found.message
  } catch (cause) {
    if (!(cause instanceof TreeError)) throw cause
    return `${cause.message}, and no file of that name is a saved plan`
  }
}

function readPlan(file: string): Side | number {
  let value: Json
  try {
    value = JSON.parse(readFileSync(file, 'utf8')) as Json
  } catch (cause) {
    return refuse(`cannot read the plan ${file}: ${(cause as Error).message}`, EXIT.fault)
  }
  const version = value !== null && typeof value === 'object' && 'version' in value ? value['version'] : undefined
  if (typeof version === 'number' && version > PLAN_VERSION) return refuse(`the plan ${file} has version ${version}; this Crowbar knows ${PLAN_VERSION}`, EXIT.stale)
  const [complaint] = checkValue(planShape.json, value, 'a plan')
  if (complaint !== undefined) return refuse(`${file} is no saved plan (crowbar plan --out): ${pathText(complaint.pointer)}: ${complaint.summary}`, EXIT.fault)
  return { kind: 'plan', plan: value as unknown as Plan }
}

function refuse(message: string, code: number): number {
  process.stderr.write(`crowbar: ${message}\n`)
  return code
}
