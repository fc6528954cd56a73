import type { BoundMachine, BoundNode } from '../bind/bound-site.ts'
import { isPinned, matchesPin, PIN_FIELDS } from '../bind/selector.ts'
import type { NewPin } from '../edit/pin-node.ts'
import { pinNode } from '../edit/pin-node.ts'
import { retireMachine } from '../edit/retire-machine.ts'
import type { Splice } from '../edit/splice.ts'
import { MAC } from '../../schemas/documents/words.ts'
import { EMPTY_LOCK } from '../../schemas/lock.ts'
import type { Lock } from '../../schemas/lock.ts'
import { own } from '../../schemas/own.ts'
import { findNode, refuse } from './find-node.ts'
import type { FoundNode } from './find-node.ts'
import { rewrite } from './rewrite.ts'
import type { RewriteOptions } from './rewrite.ts'
import { EXIT, formatOf, misused } from './session.ts'

export interface ReplaceArguments extends Omit<RewriteOptions, 'format'> {
  readonly serial?: string
  readonly mac?: string
  readonly uuid?: string
  readonly asset?: string
  readonly retire?: true
  readonly format: string
}

/**
 * `crowbar replace NODE`: another machine for a node, which keeps its name, addresses and roles. Pinned to the one that
 * is named; a node that claims by tags or `where` retires its machine and gets the next free one.
 */
export async function replaceCommand(name: string, options: ReplaceArguments): Promise<number> {
  const format = formatOf(options.format, ['text', 'json'])
  if (format === undefined) return EXIT.usage
  const pins = PIN_FIELDS.flatMap((field) => (options[field] === undefined ? [] : [{ field, value: options[field] }]))
  if (pins.length > 1) return misused('name the new machine in one way: --serial, --mac, --uuid or --asset')
  const [pin] = pins
  if (pin?.value === '') return misused(`--${pin.field} is empty`)
  if (pin?.field === 'mac' && !new RegExp(MAC).test(pin.value)) return misused(`${pin.value} is no MAC address such as 52:54:00:12:4d:01`)
  const found = await findNode(options.site, name, { what: 'given another machine' })
  if (typeof found === 'number') return found
  const { tree, bound, node } = found
  if (pin === undefined && isPinned(node.site.value.machine)) return refuse(`${name} is pinned to ${node.selector}: say which machine it gets instead, such as --serial S`, EXIT.fault)
  if (pin === undefined && node.machine === null) return refuse(`${name} has no machine that could be replaced`, EXIT.fault)
  const [there] = pin === undefined ? [] : [...bound.machines.values()].filter((machine) => matchesPin({ [pin.field]: pin.value }, machine.facts))
  const problem = there === undefined ? undefined : inTheWay(there, found)
  if (problem !== undefined) return refuse(problem, EXIT.fault)
  return rewrite({ tree, splices: splicesOf(found, pin, options), next: nextOf(node, pin) }, { ...options, format })
}

function splicesOf({ tree, node }: FoundNode, pin: NewPin | undefined, { retire }: ReplaceArguments): readonly Splice[] {
  const splices = pin === undefined ? [] : [pinNode(node.site, pin)]
  return node.machine !== null && (retire === true || pin === undefined) ? [...splices, retireMachine(node.machine, tree)] : splices
}

function inTheWay(machine: BoundMachine, { bound, node }: FoundNode): string | undefined {
  if (node.machine?.id === machine.id) return `${node.name} has that machine already (${machine.id})`
  if (machine.state !== 'available') return `machine ${machine.id} is ${machine.state}`
  const holder = holderOf({ ...EMPTY_LOCK, ...bound.lock }, machine.id)
  return holder === undefined ? undefined : `${holder} has that machine (${machine.id}): release it, or replace it, first`
}

function nextOf({ name, machine }: BoundNode, pin: NewPin | undefined): (lock: Lock) => string {
  return (lock) => {
    const claimed = own(lock.claims, name)
    const found = claimed === undefined ? `No machine that it may claim has been seen yet: ${name} waits for one.` : `Machine ${claimed} is installed, and the addresses stay.`
    const taker = machine === null ? undefined : holderOf(lock, machine.id)
    const old = pin === undefined || machine === null ? '' : taker === undefined ? ` Its machine so far, ${machine.id}, may then be claimed by others; --retire keeps it from that.` : ` ${taker} takes its machine so far, ${machine.id}; --retire keeps it from that.`
    return `Nothing was done yet. Commit what was written, look at \`crowbar diff --target '*@${name}'\`, then apply. ${found}${taker === name ? '' : old}`
  }
}

/** The node that a lock gives a machine to. */
export function holderOf(lock: Lock, machine: string): string | undefined {
  return Object.entries(lock.claims).find(([, id]) => id === machine)?.[0]
}
