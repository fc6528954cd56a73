import { canonical } from '../../schemas/canonical.ts'
import type { Json } from '../../schemas/shape.ts'
import { crowbarPart } from './crowbar-part.ts'
import type { Foreseen } from '../../schemas/foreseen.ts'
import { JigValueError } from './jig.ts'
import type { Jig, JigEnd, JigExport, JigForeseen, JigInput, JigOutcome } from './jig.ts'
import { readJson, readOutcome, readText, readValues } from './read-values.ts'

/**
 * Applies a state on the node itself, with `salt-call --local`. Its entry is `<folder>/<name>.sls`; the folder is the file
 * root, so that states include each other as usual.
 *
 * The step's document is the pillar: `pillar['<barclamp>']['<attribute>']`, `pillar['wants']`, `pillar['crowbar']`. Values
 * to provide: files in the folder `pillar['crowbar_provides']`. Debian has no Salt: its programs have to be on the node.
 */
export const saltJig: Jig = {
  name: 'salt',
  export: (input) => exported(input, []),
  import: (end, input) => readOutcome(input.entry, () => outcomeOf(end, input)),
  dryRun: { export: (input) => exported(input, ['test=True']), import: (end, input) => readOutcome<JigForeseen>(input.entry, () => foreseenOf(end, input)) },
}

function exported({ document, entry, content, work, results }: JigInput, mode: readonly string[]): JigExport {
  const match = /^(?:([^/].*)\/)?([A-Za-z0-9_-]+)\.sls$/.exec(entry)
  if (match === null) throw new JigValueError('the entry of a salt role is <folder>/<name>.sls')
  const { fqdn } = crowbarPart(document)
  const minion = {
    file_client: 'local', id: fqdn === '' ? 'node' : fqdn, file_roots: { base: [match[1] === undefined ? content : `${content}/${match[1]}`] },
    pillar_roots: { base: [`${work}/pillar`] }, root_dir: `${work}/root`, cachedir: `${work}/cache`, log_level_logfile: 'quiet',
  }
  const pillar = { ...document, crowbar_provides: `${results}/provides`, crowbar_facts: `${results}/facts`, crowbar_content: content }
  return {
    files: [
      { path: 'salt/minion', mode: 0o600, text: `${canonical(minion)}\n` },
      { path: 'pillar/top.sls', mode: 0o600, text: `${canonical({ base: { '*': ['crowbar'] } })}\n` },
      // The json renderer alone: what looks like a template in a value stays as it is.
      { path: 'pillar/crowbar.sls', mode: 0o600, text: `#!json\n${canonical(pillar)}\n` },
    ],
    command: ['salt-call', '--local', '--config-dir', `${work}/salt`, '--retcode-passthrough', '--no-color', '--out', 'json', '--out-file', `${results}/salt.json`, 'state.apply', match[2] ?? '', ...mode],
    environment: { CROWBAR_CONTENT: content, CROWBAR_PROVIDES: `${results}/provides`, CROWBAR_FACTS: `${results}/facts` },
    path: ['/opt/saltstack/salt'],
  }
}

interface StateResult {
  /** null in a dry run: it would change something. */
  readonly result?: boolean | null
  readonly comment?: string
  readonly changes?: { readonly [key: string]: Json }
}

interface Told {
  /** Undefined when the states could not be rendered. */
  readonly states: readonly (readonly [string, StateResult])[] | undefined
  readonly problem: string
}

/** States that cannot be rendered are a list of messages instead of a map of results. */
function toldBy({ files, said }: JigEnd): Told {
  const bytes = files.get('salt.json')
  const { local } = bytes === undefined ? {} : readJson(readText(bytes, 'salt.json'), 'salt.json') as unknown as { readonly local?: Readonly<Record<string, StateResult>> | readonly string[] }
  if (local === undefined) return { states: undefined, problem: said.trim().split('\n').slice(-2).join(' ') }
  return Array.isArray(local) ? { states: undefined, problem: local.join(' ') } : { states: Object.entries(local as Readonly<Record<string, StateResult>>), problem: '' }
}

/** `file_|-<id>_|-<name>_|-managed` as people know it; a result does not say the line, only the file's name. */
function nameOf(key: string): string {
  return key.split('_|-').slice(0, 2).join(' ')
}

function outcomeOf(end: JigEnd, { entry }: JigInput): JigOutcome {
  const { exitCode, files } = end
  const { states, problem } = toldBy(end)
  const failed = states?.find(([, state]) => state.result === false)
  if (exitCode !== 0 || failed !== undefined || states === undefined) {
    return { kind: 'failed', code: 'JIG_EXIT', message: `${entry} ended with exit code ${exitCode}: ${failed === undefined ? problem : `${nameOf(failed[0])}: ${failed[1].comment ?? ''}`}` }
  }
  const changed = states.some(([, state]) => Object.keys(state.changes ?? {}).length > 0)
  return { kind: changed ? 'succeeded' : 'unchanged', provides: readValues(files, 'provides'), facts: readValues(files, 'facts') }
}

/** With `test=True` a state that would change something has no result yet. */
function foreseenOf(end: JigEnd, { entry, results }: JigInput): JigForeseen {
  const { states, problem } = toldBy(end)
  if (states === undefined) return { kind: 'failed', code: 'JIG_EXIT', message: `${entry} ended with exit code ${end.exitCode}: ${problem}` }
  const open = states.filter(([key, { result }]) => result !== true && !key.includes(`${results}/`))
  return { kind: 'foreseen', foreseen: open.map(([key, { result, comment = '' }]): Foreseen => ({ what: nameOf(key), at: null, effect: result === false ? 'unknown' : 'change', detail: comment })) }
}
