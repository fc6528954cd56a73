import type { BoundMachine, BoundNode } from '../bind/bound-site.ts'
import { isPinned, matchesPin, PIN_FIELDS } from '../bind/selector.ts'
import type { NewPin } from '../edit/pin-node.ts'
import { pinNode } from '../edit/pin-node.ts'
import type { Splice } from '../edit/splice.ts'
import { scalarText } from '../edit/yaml-text.ts'
import { MAC } from '../../schemas/documents/words.ts'
import type { Tree } from '../tree/tree.ts'
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

/** Where words about machines that are gone are written. */
const RETIRED_PATH = 'retired.yaml'

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
  return rewrite({ tree, splices: splicesOf(found, pin, options), next: nextOf(node, pin, there) }, { ...options, format })
}

function splicesOf({ tree, node }: FoundNode, pin: NewPin | undefined, { retire }: ReplaceArguments): readonly Splice[] {
  const splices = pin === undefined ? [] : [pinNode(node.site, pin)]
  return node.machine !== null && (retire === true || pin === undefined) ? [...splices, retired(tree, node.machine)] : splices
}

function inTheWay(machine: BoundMachine, { bound, node }: FoundNode): string | undefined {
  if (node.machine?.id === machine.id) return `${node.name} has that machine already (${machine.id})`
  if (machine.state !== 'available') return `machine ${machine.id} is ${machine.state}`
  const holder = Object.entries(bound.lock.claims).find(([, id]) => id === machine.id)?.[0]
  return holder === undefined ? undefined : `${holder} has that machine (${machine.id}): release it, or replace it, first`
}

function retired(tree: Tree, { id, facts }: BoundMachine): Splice {
  const before = new TextDecoder().decode(tree.files.get(RETIRED_PATH)?.bytes())
  const { serial, uuid } = facts.dmi
  const name = serial !== '' ? `serial: ${scalarText(serial)}` : uuid !== '' ? `uuid: ${scalarText(uuid)}` : `mac: ${JSON.stringify(facts.nics[0]?.mac ?? id)}`
  const mark = before === '' ? '' : `${before.endsWith('\n') ? '' : '\n'}---\n`
  return { path: RETIRED_PATH, start: before.length, end: before.length, text: `${mark}kind: machine\n${name}\nstate: retired\n` }
}

function nextOf({ name, machine }: BoundNode, pin: NewPin | undefined, there: BoundMachine | undefined): string {
  const unseen = pin !== undefined && there === undefined ? ` No machine with ${pin.field} ${pin.value} has been seen yet: the node waits for it.` : ''
  const old = pin === undefined || machine === null ? '' : ` Its machine so far, ${machine.id}, is then free to be claimed; --retire keeps it from that.`
  return `Nothing was done yet. Commit what was written, look at \`crowbar diff --target '*@${name}'\`, then apply: the new machine is installed, and the addresses stay.${unseen}${old}`
}
