import type { PolicyDocument } from '../../schemas/documents/deployment.ts'
import { policyShape } from '../../schemas/documents/deployment.ts'
import { parse } from '../parse/parse.ts'
import { LOCK_PATH } from '../parse/choose.ts'
import { readRevision, revisionBefore } from '../tree/read.ts'
import { TreeError } from '../tree/tree-error.ts'
import { checkValue } from '../validate/check-value.ts'
import type { Located } from '../validate/site.ts'

/**
 * The policies of the commit before the last edit of a revision, by name; of the newest commit for a folder that is not
 * as it. So one commit cannot take a policy away and do what it denies. What the agent commits by itself, inventory and
 * lock, is no edit. Empty where there is no such commit: no repository, the first commit, or a clone that does not reach
 * so far.
 */
export async function formerPolicies(site: string, ref: string | undefined): Promise<ReadonlyMap<string, Located<PolicyDocument>>> {
  const found = new Map<string, Located<PolicyDocument>>()
  try {
    const before = await revisionBefore({ site, ref, environment: process.env }, ['inventory', LOCK_PATH])
    if (before === null) return found
    const tree = await readRevision(site, before, { environment: process.env, report: () => {} })
    // Few files speak of policies, and the rest of a site is large.
    const files = new Map([...tree.files].filter(([path, file]) => /\.(ya?ml|json)$/.test(path) && file.size < 8 * 1024 * 1024 && new TextDecoder().decode(file.bytes()).includes('policy')))
    for (const source of parse({ commit: tree.commit, files }, () => {})) {
      const { value } = source
      if (value === null || typeof value !== 'object' || Array.isArray(value) || !('kind' in value) || value['kind'] !== 'policy') continue
      if (checkValue(policyShape.json, value, 'a policy').length === 0) found.set((value as unknown as PolicyDocument).name, { value: value as unknown as PolicyDocument, source })
    }
  } catch (cause) {
    if (!(cause instanceof TreeError)) throw cause
  }
  return found
}
