import { Command, CommanderError } from 'commander'
import { agentCommands } from '../agent/cli/cli.ts'
import { compilerCommands } from '../compiler/cli/cli.ts'
import manifest from '../package.json' with { type: 'json' }

const USAGE = 64
const BUG = 70

/**
 * Runs one command line and leaves its exit code in `process.exitCode`: 0 done · 1 the site, the input or the run is at
 * fault · 2 diff found changes · 3 refused by a policy, protection or missing approval · 4 stale or missing base ·
 * 64 wrong usage · 70 a bug of ours.
 */
export async function run(args: readonly string[]): Promise<void> {
  process.once('uncaughtException', bug)
  process.once('unhandledRejection', bug)
  // `crowbar plan | head` ends when head does.
  process.stdout.on('error', (cause: NodeJS.ErrnoException) => (cause.code === 'EPIPE' ? process.exit(0) : bug(cause)))
  const program = new Command('crowbar')
    .description('Turns a git repository that describes a cluster into a running cluster on bare metal.')
    .version(manifest.version, '-V, --version')
    .showHelpAfterError('(crowbar --help lists every command; crowbar COMMAND --help shows an example)')
    .configureHelp({ sortSubcommands: true })
    .exitOverride()
  const finish = (code: number): void => {
    process.exitCode = code
  }
  compilerCommands(program, finish)
  agentCommands(program, finish)
  try {
    if (args.length === 0) {
      program.outputHelp({ error: true })
      process.exitCode = USAGE
    } else await program.parseAsync(args, { from: 'user' })
  } catch (cause) {
    if (!(cause instanceof CommanderError)) bug(cause)
    else process.exitCode = cause.exitCode === 0 ? 0 : USAGE
  }
}

/** What nobody foresaw. It ends the process, for nothing is known about its state. */
function bug(cause: unknown): void {
  const text = cause instanceof Error ? `${cause.name}: ${cause.message}` : String(cause)
  process.stderr.write(`crowbar: this is a bug in Crowbar: ${text}\n`)
  if (process.env['CROWBAR_DEBUG'] === undefined) process.stderr.write('Run it again with CROWBAR_DEBUG=1 to see where.\n')
  else process.stderr.write(`${cause instanceof Error ? (cause.stack ?? '') : ''}\n${cause instanceof Error && cause.cause !== undefined ? `caused by ${String(cause.cause)}\n` : ''}`)
  process.exit(BUG)
}
