import { canonical } from '../../schemas/canonical.ts'
import { crowbarPart } from './crowbar-part.ts'
import type { Foreseen } from '../../schemas/foreseen.ts'
import { JigValueError } from './jig.ts'
import type { Jig, JigEnd, JigExport, JigForeseen, JigInput, JigOutcome } from './jig.ts'
import { readOutcome, readValues } from './read-values.ts'

/**
 * Runs a recipe on the node itself, with `chef-solo`. Its entry is `cookbooks/<cookbook>/recipes/<recipe>.rb`.
 *
 * The step's document is the node's JSON: `node['<barclamp>']['<attribute>']`, `node['wants']`, `node['crowbar']`. All
 * cookbooks below `cookbooks/` are there. Values to provide: files in the folder `ENV['CROWBAR_PROVIDES']`. Debian has no
 * Chef: its programs have to be on the node already.
 */
export const chefJig: Jig = {
  name: 'chef',
  export: (input) => exported(input, []),
  import: outcomeOf,
  dryRun: { export: (input) => exported(input, ['--why-run']), import: foreseenOf },
}

function exported({ document, entry, content, work, results }: JigInput, mode: readonly string[]): JigExport {
  const match = /^(?:.*\/)?cookbooks\/([^/]+)\/recipes\/([^/]+)\.rb$/.exec(entry)
  if (match === null) throw new JigValueError('the entry of a chef role is cookbooks/<cookbook>/recipes/<recipe>.rb')
  const { fqdn } = crowbarPart(document)
  const folder = entry.slice(0, entry.indexOf('cookbooks/'))
  const solo = [
    `cookbook_path [${JSON.stringify(`${content}/${folder}cookbooks`)}]`, `file_cache_path ${JSON.stringify(`${work}/cache`)}`,
    `node_name ${JSON.stringify(fqdn === '' ? 'node' : fqdn)}`, "chef_license 'accept-no-persist'",
  ]
  return {
    files: [
      { path: 'solo.rb', mode: 0o600, text: `${solo.join('\n')}\n` },
      { path: 'node.json', mode: 0o600, text: `${canonical({ ...document, run_list: [`recipe[${match[1]}::${match[2]}]`] })}\n` },
    ],
    command: ['chef-solo', '--config', `${work}/solo.rb`, '--json-attributes', `${work}/node.json`, '--no-color', ...mode],
    environment: { CROWBAR_CONTENT: content, CROWBAR_PROVIDES: `${results}/provides`, CROWBAR_FACTS: `${results}/facts` },
    path: ['/opt/chef/bin', '/opt/cinc/bin'],
  }
}

function outcomeOf({ exitCode, files, said }: JigEnd, { content, entry }: JigInput): JigOutcome {
  if (exitCode !== 0) {
    return { kind: 'failed', code: 'JIG_EXIT', message: `${entry} ended with exit code ${exitCode}: ${fatalText(said)}`.replaceAll(`${content}/`, '') }
  }
  return readOutcome(entry, () => {
    const unchanged = / 0\/[0-9]+ resources updated/.test(said)
    return { kind: unchanged ? 'unchanged' : 'succeeded', provides: readValues(files, 'provides'), facts: readValues(files, 'facts') }
  })
}

/** In why-run mode a line `* resource action` is followed by `- Would …` for each thing that it would do. */
function foreseenOf({ exitCode, said }: JigEnd, { content, entry }: JigInput): JigForeseen {
  const foreseen: Foreseen[] = []
  let what = entry
  for (const line of said.split('\n')) {
    what = /^\s*\* (.+?) action /.exec(line)?.[1] ?? what
    const would = /^\s*- (Would .*)/.exec(line)?.[1]
    if (would !== undefined) foreseen.push({ what, at: null, effect: 'change', detail: would })
  }
  if (exitCode === 0) return { kind: 'foreseen', foreseen }
  return { kind: 'failed', code: 'JIG_EXIT', message: `${entry} ended with exit code ${exitCode}: ${fatalText(said)}`.replaceAll(`${content}/`, '') }
}

function fatalText(said: string): string {
  const at = said.lastIndexOf('FATAL:')
  return at < 0 ? said.trim().split('\n').slice(-2).join(' ') : (said.slice(at).split('\n')[0] ?? '')
}
