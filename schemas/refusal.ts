import type { Change } from './changes.ts'

/** Why a change must not run as things are, and what helps, for people; null when it may. */
export function refusalOf({ step, protectedBy, heldBy }: Pick<Change, 'protectedBy' | 'heldBy'> & { readonly step: Pick<Change['step'], 'node'> }): string | null {
  if (protectedBy !== null) return `${step.node} is protected at ${protectedBy}: take \`protect\` away in a commit of its own and apply that first`
  if (heldBy !== undefined) return `the machine that ${step.node} is to have is ${heldBy}'s: apply a commit first that gives ${heldBy} another one, or takes it out of the site`
  return null
}
