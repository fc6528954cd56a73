import { execute } from './execute.ts'

const BUG = 70

/** Runs one command line as this process, and leaves its exit code in `process.exitCode`; 70 is a bug of ours. */
export async function run(args: readonly string[]): Promise<void> {
  process.once('uncaughtException', bug)
  process.once('unhandledRejection', bug)
  // `crowbar plan | head` ends when head does.
  process.stdout.on('error', (cause: NodeJS.ErrnoException) => (cause.code === 'EPIPE' ? process.exit(0) : bug(cause)))
  try {
    process.exitCode = await execute(args)
  } catch (cause) {
    bug(cause)
  }
}

/** What nobody foresaw. It ends the process, for nothing is known about its state. */
function bug(cause: unknown): void {
  const text = cause instanceof Error ? `${cause.name}: ${cause.message}` : String(cause)
  process.stderr.write(`crowbar: this is a bug in Crowbar: ${text}\n`)
  if (process.env['CROWBAR_DEBUG'] === undefined) process.stderr.write('Run it again with CROWBAR_DEBUG=1 to see where.\n')
  else for (let at: unknown = cause; at instanceof Error; at = at.cause) process.stderr.write(`${at.stack ?? at.message}\n`)
  process.exit(BUG)
}
