import { isNothing } from '../../schemas/changes.ts'
import type { Changes } from '../../schemas/changes.ts'
import type { Facts } from '../../schemas/inventory.ts'
import { EMPTY_LEDGER, LEDGER_REF } from '../../schemas/ledger.ts'
import type { Ledger } from '../../schemas/ledger.ts'
import { own } from '../../schemas/own.ts'
import type { Plan } from '../../schemas/plan.ts'
import { change } from '../change/change.ts'
import type { ChangeOptions } from '../change/change.ts'
import { selectChanges, strangerText, unmatched } from '../change/select.ts'
import { refusalOf } from '../../schemas/refusal.ts'
import type { DiffOptions } from '../print/diff-options.ts'
import { prettyJson } from '../print/pretty-json.ts'
import type { Json } from '../../schemas/shape.ts'
import { findLedger } from './base.ts'
import { judge, policiesOf } from '../judge/judge.ts'
import type { Policies } from '../judge/judge.ts'
import { formerPolicies } from './former-policies.ts'
import { readSide } from './diff-side.ts'
import type { Side } from './diff-side.ts'
import { missingLock } from './missing-lock.ts'
import { placesOf } from './places.ts'
import { EXIT, formatOf, misused, tell, wantsColour } from './session.ts'

/** Options of `crowbar diff`. */
export interface DiffArguments {
  readonly site: string
  readonly target?: readonly string[]
  readonly exclude?: readonly string[]
  readonly full?: true
  readonly maxBytes?: string
  readonly format: string
}

/** `crowbar diff [BASE] [HEAD]`: what leads from one state to another, and what that does. */
export async function diffCommand(base: string | undefined, head: string | undefined, options: DiffArguments): Promise<number> {
  const format = formatOf(options.format, ['text', 'json', 'markdown', 'github', 'html'])
  if (format === undefined) return EXIT.usage
  const maxBytes = options.maxBytes === undefined ? undefined : Number(options.maxBytes)
  if (maxBytes !== undefined && !(Number.isInteger(maxBytes) && maxBytes >= 1000)) return misused('--max-bytes takes a number of bytes, 1000 at least')
  const to = await readSide(options.site, head)
  if (typeof to === 'number') return to
  if (to.kind === 'ledger') return misused(`${head} is a ledger, which can only be the base`)
  const from = await readBase(options.site, base, to)
  if (typeof from === 'number') return from
  const missing = to.kind === 'site' && from.ref !== null ? missingLock(to.tree, from.ledger, from.ref) : undefined
  if (missing !== undefined) {
    tell([missing], undefined)
    return EXIT.stale
  }
  const all = change(from.ledger, to.plan, { ...from.options, ...(to.kind === 'site' ? { at: placesOf(to.compiled) } : {}) })
  if (to.kind === 'plan') process.stderr.write('A saved plan does not carry the policies of its site, so none was judged.\n')
  const stranger = unmatched([...(options.target ?? []), ...(options.exclude ?? [])], { plan: to.plan, changes: all })
  if (stranger !== undefined) return misused(strangerText(stranger))
  const selected = selectChanges(all, to.plan, options)
  const changes = to.kind === 'site' ? judge(selected, to.plan, policiesOf(to.compiled), from.policies ?? (await formerPolicies(options.site, head))) : selected
  await print(changes, to, { format, maxBytes, full: options.full === true, machines: machinesOf(from.ledger, to) })
  if (changes.changes.some((one) => refusalOf(one) !== null) || changes.violations.some(({ level }) => level === 'deny')) return EXIT.refused
  return isNothing(changes) ? EXIT.done : EXIT.changes
}

interface Base {
  readonly ledger: Ledger
  /** Where it is; null: no ledger, but what it would be. */
  readonly ref: string | null
  readonly options: ChangeOptions
  /** Of a site that is the base; else those of the commit before count. */
  readonly policies?: Policies
}

/** Without a name the ledger of the repository; what is not there is said, and never taken for something empty in silence. */
async function readBase(site: string, base: string | undefined, to: Side): Promise<Base | number> {
  if (base === undefined) {
    const found = await findLedger(site, LEDGER_REF)
    if (found.kind === 'found') return { ledger: found.ledger, ref: LEDGER_REF, options: {} }
    if (found.kind === 'damaged') return stale(found.message)
    process.stderr.write(`There is no ${LEDGER_REF} here, so every step counts as new: ${/not a git repository/.test(found.message) ? 'this folder is in no git repository' : found.message}.\nIf the cluster runs already: git fetch origin '+refs/crowbar/*:refs/crowbar/*'\n\n`)
    return { ledger: EMPTY_LEDGER, ref: null, options: {} }
  }
  const side = await readSide(site, base, { missing: EXIT.stale, like: to.kind === 'site' ? to.tree : undefined })
  if (typeof side === 'number') return side
  if (side.kind === 'ledger') return { ledger: side.ledger, ref: base, options: {} }
  const { ledgerOfPlan } = await import('../change/ledger-of-plan.ts')
  const applied = await findLedger(site, LEDGER_REF)
  return { ref: null, ...(side.kind === 'site' ? { policies: policiesOf(side.compiled) } : {}), ...ledgerOfPlan(side.plan, applied.kind === 'found' ? applied.ledger.machines : {}) }
}

function stale(message: string): number {
  process.stderr.write(`crowbar: ${message}\n`)
  return EXIT.stale
}

interface PrintOptions {
  readonly format: 'text' | 'json' | 'markdown' | 'github' | 'html'
  readonly maxBytes: number | undefined
  readonly full: boolean
  readonly machines: NonNullable<DiffOptions['machines']>
}

async function print(changes: Changes, { plan }: { readonly plan: Plan }, { format, maxBytes, full, machines }: PrintOptions): Promise<void> {
  if (format === 'json') process.stdout.write(prettyJson(changes as unknown as Json))
  else if (format === 'text') {
    const { diffText } = await import('../print/diff-text.ts')
    process.stdout.write(cut(diffText(changes, plan, { full, machines, color: wantsColour(process.stdout) }), maxBytes))
  } else if (format === 'markdown') {
    const { diffMarkdown } = await import('../print/diff-markdown.ts')
    process.stdout.write(diffMarkdown(changes, plan, { full, machines, ...(maxBytes === undefined ? {} : { maxBytes }) }))
  } else if (format === 'html') {
    const [{ diffText }, { htmlPage }] = await Promise.all([import('../print/diff-text.ts'), import('../print/html-page.ts')])
    process.stdout.write(htmlPage(`${plan.site.name}: changes`, cut(diffText(changes, plan, { full, machines }), maxBytes)))
  } else process.stdout.write((await import('./changes-github.ts')).changesGithub(changes))
}

/** Ends a text after the last whole line that fits, and says so. */
function cut(text: string, maxBytes: number | undefined): string {
  if (maxBytes === undefined || Buffer.byteLength(text) <= maxBytes) return text
  const note = '… cut here by --max-bytes\n'
  let kept = Buffer.from(text).subarray(0, maxBytes - Buffer.byteLength(note)).toString('utf8')
  kept = kept.slice(0, kept.lastIndexOf('\n') + 1)
  return kept + note
}

/** What machines are called by people, and when their disks were last seen. */
function machinesOf(ledger: Ledger, side: Side): PrintOptions['machines'] {
  const inventory = side.kind === 'site' ? side.compiled.ordered.injected.allocated.bound.resolved.site.inventory : undefined
  const ids = new Set([...Object.keys(ledger.machines), ...(inventory?.keys() ?? [])])
  return Object.fromEntries(
    [...ids].map((id) => {
      const facts = inventory?.get(id)?.value.facts
      const seen = own(ledger.machines, id)?.seen
      return [id, { ...(facts === undefined ? {} : { label: labelOf(id, facts) }), ...(seen === undefined ? {} : { seen }) }]
    }),
  )
}

function labelOf(id: string, { dmi }: Facts): string {
  const words = [dmi.serial === '' ? id : dmi.serial, [dmi.vendor, dmi.product].filter((word) => word !== '').join(' ')]
  return words.filter((word) => word !== '').join(', ')
}
