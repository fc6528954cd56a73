import type { Jig } from './jig.ts'

/** Does nothing: for roles that only group or order others. */
export const noopJig: Jig = {
  name: 'noop',
  export: () => ({ files: [], command: null, environment: {}, path: [] }),
  import: () => ({ kind: 'unchanged', provides: {}, facts: {} }),
  dryRun: { export: () => ({ files: [], command: null, environment: {}, path: [] }), import: () => ({ kind: 'foreseen', foreseen: [] }) },
}
