import type { RoleDeclaration } from '../../schemas/documents/barclamp.ts'
import { own } from '../../schemas/own.ts'
import type { ResolvedBarclamp } from '../resolve/resolved-site.ts'

/** Why a role cannot run in the discovery image, and where it says so, below the role. */
export interface DiscoveryProblem {
  readonly pointer: readonly (string | number)[]
  readonly summary: string
  readonly fix: string
}

/** Jigs whose tool the discovery image has. */
const JIGS: ReadonlySet<string> = new Set(['script', 'exec', 'noop', 'test'])
/** What runs scripts there: busybox and Node. */
const INTERPRETERS: ReadonlySet<string> = new Set(['sh', 'ash', 'busybox', 'node'])
/** Endings of scripts without a `#!` line that something else would have to run. */
const ELSEWHERE: Readonly<Record<string, string>> = { bash: 'bash', py: 'python3', pl: 'perl', rb: 'ruby' }

/**
 * What keeps a role with the flag `discovery` from what the flag says: to run once in the discovery image, in memory, before
 * the node's system is written. Nothing of it is there afterwards, so it has no other actions; and the image has busybox,
 * Node and what an installation needs, and no packages.
 */
export function discoveryProblems(name: string, role: RoleDeclaration, barclamp: ResolvedBarclamp): readonly DiscoveryProblem[] {
  const problems: DiscoveryProblem[] = []
  const { jig = 'noop' } = role
  if (!JIGS.has(jig)) problems.push({ pointer: ['jig'], summary: `${name} runs in the discovery image, which has no ${jig}.`, fix: 'Write it as a shell script (`jig: script`) or a program of its own (`jig: exec`).' })
  if (Object.keys(role.packages ?? {}).length > 0) problems.push({ pointer: ['packages'], summary: `${name} runs in the discovery image, into which no packages are installed.`, fix: 'Put the program that it needs into the barclamp, as a file.' })
  for (const field of ['remove', 'check', 'drain', 'resume', 'upgrade', 'preview'] as const) {
    if (role[field] !== undefined) problems.push({ pointer: [field], summary: `${name} runs in the discovery image, before an installation, and \`${field}\` could never run.`, fix: `Take \`${field}\` away; what comes after the installation is for another role.` })
  }
  const other = role.flags?.findIndex((flag) => flag === 'bootstrap' || flag === 'service') ?? -1
  if (other >= 0) problems.push({ pointer: ['flags', other], summary: `${name} is \`discovery\` and \`${role.flags?.[other]}\`: admin nodes and other people's services have no discovery image.`, fix: 'Take one of the two flags away.' })
  const program = role.run === undefined ? undefined : interpreterOf(role.run, jig, barclamp)
  if (program !== undefined && !INTERPRETERS.has(program)) problems.push({ pointer: ['run'], summary: `${role.run} is run by ${program}, which the discovery image does not have.`, fix: 'Write it for /bin/sh (busybox) or /usr/bin/node, which are there.' })
  return problems
}

/** The program that runs an entry; undefined when that is the entry itself, or cannot be told. */
function interpreterOf(entry: string, jig: string, { files }: ResolvedBarclamp): string | undefined {
  if (jig !== 'script' && jig !== 'exec') return undefined
  const content = files.get(entry)?.content
  const [first = ''] = content === undefined ? [] : Buffer.from(content.subarray(0, 256)).toString('utf8').split('\n')
  if (first.startsWith('#!')) {
    const [program = '', argument] = first.slice(2).trim().split(/\s+/)
    const name = program.slice(program.lastIndexOf('/') + 1)
    return name === 'env' ? argument : name
  }
  return jig === 'exec' ? undefined : own(ELSEWHERE, /\.([a-z]+)$/.exec(entry)?.[1] ?? '')
}
