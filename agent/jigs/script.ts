import { canonical } from '../../schemas/canonical.ts'
import type { Json } from '../../schemas/shape.ts'
import type { Jig, JigEnd, JigOutcome } from './jig.ts'
import { readOutcome, readValues } from './read-values.ts'
import { shellAttributes } from './shell-attributes.ts'
import { CROWBAR_GET, CROWBAR_PROVIDE, CROWBAR_UNCHANGED } from './shell-commands.ts'
import { valueFiles } from './value-files.ts'

/** Programs by the ending of an entry that is not to be run by its own `#!` line. */
const INTERPRETERS: Readonly<Record<string, string>> = { sh: 'sh', bash: 'bash', py: 'python3', pl: 'perl', rb: 'ruby' }

/**
 * Runs a script, in the folder of the barclamp's files.
 *
 * Environment: `CROWBAR_DOCUMENT` the document as a JSON file; `CROWBAR_ATTRIBUTES` the same as a file for `.` (see
 * `shellAttributes`); `CROWBAR_VALUES` the same, a file per value (see `valueFiles`), which `crowbar-get` reads;
 * `CROWBAR_PROVIDES` the folder where `<name>` is a string and `<name>.json` any JSON value, which `crowbar-provide`
 * writes; `CROWBAR_FACTS` likewise for facts; `CROWBAR_CONTENT` the barclamp's files; `CROWBAR_STEP` the step;
 * `CROWBAR_ACTION` why it runs: run, remove, check, drain, resume, upgrade.
 * `crowbar-unchanged` makes the outcome `unchanged`. A script with a `#!` line is run by it, another one by its ending
 * (`.sh`, `.bash`, `.py`, `.pl`, `.rb`), else by `sh`.
 */
export const scriptJig: Jig = {
  name: 'script',
  export({ document, entry, entryText, content, work, results }) {
    const crowbar = document['crowbar'] as { readonly step?: Json; readonly action?: Json } | undefined
    const program = `${content}/${entry}`
    return {
      files: [
        { path: 'document.json', mode: 0o600, text: `${canonical(document)}\n` },
        { path: 'attributes.sh', mode: 0o600, text: shellAttributes(document) },
        ...valueFiles(document, 'values'),
        { path: 'bin/crowbar-get', mode: 0o700, text: CROWBAR_GET },
        { path: 'bin/crowbar-provide', mode: 0o700, text: CROWBAR_PROVIDE },
        { path: 'bin/crowbar-unchanged', mode: 0o700, text: CROWBAR_UNCHANGED },
      ],
      command: commandFor(program, entryText),
      environment: {
        CROWBAR_DOCUMENT: `${work}/document.json`,
        CROWBAR_ATTRIBUTES: `${work}/attributes.sh`,
        CROWBAR_VALUES: `${work}/values`,
        CROWBAR_RESULTS: results,
        CROWBAR_PROVIDES: `${results}/provides`,
        CROWBAR_FACTS: `${results}/facts`,
        CROWBAR_CONTENT: content,
        CROWBAR_STEP: typeof crowbar?.step === 'string' ? crowbar.step : '',
        CROWBAR_ACTION: typeof crowbar?.action === 'string' ? crowbar.action : '',
      },
      path: [`${work}/bin`],
    }
  },
  import: (end, input) => outcomeOf(end, input.entry),
  dryRun: null,
}

function commandFor(program: string, text: string): readonly [string, ...string[]] {
  if (text.startsWith('#!')) return [program]
  const ending = /\.([a-z]+)$/.exec(program)?.[1] ?? 'sh'
  return [INTERPRETERS[ending] ?? 'sh', program]
}

function outcomeOf({ exitCode, files }: JigEnd, entry: string): JigOutcome {
  if (exitCode !== 0) return { kind: 'failed', code: 'JIG_EXIT', message: `${entry} ended with exit code ${exitCode}` }
  return readOutcome(entry, () => {
    const provides = readValues(files, 'provides')
    const facts = readValues(files, 'facts')
    return { kind: files.has('unchanged') ? 'unchanged' : 'succeeded', provides, facts }
  })
}
