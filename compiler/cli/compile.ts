import { mkdirSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { canonical } from '../../schemas/canonical.ts'
import type { Changes } from '../../schemas/changes.ts'
import type { Compilation } from '../../schemas/compilation.ts'
import type { Diagnostic } from '../../schemas/diagnostic.ts'
import { EMPTY_LEDGER } from '../../schemas/ledger.ts'
import type { Json } from '../../schemas/shape.ts'
import { lockText } from '../allocate/lock-text.ts'
import { change } from '../change/change.ts'
import { selectChanges, strangerText, unmatched } from '../change/select.ts'
import type { SelectOptions } from '../change/select.ts'
import { error } from '../diagnostics/diagnostic.ts'
import { LOCK_PATH } from '../parse/choose.ts'
import { judge, policiesOf } from '../judge/judge.ts'
import { findLedger } from './base.ts'
import { formerPolicies } from './former-policies.ts'
import { compileSite } from './compile-site.ts'
import { placesOf } from './places.ts'
import type { GoodSite } from './compile-site.ts'
import { missingLock } from './missing-lock.ts'
import { EXIT, misused, tell } from './session.ts'

/** Files that an earlier run may have left; everything else in the folder is not ours. */
const WRITTEN = ['result.json', 'plan.json', 'changes.json', LOCK_PATH, 'blobs']

/** Shorter than the agent's patience with a compilation. */
const FETCH_MS = 60_000

/** Options of `crowbar compile`. */
export interface CompileArguments extends SelectOptions {
  readonly site: string
  readonly ref: string
  readonly out: string
  readonly base: string
}

/** `crowbar compile`: what the admin agent runs as a child process (schemas/compilation.ts). */
export async function compileCommand({ site, ref, out, base, ...selecting }: CompileArguments): Promise<number> {
  mkdirSync(out, { recursive: true })
  for (const name of WRITTEN) rmSync(join(out, name), { recursive: true, force: true })
  const { tree, compiled, diagnostics } = await compileSite({ site, ref }, { ask: 'pinned', fetchMs: FETCH_MS })
  const result = (ok: boolean, more: Partial<Compilation> & { readonly diagnostics: readonly Diagnostic[] }): void => {
    const compilation: Compilation = { version: 1, ok, commit: tree?.commit ?? null, lockChanged: false, baseFound: false, ...more }
    writeFileSync(join(out, 'result.json'), `${canonical(compilation as unknown as Json)}\n`)
  }
  tell(diagnostics, tree)
  if (compiled === undefined) {
    result(false, { diagnostics })
    return EXIT.fault
  }
  const found = await findLedger(site, base)
  if (found.kind === 'damaged') {
    const problem = error('LEDGER_INVALID', undefined, `${found.message}.`, { fix: 'The agent publishes it again with its next run.' })
    tell([problem], tree)
    result(false, { diagnostics: [...diagnostics, problem] })
    return EXIT.stale
  }
  const baseFound = found.kind === 'found'
  const problem = baseFound ? missingLock(tree, found.ledger, base) : undefined
  if (problem !== undefined) {
    tell([problem], tree)
    result(false, { diagnostics: [...diagnostics, problem], baseFound })
    return EXIT.stale
  }
  const all = change(baseFound ? found.ledger : EMPTY_LEDGER, compiled.plan, { at: placesOf(compiled) })
  const stranger = unmatched([...(selecting.target ?? []), ...(selecting.exclude ?? [])], { plan: compiled.plan, changes: all })
  if (stranger !== undefined) return misused(strangerText(stranger))
  write(compiled, judge(selectChanges(all, compiled.plan, selecting), compiled.plan, policiesOf(compiled), await formerPolicies(site, ref)), out)
  // Last: who finds it finds everything else too.
  result(true, { diagnostics, lockChanged: compiled.lockChanged, baseFound })
  return EXIT.done
}

function write(compiled: GoodSite, changes: Changes, out: string): void {
  writeFileSync(join(out, 'plan.json'), `${canonical(compiled.plan as unknown as Json)}\n`)
  writeFileSync(join(out, 'changes.json'), `${canonical(changes as unknown as Json)}\n`)
  writeFileSync(join(out, LOCK_PATH), lockText(compiled.lock))
  mkdirSync(join(out, 'blobs'))
  const named = new Set(Object.values(compiled.plan.contents).flatMap((files) => Object.values(files).map(({ sha256 }) => sha256)))
  for (const [sha256, bytes] of compiled.blobs) if (named.has(sha256)) writeFileSync(join(out, 'blobs', sha256), bytes)
}
