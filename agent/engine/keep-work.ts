import type { Changes } from '../../schemas/changes.ts'
import type { Plan } from '../../schemas/plan.ts'
import type { Json } from '../../schemas/shape.ts'
import type { Documents } from '../log/documents.ts'
import type { RunWork } from '../log/event-types.ts'
import { prepareWork } from './work.ts'
import type { Work } from './work.ts'

/** Work whose plan and changes the log has, by the hashes that events name. */
export interface KeptWork {
  readonly work: Work
  readonly plan: string
  readonly changes: string
}

/** Before an event names the work: who reads the event later finds what it names. */
export async function keepWork(work: Work, documents: Documents): Promise<KeptWork> {
  return { work, plan: await documents.put(work.plan as unknown as Json), changes: await documents.put(work.changes as unknown as Json) }
}

/** The work of an earlier life, as an event names it. */
export async function loadWork({ commit, plan, changes, only }: Pick<RunWork, 'commit' | 'plan' | 'changes' | 'only'>, rollouts: RunWork['rollouts'], documents: Documents): Promise<KeptWork> {
  const compiled = { commit, plan: (await documents.get(plan)) as unknown as Plan, changes: (await documents.get(changes)) as unknown as Changes }
  return { work: prepareWork(compiled, only, rollouts), plan, changes }
}
