import type { EntriesTask } from '../../../schemas/protocol.ts'
import type { TaskContext, TaskEnd } from '../executor.ts'
import { NodeError } from '../node-error.ts'
import { runRole } from './role.ts'
import type { RoleFolders } from './role.ts'

/**
 * Runs entries of roles one after another, each with its own document and within its own time.
 *
 * What they provide is told to nobody: it stays what their own steps told.
 *
 * @returns `unchanged` when each of them was. @throws {NodeError} of the first that fails; those after it do not run.
 */
export async function runEntries({ attempt, entries }: EntriesTask, { folders, context }: { readonly folders: RoleFolders; readonly context: TaskContext }): Promise<TaskEnd> {
  let changed = false
  for (const { step, timeout, ...work } of entries) {
    context.output('progress', `${work.entry} of ${step}`)
    const late = AbortSignal.timeout(timeout * 1000)
    const signal = AbortSignal.any([context.signal, late])
    try {
      const { outcome } = await runRole({ kind: 'role', attempt, step, ...work, packages: [], repository: null, provides: {}, timeout }, { folders, context: { ...context, signal }, unasked: true })
      changed ||= outcome === 'succeeded'
    } catch (error) {
      if (context.signal.aborted) throw error
      if (late.aborted) throw new NodeError('TIMEOUT', `${work.entry} of ${step} was not done after ${timeout} s`)
      throw error instanceof NodeError ? new NodeError(error.code, `${step}: ${error.message}`) : error
    }
  }
  return { outcome: changed ? 'succeeded' : 'unchanged', provides: {} }
}
