import type { Json } from '../../schemas/shape.ts'
import type { Jig, JigOutcome } from './jig.ts'

/**
 * Says what its entry says, without running anything: for trying out sites and the engine.
 *
 * The entry is a JSON file `{ "outcome": "succeeded" | "unchanged" | "failed", "provides": {…}, "facts": {…}, "message": "…" }`,
 * each key optional. An entry that is not such a file fails with JIG_RESULT.
 */
export const testJig: Jig = {
  name: 'test',
  export: () => ({ files: [], command: null, environment: {}, path: [] }),
  import: (_end, input) => read(input.entry, input.entryText),
  dryRun: {
    export: () => ({ files: [], command: null, environment: {}, path: [] }),
    import(_end, { entry, entryText }) {
      const outcome = read(entry, entryText)
      if (outcome.kind === 'failed') return outcome
      return { kind: 'foreseen', foreseen: outcome.kind === 'unchanged' ? [] : [{ what: entry, at: null, effect: 'change', detail: 'as it says' }] }
    },
  },
}

function read(entry: string, text: string): JigOutcome {
  let said: unknown
  try {
    said = JSON.parse(text)
  } catch (error) {
    return { kind: 'failed', code: 'JIG_RESULT', message: `${entry} is not JSON: ${(error as Error).message}` }
  }
  if (!isObject(said)) return { kind: 'failed', code: 'JIG_RESULT', message: `${entry} is not a JSON object` }
  const { outcome = 'succeeded', provides = {}, facts = {}, message = 'as asked' } = said
  if (outcome === 'failed') return { kind: 'failed', code: 'JIG_EXIT', message: typeof message === 'string' ? message : 'as asked' }
  if ((outcome !== 'succeeded' && outcome !== 'unchanged') || !isObject(provides) || !isObject(facts)) {
    return { kind: 'failed', code: 'JIG_RESULT', message: `${entry}: outcome, provides or facts is not as a test jig's entry has it` }
  }
  return { kind: outcome, provides, facts }
}

function isObject(value: unknown): value is { readonly [key: string]: Json } {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}
