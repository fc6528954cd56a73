import { isDeepStrictEqual } from 'node:util'
import { canonical } from '../../schemas/canonical.ts'
import { cfengineProblem } from '../../schemas/cfengine-value.ts'
import type { Json } from '../../schemas/shape.ts'
import type { Foreseen } from '../../schemas/foreseen.ts'
import { JigValueError } from './jig.ts'
import type { Jig, JigEnd, JigExport, JigForeseen, JigInput, JigOutcome } from './jig.ts'
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
  export: (input) => exported(input, []),
  import: outcomeOf,
  dryRun: { export: (input) => exported(input, ['--dry-run']), import: foreseenOf },
}

function exported({ document, entryText, content, work, results, secretive }: JigInput, mode: readonly string[]): JigExport {
  checkKept(document, [])
  const vars = { ...topNames(document), crowbar_content: content, crowbar_provides: `${results}/provides`, crowbar_facts: `${results}/facts` }
  return {
    files: [
      { path: 'inputs/policy.cf', mode: 0o600, text: entryText },
      { path: 'inputs/def.json', mode: 0o600, text: `${canonical({ vars })}\n` },
      ...(secretive ? [{ path: 'unlogged.sh', mode: 0o600, text: UNLOGGED } as const] : []),
    ],
    // Only its verbose lines say which promise, in which file and line, the others are about.
    command: [...(secretive ? ['unshare', '--mount', '--propagation', 'unchanged', 'sh', `${work}/unlogged.sh`, 'cf-agent'] as const : ['cf-agent'] as const), '--no-lock', '--verbose', '--color=never', ...mode, '--file', `${work}/inputs/policy.cf`],
    environment: { CROWBAR_CONTENT: content, CROWBAR_PROVIDES: `${results}/provides`, CROWBAR_FACTS: `${results}/facts` },
    path: ['/var/lib/cfengine3/bin'],
    hides: (line) => /^\s*(verbose|debug):/.test(line),
  }
}

/**
 * Runs a program for which there is no log of the system: cf-agent tells it every line that it writes, and only newer ones can
 * be told not to. What is mounted below other folders than that of the log's socket is there for everybody, as always.
 */
const UNLOGGED = `log=$(readlink -f /dev/log) && [ -S "$log" ] && {
  mount --make-private "$(findmnt -n -o TARGET -T "$log")" && mount --bind /dev/null "$log" || exit 70
}
exec "$@"
`

/** @throws {JigValueError} for what cf-agent would change. */
function checkKept(value: Json, path: readonly string[]): void {
  const problem = cfengineProblem(value, path.at(-1))
  if (problem !== undefined) throw new JigValueError(`${path.join('.')} ${problem}`)
  if (value !== null && typeof value === 'object') for (const [name, child] of Object.entries(value)) checkKept(child as Json, [...path, name])
}

/** What cf-agent leaves beside a file that it edits. */
const BACKUP = '.cf-before-edit'

/** A line that cf-agent said, and the promise during which it did. */
interface Said {
  readonly text: string
  readonly promise: { readonly type: string; readonly at: string | null } | undefined
}

/**
 * What cf-agent said beside its verbose lines. Those tell where a promise begins, by its handle, which has file and line
 * in it where the author gave none, and where it ends.
 */
function saidBy(said: string, { work, entry }: JigInput): readonly Said[] {
  const found: Said[] = []
  let promise: Said['promise']
  for (const line of said.replaceAll(`${work}/inputs/policy.cf`, entry).split('\n').map((one) => one.trim()).filter((one) => one !== '')) {
    if (!line.startsWith('verbose:')) {
      found.push({ text: line, promise })
      continue
    }
    const begun = /P: BEGIN promise '([^']*)' of type "([^"]*)"/.exec(line)
    const place = /source path '([^']*)' at line ([0-9]+)/.exec(line)
    if (begun !== null) {
      const own = /^promise_policy_cf_([0-9]+)$/.exec(begun[1] ?? '')
      promise = { type: begun[2] ?? '', at: own === null ? null : `${entry}:${own[1]}` }
    } else if (place !== null && promise !== undefined) promise = { ...promise, at: `${place[1]}:${place[2]}` }
    else if (/P: END /.test(line)) promise = undefined
  }
  return found
}

function isError({ text }: Said): boolean {
  return text.startsWith('error:') || /^\S+\.cf:[0-9]+:[0-9]+: error:/.test(text)
}

function outcomeOf({ exitCode, files, said }: JigEnd, input: JigInput): JigOutcome {
  const { entry } = input
  const lines = saidBy(said, input)
  const failure = failureOf(lines, { exitCode, entry })
  if (failure !== undefined) return { kind: 'failed', code: 'JIG_EXIT', message: failure }
  return readOutcome(entry, () => {
    const unchanged = !lines.some(({ text }) => text.startsWith('info:'))
    const left = new Map([...files].filter(([path]) => !path.endsWith(BACKUP)))
    return { kind: unchanged ? 'unchanged' : 'succeeded', provides: readValues(left, 'provides'), facts: readValues(left, 'facts') }
  })
}

/** The first errors and the promise that they are about; undefined when there are none. */
function failureOf(lines: readonly Said[], { exitCode, entry }: { readonly exitCode: number; readonly entry: string }): string | undefined {
  const errors = lines.filter(isError)
  if (exitCode === 0 && errors.length === 0) return undefined
  const about = errors[0]?.promise
  const where = about === undefined ? '' : `${about.type} promise${about.at === null ? '' : ` (${about.at})`}: `
  const what = errors.length === 0 ? lines.slice(-2) : errors.slice(0, 3)
  return `${entry}${exitCode === 0 ? '' : ` ended with exit code ${exitCode}`}: ${where}${what.map(({ text }) => text).join(' ')}`
}

/**
 * In a dry run each change is a warning, in other words in each version of cf-agent ("Should …", "Warning promised, need to …",
 * "… has permission"). What it says beside those is about the policy itself. A report changes nothing.
 */
function foreseenOf({ exitCode, said }: JigEnd, input: JigInput): JigForeseen {
  const { entry, results } = input
  const lines = saidBy(said, input)
  if (exitCode !== 0) return { kind: 'failed', code: 'JIG_EXIT', message: failureOf(lines, { exitCode, entry }) ?? entry }
  const foreseen = lines.flatMap((line): Foreseen[] => {
    const { text, promise } = line
    const what = `${promise?.type ?? 'a'} promise`
    if (isError(line)) return [{ what, at: promise?.at ?? null, effect: 'unknown', detail: text }]
    const would = /^warning: (?!Using the default value|Warnings encountered)(.*)/.exec(text)?.[1]
    return would === undefined || would.includes(`${results}/`) || promise?.type === 'reports' ? [] : [{ what, at: promise?.at ?? null, effect: 'change', detail: would }]
  })
  return { kind: 'foreseen', foreseen: foreseen.filter((one, i) => !isDeepStrictEqual(one, foreseen[i - 1])) }
}
