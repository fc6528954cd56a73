import { lockText } from '../allocate/lock-text.ts'
import { renderText } from '../diagnostics/render-text.ts'
import type { Lock } from '../../schemas/lock.ts'
import { LOCK_PATH } from '../parse/choose.ts'
import { lockChanges } from '../print/lock-changes.ts'
import type { LockChange } from '../print/lock-changes.ts'
import type { TreeFile } from '../tree/tree.ts'
import { readLock } from '../validate/read-lock.ts'
import { compileSite } from './compile-site.ts'
import type { CompiledSite, GoodSite } from './compile-site.ts'
import { lockMissing } from './missing-lock.ts'
import { rebindOf, strangerOf } from './rebind-names.ts'
import { EXIT, formatOf, linesOfTree, misused, tell, wantsColour } from './session.ts'
import { writeLock } from './write-lock.ts'

/** Options of `crowbar lock` without --merge. */
export interface LockArguments {
  readonly site: string
  readonly check?: true
  readonly dryRun?: true
  /** Writes a lock although there is a ledger and none. */
  readonly new?: true
  /** true: no names. */
  readonly rebind?: true | readonly string[]
  /** Pins what the refs of barclamps from git are now. */
  readonly updateBarclamps?: true
  readonly format: string
}

/** `crowbar lock`: brings site.lock.json up to date; with --rebind it decides anew what is named, and nothing else. */
export async function lockCommand(options: LockArguments): Promise<number> {
  const format = formatOf(options.format, ['text', 'json'])
  if (format === undefined) return EXIT.usage
  if (options.rebind === true) return listStale(options.site, format)
  const rebind = options.rebind === undefined ? undefined : rebindOf(options.rebind)
  if (typeof rebind === 'string') return misused(rebind)
  const { tree, compiled, diagnostics } = await compileSite({ site: options.site, rebind }, { ask: options.updateBarclamps === true ? 'all' : 'new' })
  const missing = compiled === undefined ? undefined : await lockMissing(options.site, tree)
  const refuses = missing !== undefined && options.new !== true
  const fix = `${missing?.fix ?? ''} \`crowbar lock --new\` writes one as if nothing had run: addresses and machines may move.`
  tell(missing === undefined ? diagnostics : [...diagnostics, { ...missing, ...(refuses ? { fix } : { severity: 'warning' }) }], tree)
  if (compiled === undefined || tree === undefined) return EXIT.fault
  if (refuses) return EXIT.stale
  const { bound } = compiled.ordered.injected.allocated
  const stranger = rebind === undefined ? undefined : strangerOf(rebind, bound)
  if (stranger !== undefined) return misused(stranger)
  if (tree.commit !== null) return misused(`${options.site} is a bare repository: the lock is written into a working folder`)
  const before = tree.files.get(LOCK_PATH)
  if (before !== undefined && new TextDecoder().decode(before.bytes()) === lockText(compiled.lock)) {
    process.stderr.write(rebind === undefined ? `${LOCK_PATH} is up to date.\n` : 'Nothing changes: all of that is as it would be decided today.\n')
    return EXIT.done
  }
  const changes = changesOf(before, compiled.lock)
  if (rebind !== undefined || options.updateBarclamps === true || options.dryRun === true) print(changes, format)
  const refused = rebind === undefined ? undefined : protectedOne(changes, compiled)
  if (refused !== undefined) {
    process.stderr.write(`crowbar: ${refused} is protected: take \`protect\` away, and apply that, before it is rebound\n`)
    return EXIT.refused
  }
  if (options.check === true) {
    process.stderr.write(`${LOCK_PATH} would change.\n`)
    return EXIT.stale
  }
  if (options.dryRun === true) return EXIT.done
  writeLock(options.site, compiled.lock)
  process.stderr.write(`${LOCK_PATH} written: ${rebind === undefined ? 'commit it with the change that led to it' : 'look at it with `crowbar diff`, then commit it'}.\n`)
  return EXIT.done
}

/** Against the lock as it is in the site, so that names which moved show. */
function changesOf(before: TreeFile | undefined, lock: Lock): readonly LockChange[] {
  const read = before === undefined ? undefined : readLock(before.bytes())
  return lockChanges(read !== undefined && 'lock' in read ? read.lock : null, lock)
}

function protectedOne(changes: readonly LockChange[], { ordered }: GoodSite): string | undefined {
  const { nodes } = ordered.injected.allocated.bound
  return changes.find(({ node }) => node !== null && nodes.get(node)?.protect === true)?.node ?? undefined
}

function print(changes: readonly LockChange[], format: 'text' | 'json'): void {
  if (format === 'json') process.stdout.write(`${JSON.stringify(changes, null, 2)}\n`)
  else for (const { text } of changes) process.stdout.write(`${text}\n`)
}

/** What the lock keeps although the site leads elsewhere; each says how to rebind it. */
const STALE: ReadonlySet<string> = new Set(['BINDING_STALE', 'CLAIM_STALE', 'RULE_STALE', 'DISK_MISSING'])

async function listStale(site: string, format: 'text' | 'json'): Promise<number> {
  const { tree, compiled, diagnostics }: CompiledSite = await compileSite({ site })
  const stale = diagnostics.filter(({ code }) => STALE.has(code))
  tell(diagnostics.filter(({ code }) => !STALE.has(code)), tree)
  if (compiled === undefined) return EXIT.fault
  if (format === 'json') process.stdout.write(`${JSON.stringify(stale, null, 2)}\n`)
  else process.stdout.write(renderText(stale, { linesOf: linesOfTree(tree), colour: wantsColour(process.stdout) }))
  process.stderr.write(stale.length === 0 ? 'Everything in the lock is as it would be decided today.\n' : '\nNothing was written: name what is to be decided anew.\n')
  return EXIT.done
}
