import { canonical } from '../../schemas/canonical.ts'
import type { Json } from '../../schemas/shape.ts'
import { crowbarPart } from './crowbar-part.ts'
import { shellQuote } from './shell-attributes.ts'
import type { Jig, JigEnd, JigInput, JigOutcome } from './jig.ts'
import { readJson, readOutcome, readText, readValue, ResultError } from './read-values.ts'

/**
 * Runs a program of the barclamp that speaks a small protocol, so that a tool that Crowbar does not know can be wrapped in
 * any language.
 *
 * Standard input is one JSON object: `{ "version": 1, "action": "run", "document": {…}, "content": "<folder>" }`; the
 * action is why it runs: run, remove, check, drain, resume, upgrade, preview. Standard output is one JSON object a line:
 *
 *     {"type": "log", "text": "…"}                        shown among the step's output
 *     {"type": "provide", "name": "…", "value": any}
 *     {"type": "fact", "name": "…", "value": any}
 *     {"type": "end", "outcome": "succeeded" | "unchanged" | "failed", "message": "…"}
 *
 * `end` comes last and once. Standard error is shown as it is. Exit code 0 belongs to succeeded and unchanged.
 */
export const execJig: Jig = {
  name: 'exec',
  export({ document, entry, content, work, results }) {
    const request = { version: 1, action: crowbarPart(document).action, document, content }
    const out = `${results}/exec.jsonl`
    return {
      files: [{ path: 'request.json', mode: 0o600, text: `${canonical(request)}\n` }],
      command: ['sh', '-c', `${shellQuote(`${content}/${entry}`)} < ${shellQuote(`${work}/request.json`)} > ${shellQuote(out)}`],
      environment: { CROWBAR_CONTENT: content },
      path: [],
    }
  },
  import: (end, input) => readOutcome(input.entry, () => outcomeOf(end, input)),
  dryRun: null,
}

function outcomeOf({ exitCode, files }: JigEnd, { entry }: JigInput): JigOutcome {
  const provides: Record<string, Json> = {}
  const facts: Record<string, Json> = {}
  let ended: { readonly [key: string]: Json } | undefined
  const text = readText(files.get('exec.jsonl') ?? new Uint8Array(), 'its standard output')
  for (const [index, line] of text.split('\n').entries()) {
    if (line.trim() === '') continue
    const place = `line ${index + 1} of its standard output`
    const said = readJson(line, place)
    if (said === null || typeof said !== 'object' || Array.isArray(said)) throw new ResultError(`${place} is not a JSON object`)
    const { type, name, value } = said as { readonly [key: string]: Json }
    if (ended !== undefined) throw new ResultError(`${place} comes after its end`)
    if (type === 'end') ended = said as { readonly [key: string]: Json }
    else if (type === 'provide' || type === 'fact') {
      if (typeof name !== 'string' || value === undefined) throw new ResultError(`${place} has no name or no value`)
      const values = type === 'provide' ? provides : facts
      if (Object.hasOwn(values, name)) throw new ResultError(`${place} says ${name} again`)
      values[name] = (readValue(line, place) as { readonly value: Json }).value
    } else if (type !== 'log') throw new ResultError(`${place} is of no type that is known: ${JSON.stringify(type ?? null)}`)
  }
  const message = typeof ended?.['message'] === 'string' ? ended['message'] : ''
  if (exitCode !== 0) return { kind: 'failed', code: 'JIG_EXIT', message: `${entry} ended with exit code ${exitCode}${message === '' ? '' : `: ${message}`}` }
  const outcome = ended?.['outcome']
  if (outcome === 'failed') return { kind: 'failed', code: 'JIG_EXIT', message: `${entry}: ${message === '' ? 'it says that it failed' : message}` }
  if (outcome !== 'succeeded' && outcome !== 'unchanged') throw new ResultError('it did not say how it ended')
  return { kind: outcome, provides, facts }
}
