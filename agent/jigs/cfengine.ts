import { canonical } from '../../schemas/canonical.ts'
import type { Json } from '../../schemas/shape.ts'
import { JigValueError } from './jig.ts'
import type { Jig, JigEnd, JigInput, JigOutcome } from './jig.ts'
import { readOutcome, readValues } from './read-values.ts'
import { topNames } from './top-names.ts'

/**
 * Runs a policy file on the node itself, with `cf-agent`.
 *
 * The step's document is there as variables of the bundle `def` (augments): `$(def.<barclamp>[<attribute>])` with `_` for
 * `-` in the barclamp's name, `def.wants`, `def.crowbar`. The policy is a copy beside its augments; other files of the
 * barclamp are below `$(def.crowbar_content)`. Values to provide: files in the folder
 * `$(def.crowbar_provides)`; `edit_line` ends each with a newline, so strings are best written as `<name>.json`. cf-agent
 * ends with 0 also when promises fail, so an error that it reports is a failure here.
 */
export const cfengineJig: Jig = {
  name: 'cfengine',
  export({ document, entryText, content, work, results }) {
    checkedFor(document, '')
    const vars = { ...topNames(document), crowbar_content: content, crowbar_provides: `${results}/provides`, crowbar_facts: `${results}/facts` }
    return {
      files: [
        { path: 'inputs/policy.cf', mode: 0o600, text: entryText },
        { path: 'inputs/def.json', mode: 0o600, text: `${canonical({ vars })}\n` },
      ],
      command: ['cf-agent', '--no-lock', '--inform', '--color=never', '--file', `${work}/inputs/policy.cf`],
      environment: { CROWBAR_CONTENT: content, CROWBAR_PROVIDES: `${results}/provides`, CROWBAR_FACTS: `${results}/facts` },
      path: ['/var/lib/cfengine3/bin'],
    }
  },
  import: outcomeOf,
}

/** cf-agent expands references in values too, again and again, and there is no way to quote one. */
function checkedFor(value: Json, path: string): void {
  if (typeof value === 'string' && /[$@][({]/.test(value)) throw new JigValueError(`${path} holds a reference in the language of CFEngine ($( or \${), which cf-agent would expand`)
  if (value !== null && typeof value === 'object') for (const [key, child] of Object.entries(value)) checkedFor(child as Json, path === '' ? key : `${path}.${key}`)
}

/** What cf-agent leaves beside a file that it edits. */
const BACKUP = '.cf-before-edit'

function outcomeOf({ exitCode, files, said }: JigEnd, { work, entry }: JigInput): JigOutcome {
  const lines = said.split('\n').map((line) => line.trim())
  const errors = lines.filter((line) => line.startsWith('error:') || /^\S+\.cf:[0-9]+:[0-9]+: error:/.test(line))
  if (exitCode !== 0 || errors.length > 0) {
    const places = lines.filter((line) => line.includes('/policy.cf:')).slice(0, 1)
    const what = [...places, ...(errors.length === 0 ? lines.filter((line) => line !== '').slice(-2) : errors.slice(0, 3))].join(' ')
    return { kind: 'failed', code: 'JIG_EXIT', message: `${entry}${exitCode === 0 ? '' : ` ended with exit code ${exitCode}`}: ${what}`.replaceAll(`${work}/inputs/policy.cf`, entry) }
  }
  return readOutcome(entry, () => {
    const unchanged = !lines.some((line) => line.startsWith('info:'))
    const left = new Map([...files].filter(([path]) => !path.endsWith(BACKUP)))
    return { kind: unchanged ? 'unchanged' : 'succeeded', provides: readValues(left, 'provides'), facts: readValues(left, 'facts') }
  })
}
