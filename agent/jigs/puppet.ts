import { canonical } from '../../schemas/canonical.ts'
import type { Json } from '../../schemas/shape.ts'
import { crowbarPart } from './crowbar-part.ts'
import type { Jig, JigEnd, JigInput, JigOutcome } from './jig.ts'
import { readOutcome, readValues } from './read-values.ts'
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
  export({ document, entry, content, work, results }) {
    const { fqdn } = crowbarPart(document)
    return {
      files: [
        { path: 'hiera.yaml', mode: 0o600, text: `${canonical(HIERA)}\n` },
        { path: 'data/crowbar.json', mode: 0o600, text: `${canonical(hieraData(document))}\n` },
      ],
      command: [
        'puppet', 'apply', '--detailed-exitcodes', '--color=false', '--confdir', `${work}/puppet`, '--vardir', `${work}/var`,
        '--hiera_config', `${work}/hiera.yaml`, '--modulepath', `${content}/modules:/usr/share/puppet/modules`,
        ...(fqdn === '' ? [] : ['--certname', fqdn.toLowerCase()]), `${content}/${entry}`,
      ],
      environment: {
        FACTER_crowbar_provides: `${results}/provides`,
        FACTER_crowbar_facts: `${results}/facts`,
        FACTER_crowbar_content: content,
      },
      path: [],
    }
  },
  import: outcomeOf,
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

/** With `--detailed-exitcodes`: 0 nothing to do, 2 changed, 4 and 6 some resource failed, 1 it did not compile. */
function outcomeOf({ exitCode, files, said }: JigEnd, { content, entry, results }: JigInput): JigOutcome {
  if (exitCode !== 0 && exitCode !== 2) {
    // Facter calls it an error when it may not look into a corner of the machine.
    const errors = said.split('\n').filter((line) => /^(Error: (?!Facter:)|Could not\b)/.test(line)).slice(0, 2)
    const what = errors.length === 0 ? said.trim().split('\n').slice(-2).join(' ') : errors.join(' ')
    return { kind: 'failed', code: 'JIG_EXIT', message: `${entry} ended with exit code ${exitCode}: ${what}`.replaceAll(`${content}/`, '') }
  }
  return readOutcome(entry, () => {
    // A value that is provided is a file of this run, and no change of the node.
    const changed = exitCode === 2 && said.split('\n').some((line) => line.startsWith('Notice: /Stage') && !line.includes(`[${results}/`))
    return { kind: changed ? 'succeeded' : 'unchanged', provides: readValues(files, 'provides'), facts: readValues(files, 'facts') }
  })
}
