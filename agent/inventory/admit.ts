import { canonical } from '../../schemas/canonical.ts'
import { ADMIN_INCARNATION, adminMachine, incarnation } from '../../schemas/incarnation.ts'
import type { Facts } from '../../schemas/inventory.ts'
import type { Ledger } from '../../schemas/ledger.ts'
import type { Plan } from '../../schemas/plan.ts'
import { renamesOf } from '../../schemas/renames.ts'
import type { Json } from '../../schemas/shape.ts'
import type { NewEvent } from '../log/event-types.ts'
import type { Admission, Candidate } from '../nodes/node-event.ts'
import { standingInstallation } from '../state/standing-installation.ts'
import type { MachineRecord, State } from '../state/state.ts'
import { identify } from './identify.ts'

export interface AdmitSources {
  readonly state: State
  readonly ledger: Ledger
  /** The last plan that compiled; null before the first. */
  readonly plan: Plan | null
  /** Machines of the committed inventory. */
  readonly committed: ReadonlyMap<string, Facts>
}

/** Who a candidate is, whether it gets work, and what of that is new to the log. */
export interface Admitted {
  readonly admission: Admission
  readonly events: readonly NewEvent[]
}

/**
 * Judges a machine that has proven its key. Pure.
 *
 * A machine in the discovery image may be given work unless it is quarantined; an installed one only when it is what its
 * node should be: the machine that the node claims, and the installation that the agent put there (or, joined, none). An
 * installation goes by its own name, not by its node's, which may have changed since; one that joined by the name that it
 * was set up under and its key.
 *
 * One that cannot be told from others is quarantined under an id of its own; admitted by a person, it is a machine of its
 * own from then on.
 */
export function admit(candidate: Candidate, { state, ledger, plan, committed }: AdmitSources): Admitted {
  const { node: name } = candidate
  const isAdmin = name !== null && plan?.nodes[name]?.admin === true
  const known = new Map(committed)
  for (const machine of state.machines.values()) if (machine.facts !== null) known.set(machine.id, machine.facts)
  const identity = identify(candidate.facts, [...known].map(([id, facts]) => ({ id, facts })))
  if (candidate.environment === 'installed' && name !== null && (isAdmin || candidate.incarnation === ADMIN_INCARNATION)) {
    return { admission: judgeAdmin(candidate, { node: name, isAdmin, machine: identity.kind === 'same' ? identity.id : null, plan }), events: [] }
  }
  const machine = identity.id
  const record = state.machines.get(machine)
  const events: NewEvent[] = []
  if (identity.kind === 'tie' && (record === undefined || record.quarantined !== null)) return quarantine(candidate, { machine, reason: identity.because, known: record !== undefined })
  const macs = candidate.facts.nics.map(nic => nic.mac)
  if (record === undefined || !macs.every(mac => record.macs.includes(mac))) events.push({ type: 'machine.seen', data: { machine, macs, firmware: candidate.facts.firmware.kind } })
  if (record?.facts === undefined || record.facts === null || !same(record.facts, candidate.facts)) events.push({ type: 'machine.facts', data: { machine, facts: candidate.facts } })
  events.push({ type: 'machine.disks', data: { machine, disks: candidate.disks } })
  const node = Object.entries(plan?.nodes ?? {}).find(([, one]) => one.machine === machine)?.[0] ?? null
  return { admission: judge(candidate, { machine, node, state, ledger, plan }), events }
}

/** An admin node runs roles and is no machine of the inventory; one that a node claims all the same must not be given either's work. */
function judgeAdmin(candidate: Candidate, { node, isAdmin, machine, plan }: { readonly node: string; readonly isAdmin: boolean; readonly machine: string | null; readonly plan: Plan | null }): Admission {
  const refuse = (code: string, reason: string): Admission => ({ machine: adminMachine(node), node, work: false, code, reason })
  if (!isAdmin) return refuse('UNCLAIMED', `it says it is the admin node ${node}, and the site has no admin node of that name`)
  if (candidate.incarnation !== ADMIN_INCARNATION) return refuse('STALE', `${node} is an admin node, and this says it is another one: set it up again with what crowbar join ${node} prints`)
  const claimed = machine === null ? undefined : Object.entries(plan?.nodes ?? {}).find(([, one]) => one.machine === machine)?.[0]
  if (claimed !== undefined) return refuse('ADMIN_CLAIMED', `${node} is the admin node, and ${claimed} claims its machine ${machine}: say \`state: retired\` of that machine`)
  return { machine: adminMachine(node), node, work: true }
}

/** Its facts stay out of the inventory: they would make the next one like it a tie with this one. */
function quarantine(candidate: Candidate, { machine, reason, known }: { readonly machine: string; readonly reason: string; readonly known: boolean }): Admitted {
  const code = 'IDENTITY_TIE'
  const macs = candidate.facts.nics.map(nic => nic.mac)
  return {
    admission: { machine, node: null, work: false, code, reason },
    events: known ? [] : [{ type: 'machine.seen', data: { machine, macs, firmware: candidate.facts.firmware.kind } }, { type: 'machine.quarantined', data: { machine, code, reason } }],
  }
}

function judge(candidate: Candidate, { machine, node, state, ledger, plan }: { readonly machine: string; readonly node: string | null; readonly state: State; readonly ledger: Ledger; readonly plan: Plan | null }): Admission {
  const refuse = (code: string, reason: string): Admission => ({ machine, node, work: false, code, reason })
  const quarantined = state.machines.get(machine)?.quarantined
  if (quarantined) return refuse(quarantined.code, quarantined.reason)
  if (candidate.environment === 'discovery') return { machine, node, work: true }
  if (node === null || plan === null) return refuse('UNCLAIMED', `it says it is ${candidate.node ?? 'a node'}, and no node claims machine ${machine}`)
  const planned = plan.nodes[node]
  // Its new name may be committed, and not in force yet.
  const isKnown = planned === undefined || ledger.nodes[node]?.index === planned.index
  const name = isKnown ? node : ([...renamesOf(ledger, plan)].find(([, to]) => to === node)?.[0] ?? node)
  const isNamed = candidate.node === node || candidate.node === name
  const joined = planned?.os !== null && planned?.os !== undefined && plan.systems[planned.os]?.install === 'joined'
  if (joined && candidate.incarnation !== null) return refuse('STALE', `${node} is to be joined, and this is an installation of ours`)
  const stranger = (): Admission => refuse('STALE', `it says it is ${candidate.node ?? 'no node'}, and machine ${machine} is ${node}`)
  const welcome: Admission = { machine, node: name, work: true }
  if (joined) return isNamed || nameNow(candidate, state.machines.get(machine)) === name ? welcome : stranger()
  const standing = standingInstallation(name, { state, ledger })
  const sent = state.unfinished.get(`install@${name}`)
  const expected = [
    ...(standing?.machine === machine ? [standing.incarnation] : []),
    // The word that its system is whole may have been lost; that it runs is as good.
    ...(sent?.machine === machine ? [incarnation({ node: name, once: sent.once, attempt: sent.attempt })] : []),
  ]
  if (candidate.incarnation !== null && expected.includes(candidate.incarnation)) return welcome
  return isNamed ? refuse('STALE', `this is not the installation that ${node} should run`) : stranger()
}

/** What a joined machine is called now that says the name that it was set up under; null when it has another key than the machine had then. */
function nameNow({ node, key }: Candidate, record: MachineRecord | undefined): string | null {
  if (record?.keys.installed !== key) return null
  return record.renamed.reduce((name, { from, to }) => (name === from ? to : name), node)
}

function same(a: Facts, b: Facts): boolean {
  return canonical(a as unknown as Json) === canonical(b as unknown as Json)
}
