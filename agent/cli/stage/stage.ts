import type { Command } from 'commander'
import type { ProxyCommandOptions } from './proxy.ts'

const DEFAULT_STORE = '/var/lib/crowbar/store'

/** Adds the commands that look after what is staged. */
export function stageCommands(stage: Command, finish: (code: number) => void): void {
  const storeOption = ['--store <folder>', 'the store', process.env['CROWBAR_STORE'] ?? DEFAULT_STORE] as const

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
}
