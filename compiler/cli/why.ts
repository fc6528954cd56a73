import { suggest } from '../../schemas/cel/suggest.ts'
import { heldBecause, isHeld, LEDGER_REF } from '../../schemas/ledger.ts'
import { own } from '../../schemas/own.ts'
import type { Plan, Step } from '../../schemas/plan.ts'
import { ancestorsOf, chainBetween, why } from '../explain/why.ts'
import { planDot } from '../print/plan-dot.ts'
import { chainText, whyText } from '../print/why-text.ts'
import { findLedger } from './base.ts'
import { compileSite } from './compile-site.ts'
import type { SiteArguments } from './compile-site.ts'
import { globMatcher } from '../../schemas/glob.ts'
import { EXIT, formatOf, misused, tell } from './session.ts'

/** Steps that one glob shows as text. */
const MAX_SHOWN = 50

/** `crowbar why STEP`: what it needs, the chain that makes it as late as it is, and whether its node is held. */
export async function whyCommand(glob: string, options: SiteArguments & { readonly before?: string; readonly format: string }): Promise<number> {
  const format = formatOf(options.format, ['text', 'json', 'dot'])
  if (format === undefined) return EXIT.usage
  const { tree, compiled, diagnostics } = await compileSite(options)
  tell(diagnostics, tree)
  if (compiled === undefined) return EXIT.fault
  const steps = new Map([...compiled.plan.steps, ...compiled.plan.operations.flatMap((operation) => operation.steps)].map((step) => [step.id, step]))
  const named = [...steps.keys()].filter(globMatcher(glob))
  const found = named.length > 0 ? named : [...steps.values()].filter(({ node }) => node === glob).map(({ id }) => id)
  if (found.length === 0) return stranger(glob, steps)
  if (options.before !== undefined) {
    const [only] = found
    if (only === undefined || found.length > 1) return misused(`--before takes one step, and ${found.length} are called ${glob}`)
    return printBetween(steps, { from: only, to: options.before, format })
  }
  const held = await heldNodes(options.site, compiled.plan)
  const heldOf = (id: string): string | undefined => held.get(steps.get(id)?.node ?? '')
  if (format === 'json') process.stdout.write(`${JSON.stringify(found.map((id) => ({ ...why(steps, id), ...(heldOf(id) === undefined ? {} : { held: heldOf(id) }) })), null, 2)}\n`)
  else if (format === 'dot') {
    const behind = ancestorsOf(steps, found)
    process.stdout.write(planDot({ ...compiled.plan, steps: [...steps.values()].filter(({ id }) => behind.has(id)) }))
  } else {
    process.stdout.write(found.slice(0, MAX_SHOWN).map((id) => whyText(why(steps, id), heldOf(id))).join('\n'))
    if (found.length > MAX_SHOWN) process.stdout.write(`\n... and ${found.length - MAX_SHOWN} more: --format json has them all\n`)
  }
  return EXIT.done
}

/** Node → why it is held, by the ledger and what the site says now; none where no ledger can be read. */
async function heldNodes(site: string, plan: Plan): Promise<ReadonlyMap<string, string>> {
  const found = await findLedger(site, LEDGER_REF)
  if (found.kind !== 'found') return new Map()
  const nodes = Object.values(found.ledger.nodes)
  return new Map(nodes.flatMap((node) => (node.erased !== undefined && isHeld(node, own(plan.nodes, node.node)) ? [[node.node, heldBecause(node.node, node.erased)] as const] : [])))
}

type Steps = ReadonlyMap<string, Step>

function printBetween(steps: Steps, { from, to, format }: { readonly from: string; readonly to: string; readonly format: 'text' | 'json' | 'dot' }): number {
  if (!steps.has(to)) return stranger(to, steps)
  if (format === 'dot') return misused('--before has the formats text and json')
  const chain = chainBetween(steps, from, to)
  if (chain !== undefined) {
    process.stdout.write(format === 'json' ? `${JSON.stringify(chain, null, 2)}\n` : chainText(chain))
    return EXIT.done
  }
  const reverse = chainBetween(steps, to, from) !== undefined
  process.stderr.write(`crowbar: ${from} does not wait for ${to}${reverse ? `; it is the other way round: crowbar why ${to} --before ${from}` : ', nor the other way round'}\n`)
  return EXIT.fault
}

function stranger(name: string, steps: Steps): number {
  const near = suggest(name, steps.keys())
  process.stderr.write(`crowbar: no step is called ${JSON.stringify(name)}${near === undefined ? '' : `; did you mean ${near}?`}\n`)
  return EXIT.fault
}
