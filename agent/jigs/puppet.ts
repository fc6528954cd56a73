import { canonical } from '../../schemas/canonical.ts'
import type { Json } from '../../schemas/shape.ts'
import { crowbarPart } from './crowbar-part.ts'
import type { Foreseen } from '../../schemas/foreseen.ts'
import type { Jig, JigEnd, JigExport, JigForeseen, JigInput, JigOutcome } from './jig.ts'
import { PUPPET_REPORT } from './puppet-report.ts'
import { readJson, readOutcome, readText, readValues, ResultError } from './read-values.ts'
import { topNames } from './top-names.ts'

/**
 * Runs a manifest on the node itself, with `puppet apply`.
 *
 * The step's document is there as Hiera data: `<barclamp>` (with `_` for `-`) as a whole, `<barclamp>::<attribute>` for the
 * parameters of a class of that name, `wants`, `crowbar`. Modules are found in `modules/` of the barclamp and where the
 * distribution puts them. Values to provide: files in the folder `$facts['crowbar_provides']`. Puppet itself says whether
 * something changed. The node's own Puppet configuration is neither read nor written.
 */
export const puppetJig: Jig = {
  name: 'puppet',
  export: (input) => exported(input, []),
  import: (end, input) => readOutcome(input.entry, () => outcomeOf(end, input)),
  dryRun: {
    export: (input) => exported(input, ['--noop', input.secretive ? '--no-show_diff' : '--show_diff']),
    import: (end, input) => readOutcome<JigForeseen>(input.entry, () => foreseenOf(end, input)),
  },
}

function exported({ document, entry, content, work, results }: JigInput, mode: readonly string[]): JigExport {
  const { fqdn } = crowbarPart(document)
  return {
    files: [
      { path: 'hiera.yaml', mode: 0o600, text: `${canonical(HIERA)}\n` },
      { path: 'data/crowbar.json', mode: 0o600, text: `${canonical(hieraData(document))}\n` },
      { path: 'modules/crowbar_report/lib/puppet/reports/crowbar.rb', mode: 0o600, text: PUPPET_REPORT },
    ],
    command: [
      'puppet', 'apply', '--detailed-exitcodes', '--color=false', '--confdir', `${work}/puppet`, '--vardir', `${work}/var`, '--reports', 'crowbar',
      '--hiera_config', `${work}/hiera.yaml`, '--modulepath', `${content}/modules:/usr/share/puppet/modules:${work}/modules`,
      ...(fqdn === '' ? [] : ['--certname', fqdn.toLowerCase()]), ...mode, `${content}/${entry}`,
    ],
    environment: {
      FACTER_crowbar_provides: `${results}/provides`,
      FACTER_crowbar_facts: `${results}/facts`,
      FACTER_crowbar_content: content,
      CROWBAR_RESULTS: results,
    },
    path: [],
  }
}

const HIERA: Json = { version: 5, defaults: { datadir: 'data', data_hash: 'json_data' }, hierarchy: [{ name: 'crowbar', path: 'crowbar.json' }] }

/** The document as Hiera keys. `%{` in a value is written so that Hiera does not take it for a lookup. */
export function hieraData(document: { readonly [key: string]: Json }): { readonly [key: string]: Json } {
  const data: Record<string, Json> = {}
  for (const [name, value] of Object.entries(topNames(document))) {
    data[name] = literal(value)
    if (name === 'crowbar' || value === null || typeof value !== 'object' || Array.isArray(value)) continue
    for (const [key, child] of Object.entries(value as { readonly [key: string]: Json })) data[`${name}::${key}`] = literal(child)
  }
  return data
}

function literal(value: Json): Json {
  if (typeof value === 'string') return value.replaceAll('%{', "%{literal('%')}{")
  if (value === null || typeof value !== 'object') return value
  if (Array.isArray(value)) return (value as readonly Json[]).map(literal)
  return Object.fromEntries(Object.entries(value).map(([key, child]) => [key.replaceAll('%{', "%{literal('%')}{"), literal(child)]))
}

interface Told {
  readonly resource: string
  readonly file: string
  readonly line: number | null
  readonly changed: boolean
  readonly failed: boolean
  readonly noop: boolean
  readonly message: string
}

/** What the report says; undefined when the catalogue did not compile: then there is none. A provided value is a file of this run, and no change of the node. */
function toldBy(files: JigEnd['files'], { results }: JigInput): readonly Told[] | undefined {
  const bytes = files.get('puppet.json')
  const told = bytes === undefined ? undefined : readJson(readText(bytes, 'puppet.json'), 'puppet.json') as unknown as { readonly resources: readonly Told[] }
  return told?.resources.filter(({ resource, failed }) => failed || !resource.startsWith(`File[${results}/`))
}

/** With `--detailed-exitcodes`: 0 nothing to do, 2 changed, 4 and 6 some resource failed, 1 it did not compile. */
function outcomeOf({ exitCode, files, said }: JigEnd, input: JigInput): JigOutcome {
  const { content, entry } = input
  const told = toldBy(files, input)
  if (exitCode !== 0 && exitCode !== 2) {
    const failed = (told ?? []).filter((one) => one.failed).slice(0, 2).map((one) => `${one.resource} (${placeOf(one)}): ${one.message}`)
    const what = failed.length === 0 ? errorText(said) : failed.join(' ')
    return { kind: 'failed', code: 'JIG_EXIT', message: `${entry} ended with exit code ${exitCode}: ${what}`.replaceAll(`${content}/`, '') }
  }
  if (told === undefined) throw new ResultError('the manifest ended without a report')
  return { kind: told.some(({ changed }) => changed) ? 'succeeded' : 'unchanged', provides: readValues(files, 'provides'), facts: readValues(files, 'facts') }
}

function foreseenOf({ exitCode, files, said }: JigEnd, input: JigInput): JigForeseen {
  const { content, entry } = input
  const told = toldBy(files, input)
  if (told === undefined) return { kind: 'failed', code: 'JIG_EXIT', message: `${entry} ended with exit code ${exitCode}: ${errorText(said)}`.replaceAll(`${content}/`, '') }
  return {
    kind: 'foreseen',
    foreseen: told.filter(({ noop, failed }) => noop || failed).map((one): Foreseen => ({ what: one.resource, at: placeOf(one).replace(`${content}/`, ''), effect: one.failed ? 'unknown' : 'change', detail: one.message })),
  }
}

function placeOf({ file, line }: Told): string {
  return line === null ? file : `${file}:${line}`
}

/** The first errors. Facter calls it an error when it may not look into a corner of the machine. */
function errorText(said: string): string {
  const errors = said.split('\n').filter((line) => /^(Error: (?!Facter:)|Could not\b)/.test(line)).slice(0, 2)
  return errors.length === 0 ? said.trim().split('\n').slice(-2).join(' ') : errors.join(' ')
}
