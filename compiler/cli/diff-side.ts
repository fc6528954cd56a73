import { readFileSync, statSync } from 'node:fs'
import type { Ledger } from '../../schemas/ledger.ts'
import { PLAN_VERSION, planShape } from '../../schemas/plan.ts'
import type { Plan } from '../../schemas/plan.ts'
import type { Json } from '../../schemas/shape.ts'
import { checkValue } from '../validate/check-value.ts'
import { pathText } from '../validate/words.ts'
import { readRevision } from '../tree/read.ts'
import { TreeError } from '../tree/tree-error.ts'
import { shareFiles } from '../tree/tree.ts'
import type { Tree } from '../tree/tree.ts'
import { isLedger, ledgerOf } from './base.ts'
import { compileSite, compileTree } from './compile-site.ts'
import type { CompiledSite, GoodSite } from './compile-site.ts'
import { collector, EXIT, tell } from './session.ts'

/** One side of a comparison. */
export type Side =
  | { readonly kind: 'site'; readonly plan: Plan; readonly compiled: GoodSite; readonly tree: Tree | undefined }
  | { readonly kind: 'plan'; readonly plan: Plan }

/**
 * Reads what a name on the command line stands for: a saved plan if there is such a file, else a revision, which may
 * be of a ledger; without a name the folder as it is now.
 *
 * @param options.missing exit code when there is nothing of that name.
 * @param options.like the tree of the other side: what is the same there is not read again.
 * @returns an exit code when it cannot be used; why has been said.
 */
export async function readSide(site: string, name: string | undefined, { missing = EXIT.fault, like }: { readonly missing?: number; readonly like?: Tree | undefined } = {}): Promise<Side | { readonly kind: 'ledger'; readonly ledger: Ledger } | number> {
  if (name !== undefined && statSync(name, { throwIfNoEntry: false })?.isFile() === true) return readPlan(name)
  if (name === undefined) return sideOf(await compileSite({ site }))
  const { found, report } = collector()
  try {
    const tree = await readRevision(site, name, { environment: process.env, report })
    if (tree.files.size === 0 || !isLedger(tree)) return sideOf(compileTree(like === undefined ? tree : shareFiles(tree, like), { found }))
    const ledger = ledgerOf(tree, name, found)
    return ledger.kind === 'found' ? { kind: 'ledger', ledger: ledger.ledger } : refuse(ledger.message, missing)
  } catch (cause) {
    if (!(cause instanceof TreeError)) throw cause
    return refuse(`${cause.message}, and no file of that name is a saved plan`, missing)
  }
}

function sideOf({ tree, compiled, diagnostics }: CompiledSite): Side | number {
  tell(diagnostics, tree)
  return compiled === undefined ? EXIT.fault : { kind: 'site', plan: compiled.plan, compiled, tree }
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
