import type { Change } from './changes.ts'

/** Why a change must not run as things are, and what helps, for people; null when it may. */
export function refusalOf({ step, protectedBy, heldBy, lacks }: Pick<Change, 'protectedBy' | 'heldBy' | 'lacks'> & { readonly step: Pick<Change['step'], 'node'> }): string | null {
  if (protectedBy !== null) return `${step.node} is protected at ${protectedBy}: take \`protect\` away in a commit of its own and apply that first`
  if (heldBy !== undefined) return `the machine that ${step.node} is to have is ${heldBy}'s: apply a commit first that gives ${heldBy} another one, or takes it out of the site`
  if (lacks !== undefined) return `${lacks.join(' and ')} of ${step.node} ${lacks.length === 1 ? 'is' : 'are'} not in its machine any more: put ${lacks.length === 1 ? 'it' : 'them'} back, or let \`crowbar lock --rebind ${step.node}:disks\` choose ${lacks.length === 1 ? 'another' : 'others'}`
  return null
}
