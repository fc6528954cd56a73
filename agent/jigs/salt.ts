import { canonical } from '../../schemas/canonical.ts'
import type { Json } from '../../schemas/shape.ts'
import { crowbarPart } from './crowbar-part.ts'
import { JigValueError } from './jig.ts'
import type { Jig, JigEnd, JigInput, JigOutcome } from './jig.ts'
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
  export({ document, entry, content, work, results }) {
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
      command: ['salt-call', '--local', '--config-dir', `${work}/salt`, '--retcode-passthrough', '--no-color', '--out', 'json', '--out-file', `${results}/salt.json`, 'state.apply', match[2] ?? ''],
      environment: { CROWBAR_CONTENT: content, CROWBAR_PROVIDES: `${results}/provides`, CROWBAR_FACTS: `${results}/facts` },
      path: ['/opt/saltstack/salt'],
    }
  },
  import: (end, input) => readOutcome(input.entry, () => outcomeOf(end, input)),
}

interface StateResult {
  readonly result?: boolean | null
  readonly comment?: string
  readonly changes?: { readonly [key: string]: Json }
}

function outcomeOf({ exitCode, files, said }: JigEnd, { entry }: JigInput): JigOutcome {
  const bytes = files.get('salt.json')
  const told = bytes === undefined ? undefined : readJson(readText(bytes, 'salt.json'), 'salt.json') as unknown as { readonly local?: Readonly<Record<string, StateResult>> | readonly string[] }
  const { local } = told ?? {}
  // States that cannot be rendered are a list of messages instead of a map of results.
  const states = local === undefined || Array.isArray(local) ? [] : Object.entries(local as Readonly<Record<string, StateResult>>)
  const failed = states.find(([, state]) => state.result === false)
  if (exitCode !== 0 || failed !== undefined || Array.isArray(local) || local === undefined) {
    const what = failed !== undefined ? `${failed[0].split('_|-').slice(0, 2).join(' ')}: ${failed[1].comment ?? ''}` : Array.isArray(local) ? local.join(' ') : said.trim().split('\n').slice(-2).join(' ')
    return { kind: 'failed', code: 'JIG_EXIT', message: `${entry} ended with exit code ${exitCode}: ${what}` }
  }
  const changed = states.some(([, state]) => Object.keys(state.changes ?? {}).length > 0)
  return { kind: changed ? 'succeeded' : 'unchanged', provides: readValues(files, 'provides'), facts: readValues(files, 'facts') }
}
