const SUFFIX = '#remove'

/** The id of the step that undoes a role step: `deployment/role@node#remove`. */
export function removalId(step: string): string {
  return `${step}${SUFFIX}`
}

/** The id of the step that a removal undoes, whose ledger entry goes when the removal is done; null for other steps. */
export function removedId(step: string): string | null {
  return step.endsWith(SUFFIX) ? step.slice(0, -SUFFIX.length) : null
}
