import { ANSIBLE_CALLBACK } from './ansible-callback.ts'
import { flowYaml, quoted } from '../../schemas/flow-yaml.ts'
import { crowbarPart } from './crowbar-part.ts'
import type { Foreseen } from '../../schemas/foreseen.ts'
import type { Jig, JigEnd, JigExport, JigForeseen, JigInput, JigOutcome } from './jig.ts'
import { readJson, readOutcome, readText, readValue, readValues, ResultError } from './read-values.ts'
import { topNames } from './top-names.ts'

/**
 * Runs a playbook on the node itself, with `ansible-playbook` and a local connection.
 *
 * The step's document is there as variables of all hosts: `<barclamp>.<attribute>` (with `_` for `-` in the barclamp's
 * name), `wants.<want>`, `crowbar.…`. The inventory has the node alone, in groups named by its role, its deployment and its
 * tags (with `_` for what a group may not have), so that `hosts: all`, `hosts: localhost` and `hosts: <role>` all do.
 * `roles/`, `library/`, `collections/` and so on of the barclamp are found. Values to provide: `set_stats`, or files in the
 * folder `CROWBAR_PROVIDES`. No task that changed something means `unchanged`.
 */
export const ansibleJig: Jig = {
  name: 'ansible',
  export: (input) => exported(input, []),
  import: (end, input) => readOutcome(input.entry, () => outcomeOf(end, input)),
  dryRun: {
    export(input) {
      const { environment, ...rest } = exported(input, ['--check', ...(input.secretive ? [] : ['--diff'])])
      return { ...rest, environment: { ...environment, CROWBAR_DRY_RUN: '1' } }
    },
    import: (end, input) => readOutcome<JigForeseen>(input.entry, () => foreseenOf(end, input)),
  },
}

function exported({ document, entry, content, work, results }: JigInput, mode: readonly string[]): JigExport {
  const { node } = crowbarPart(document)
  return {
    files: [
      { path: 'inventory/hosts.yml', mode: 0o600, text: inventory(document) },
      { path: 'inventory/group_vars/all.yml', mode: 0o600, text: Object.entries(topNames(document)).map(([key, value]) => `${quoted(key)}: ${flowYaml(value)}\n`).join('') },
      { path: 'ansible.cfg', mode: 0o600, text: '' },
      { path: 'callback/crowbar_result.py', mode: 0o600, text: ANSIBLE_CALLBACK },
    ],
    command: ['ansible-playbook', '--inventory', `${work}/inventory/hosts.yml`, '--limit', `${node},localhost`, ...mode, `${content}/${entry}`],
    environment: {
      ANSIBLE_CONFIG: `${work}/ansible.cfg`,
      ANSIBLE_HOME: `${work}/ansible`,
      ANSIBLE_LOCAL_TEMP: `${work}/ansible/tmp`,
      ANSIBLE_REMOTE_TEMP: `${work}/ansible/remote`,
      ANSIBLE_NOCOLOR: '1',
      ANSIBLE_DEPRECATION_WARNINGS: '0',
      ANSIBLE_RETRY_FILES_ENABLED: '0',
      // Its modules would tell the system's log what they were given.
      ANSIBLE_NO_TARGET_SYSLOG: '1',
      ANSIBLE_INVENTORY_ANY_UNPARSED_IS_FAILED: '1',
      ANSIBLE_PYTHON_INTERPRETER: '/usr/bin/python3',
      ANSIBLE_CALLBACK_PLUGINS: `${work}/callback`,
      ANSIBLE_CALLBACKS_ENABLED: 'crowbar_result',
      ANSIBLE_CALLBACK_WHITELIST: 'crowbar_result',
      ...Object.fromEntries(Object.entries(PLACES).map(([name, folder]) => [name, `${content}/${folder}`])),
      CROWBAR_RESULTS: results,
      CROWBAR_PROVIDES: `${results}/provides`,
      CROWBAR_FACTS: `${results}/facts`,
      CROWBAR_CONTENT: content,
    },
    path: [],
  }
}

const PLACES: Readonly<Record<string, string>> = {
  ANSIBLE_ROLES_PATH: 'roles',
  ANSIBLE_COLLECTIONS_PATH: 'collections',
  ANSIBLE_LIBRARY: 'library',
  ANSIBLE_FILTER_PLUGINS: 'filter_plugins',
  ANSIBLE_LOOKUP_PLUGINS: 'lookup_plugins',
}

function inventory(document: JigInput['document']): string {
  const { node, role, deployment, tags } = crowbarPart(document)
  const host = { [node]: { ansible_connection: 'local' } }
  const groups = new Set([role, deployment, ...tags].map((name) => name.replaceAll(/[^A-Za-z0-9_]/g, '_')).filter((name) => /^[A-Za-z_]/.test(name) && name !== 'all' && name !== 'ungrouped'))
  return `${JSON.stringify({ all: { hosts: host, children: Object.fromEntries([...groups].toSorted().map((name) => [name, { hosts: { [node]: {} } }])) } })}\n`
}

interface Told {
  readonly changed: number
  /** Of `set_stats`: each value as JSON of its own, or why it is none. */
  readonly provides: Readonly<Record<string, { readonly json: string } | { readonly problem: string }>>
  readonly failures: readonly { readonly task: string; readonly path: string; readonly message: string }[]
  readonly foreseen?: readonly (Foreseen & { readonly at: string })[]
}

function toldBy(files: JigEnd['files']): Told | undefined {
  const bytes = files.get('ansible.json')
  return bytes === undefined ? undefined : readJson(readText(bytes, 'ansible.json'), 'ansible.json') as unknown as Told
}

function outcomeOf({ exitCode, files, said }: JigEnd, { content, entry }: JigInput): JigOutcome {
  const told = toldBy(files)
  if (exitCode !== 0) {
    const [failure] = told?.failures ?? []
    const what = failure === undefined ? errorText(said) : `task '${failure.task}' (${failure.path}): ${failure.message}`
    return { kind: 'failed', code: 'JIG_EXIT', message: `${entry} ended with exit code ${exitCode}: ${what}`.replaceAll(`${content}/`, '') }
  }
  if (told === undefined) throw new ResultError('the playbook ended without a result; was its callback taken away?')
  const written = readValues(files, 'provides')
  const provided = Object.fromEntries(Object.entries(told.provides).map(([name, said]) => {
    if ('problem' in said) throw new ResultError(`${name} of set_stats holds ${said.problem}, which JSON does not have`)
    return [name, readValue(said.json, `${name} of set_stats`)]
  }))
  const twice = Object.keys(provided).find((name) => Object.hasOwn(written, name))
  if (twice !== undefined) throw new ResultError(`${twice} is provided both by set_stats and by a file`)
  return { kind: told.changed === 0 ? 'unchanged' : 'succeeded', provides: { ...provided, ...written }, facts: readValues(files, 'facts') }
}

/** A task that fails in check mode may only miss what tasks before it would have done. */
function foreseenOf({ exitCode, files, said }: JigEnd, { content, entry }: JigInput): JigForeseen {
  const told = toldBy(files)
  if (told === undefined) return { kind: 'failed', code: 'JIG_EXIT', message: `${entry} ended with exit code ${exitCode}: ${errorText(said)}`.replaceAll(`${content}/`, '') }
  const here = (path: string): string | null => (path === '' ? null : path.replace(`${content}/`, ''))
  const failures = told.failures.map(({ task, path, message }): Foreseen => ({ what: task, at: here(path), effect: 'unknown', detail: `it fails in a dry run, so what comes after it is not known: ${message}` }))
  return { kind: 'foreseen', foreseen: [...(told.foreseen ?? []).map(({ what, at, effect, detail }): Foreseen => ({ what, at: here(at), effect, detail })), ...failures] }
}

/** What Ansible says of a playbook that it cannot read, with its own file, line and column. */
function errorText(said: string): string {
  const lines = said.slice(Math.max(0, said.indexOf('ERROR'))).split('\n').map((line) => line.trim()).filter((line) => line !== '')
  const place = /'([^'\n]+)': line ([0-9]+), column ([0-9]+)/.exec(said)
  const text = lines.filter((line) => !line.includes('these are the errors we got') && !line.startsWith('JSON:') && !line.startsWith('The error appears')).slice(0, 2).join(' ')
  return `${place === null ? '' : `${place[1]}:${place[2]}:${place[3]}: `}${text.replace(/^ERROR!? ?:?/, '').trim()}`
}
