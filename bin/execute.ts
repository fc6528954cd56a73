import { Command, CommanderError } from 'commander'
import { agentCommands } from '../agent/cli/cli.ts'
import { compilerCommands } from '../compiler/cli/cli.ts'
import manifest from '../package.json' with { type: 'json' }

/** Exit code for a command line that cannot be understood. */
export const USAGE = 64

/**
 * Carries out one command line.
 *
 * @returns the exit code: 0 done · 1 the site, the input or the run is at fault · 2 diff found changes · 3 refused by a
 * policy, protection or missing approval · 4 stale or missing base · 64 wrong usage.
 * @throws what nobody foresaw.
 */
export async function execute(args: readonly string[]): Promise<number> {
  let code = 0
  const finish = (value: number): void => {
    code = value
  }
  const program = new Command('crowbar')
    .description('Turns a git repository that describes a cluster into a running cluster on bare metal.')
    .version(manifest.version, '-V, --version')
    .showHelpAfterError('(crowbar --help lists every command; crowbar COMMAND --help shows an example)')
    .configureHelp({ sortSubcommands: true })
    .exitOverride()
  compilerCommands(program, finish, { resolveSets: async (sets, plan, held) => (await import('../agent/cli/resolve-sets.ts')).resolveSets(sets, plan, held) })
  agentCommands(program, finish)
  if (args.length === 0) {
    program.outputHelp({ error: true })
    return USAGE
  }
  try {
    await program.parseAsync(args, { from: 'user' })
    return code
  } catch (cause) {
    if (cause instanceof CommanderError) return cause.exitCode === 0 ? 0 : USAGE
    // A file or folder that was named and cannot be read or written is nobody's bug.
    if (!isFileError(cause)) throw cause
    process.stderr.write(`crowbar: ${cause.message}\n`)
    return 1
  }
}

function isFileError(cause: unknown): cause is NodeJS.ErrnoException {
  return cause instanceof Error && 'syscall' in cause && 'path' in cause && 'code' in cause && typeof cause.code === 'string'
}
