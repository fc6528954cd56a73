import type { Command } from 'commander'
import type { GcCommandOptions } from './gc.ts'
import type { StageArguments, StageStatusArguments } from './plan.ts'
import type { ProxyCommandOptions } from './proxy.ts'
import type { VerifyCommandOptions } from './verify.ts'

const DEFAULT_STORE = '/var/lib/crowbar/store'

/** Adds `crowbar stage` and the commands that look after what is staged. */
export function stageCommands(stage: Command, { finish, socketOption }: { readonly finish: (code: number) => void; readonly socketOption: readonly [string, string, string] }): void {
  const storeOption = ['--store <folder>', 'the store', process.env['CROWBAR_STORE'] ?? DEFAULT_STORE] as const
  const site = ['--site <dir>', 'the folder of the site, or its repository', '.'] as const
  const ref = ['--ref <rev>', 'a revision of the repository; default: the folder as it is now'] as const
  const format = ['--format <format>', 'text or json', 'text'] as const

  stage
    .description('fetch everything that a plan needs into the store: exactly what is locked, or else what the mirror has today')
    .option(...site)
    .option(...ref)
    .option(...storeOption)
    .option(...format)
    .addHelpText('after', '\nExample:\n  crowbar lock --update && crowbar stage\n\nInterrupted, it goes on where it was. Exit codes: 0 all is staged; 1 the site is at fault, or something could not be had.')
    .action(async (options: StageArguments) => finish(await (await import('./plan.ts')).stageCommand(options)))

  stage
    .command('status')
    .description('what a plan wants in the store, what is there, what misses, how large, from where; and how the agent\'s proxy does. Fetches nothing')
    .option(...site)
    .option(...ref)
    .option(...storeOption)
    .option(...format)
    .option(...socketOption)
    .addHelpText('after', '\nExample:\n  crowbar stage status --format json\n\nExit codes: 0 all is staged; 1 something is missing, or the site is at fault.')
    // What stands before `status` counts as what stands behind it does.
    .action(async (_: unknown, command: Command) => finish(await (await import('./plan.ts')).stageStatusCommand(command.optsWithGlobals<StageStatusArguments>())))

  stage
    .command('proxy')
    .description('serve sources through a cache, without an agent: for tests and for a machine that stages for others')
    .argument('<file...>', 'YAML files with source documents')
    .option(...storeOption)
    .option('--listen <address:port>', 'where clients ask', '127.0.0.1:3142')
    .option('--offline', 'ask no upstream: what is not in the store is an error')
    .option('--upstream-proxy <url>', 'ask upstreams through this proxy')
    .option('--connect <host:port...>', 'allow tunnels to these; nothing in them is checked or kept')
    .option('--max-age <seconds>', 'for how long what an upstream said of a repository counts as new', '30')
    .addHelpText('after', '\nExample:\n  crowbar stage proxy sources.yaml --store /srv/store --listen 192.168.124.10:3142')
    .action(async (sources: string[], options: Omit<ProxyCommandOptions, 'sources'>) => finish(await (await import('./proxy.ts')).proxyCommand({ ...options, sources })))

  stage
    .command('verify')
    .description('read all that is staged, and have again what is damaged')
    .option(...storeOption)
    .option('--offline', 'ask no upstream: only say what is damaged')
    .option('--upstream-proxy <url>', 'ask upstreams through this proxy')
    .option('--format <format>', 'text or json', 'text')
    .addHelpText('after', '\nExample:\n  crowbar stage verify --store /srv/store\n\nExit codes: 0 all is well, or was had again; 1 something is damaged.')
    .action(async (options: VerifyCommandOptions) => finish(await (await import('./verify.ts')).verifyCommand(options)))

  stage
    .command('gc')
    .description('take away what nobody used for a while and nothing leads to')
    .option(...storeOption)
    .option('--keep <file...>', 'plans, locks or other documents: what they name by its SHA-256 stays')
    .option('--grace <days>', 'what was used within so many days stays', '30')
    .option('--dry-run', 'say what would go, and take nothing')
    .option('--format <format>', 'text or json', 'text')
    .addHelpText('after', '\nExample:\n  crowbar stage gc --store /srv/store --keep plan.json site.lock.json --dry-run')
    .action(async (options: GcCommandOptions) => finish(await (await import('./gc.ts')).gcCommand(options)))
}
