import type { Command } from 'commander'
import type { ApplyOptions } from './apply.ts'
import type { ApproveOptions } from './approve.ts'
import type { LogsOptions } from './logs.ts'
import type { SocketOptions } from './order.ts'
import type { RehearseOptions } from './rehearse.ts'
import { bundleCommands } from './bundle/bundle.ts'
import { stageCommands } from './stage/stage.ts'

/** Where an agent's socket is unless said otherwise. */
const DEFAULT_SOCKET = '/var/lib/crowbar/control.sock'

/**
 * Adds the commands of the admin agent to the program. Each loads its own code only when it is called, so that the
 * compiler's commands do not pay for it. Every action resolves to the exit code.
 *
 * @param finish takes the exit code of the command that ran.
 */
export function agentCommands(program: Command, finish: (code: number) => void): void {
  const socketOption = ['--socket <path>', "the agent's control socket", process.env['CROWBAR_SOCKET'] ?? DEFAULT_SOCKET] as const

  program
    .command('agent')
    .description('run the admin agent until it is told to end')
    .requiredOption('--config <file>', 'its configuration: site repository, node, data folder')
    .addHelpText('after', '\nExample:\n  crowbar agent --config /etc/crowbar/agent.yaml')
    .action(async (options: { config: string }) => finish(await (await import('./agent.ts')).runAgent(options)))

  program
    .command('apply')
    .description('hand a commit to the agent, which compiles it itself, and follow the run')
    .option('--ref <rev>', 'the commit; default: the head of the branch that the agent follows')
    .option('--approve <id...>', 'approve a destructive step for the disks as they were seen, or the next pause of a rollout; globs are expanded once')
    .option('--target <glob...>', 'only these steps or nodes, and what they need')
    .option('--exclude <glob...>', 'not these steps or nodes, nor what needs them')
    .option('--dry-run [nodes]', 'say what would run and what would wait, and start nothing; with "nodes" the tools on the nodes say what each step would do there')
    .option('--no-follow', 'return when the run has started')
    .option(...socketOption)
    .option('--format <format>', 'text or json', 'text')
    .addHelpText('after', '\nExample:\n  crowbar apply --ref 9d03e77 --approve install@web\n\nExit codes: 0 complete, or nothing to do; 1 the site or the run is at fault, or machines are missing; 3 an approval or a word to a pause is missing, or protection or a policy refuses.')
    .action(async (options: ApplyOptions) => finish(await (await import('./apply.ts')).applyCommand(options)))

  program
    .command('status')
    .description('nodes, steps, what is waited for and why')
    .option(...socketOption)
    .option('--format <format>', 'text or json', 'text')
    .addHelpText('after', '\nExample:\n  crowbar status --format json')
    .action(async (options: SocketOptions) => finish(await (await import('./status.ts')).statusCommand(options)))

  program
    .command('nodes')
    .description('every node: machine, os, installation, address, what it does')
    .option(...socketOption)
    .option('--format <format>', 'text or json', 'text')
    .addHelpText('after', '\nExample:\n  crowbar nodes')
    .action(async (options: SocketOptions) => finish(await (await import('./nodes.ts')).nodesCommand(options)))

  program
    .command('why-not')
    .description('what a step waits for now, and what that waits for')
    .argument('<step>', 'a step id, as status shows it')
    .option(...socketOption)
    .option('--format <format>', 'text or json', 'text')
    .addHelpText('after', '\nExample:\n  crowbar why-not storage/osd@node7')
    .action(async (step: string, options: SocketOptions) => finish(await (await import('./why-not.ts')).whyNotCommand(step, options)))

  program
    .command('runs')
    .description('every run, the newest first: commit, state, times, how many steps ended how')
    .option(...socketOption)
    .option('--format <format>', 'text or json', 'text')
    .addHelpText('after', '\nExample:\n  crowbar runs --format json')
    .action(async (options: SocketOptions) => finish(await (await import('./runs.ts')).runsCommand(options)))

  program
    .command('approve')
    .description('approve waiting destructive steps for exactly the disks as they were seen, or let a rollout go on after its pause')
    .argument('<id...>', 'ids of steps or rollouts, or globs, for example install@db-*')
    .option('--seen <code...>', 'only what status showed under these codes; without, what waits now, on a terminal after asking')
    .option(...socketOption)
    .option('--format <format>', 'text or json', 'text')
    .addHelpText('after', '\nExample:\n  crowbar approve install@web --seen 5d0c1a0f3a1b2c4d\n  crowbar approve rollout/storage/osd\n\nExit codes: 0 approved; 1 nothing was approved; 4 what waits is not what was shown.')
    .action(async (steps: string[], options: ApproveOptions) => finish(await (await import('./approve.ts')).approveCommand(steps, options)))

  program
    .command('logs')
    .description('the event log, or what a step wrote')
    .argument('[step]', 'a step id: what its attempts wrote on the node')
    .option('--follow', 'go on as events come')
    .option('--after <seq>', 'only events after this one', '0')
    .option(...socketOption)
    .option('--format <format>', 'text or json', 'text')
    .addHelpText('after', '\nExample:\n  crowbar logs hello/hello-server@web')
    .action(async (step: string | undefined, options: LogsOptions) => finish(await (await import('./logs.ts')).logsCommand(step, options)))

  for (const [name, description] of [
    ['freeze', 'start nothing more and let every machine boot its own disk, also after a restart'],
    ['thaw', 'end a freeze'],
    ['cancel', 'let running steps end and start no more; a second time, stop what runs'],
  ] as const) {
    program
      .command(name)
      .description(description)
      .option(...socketOption)
      .addHelpText('after', `\nExample:\n  crowbar ${name}`)
      .action(async (options: { socket: string }) => finish(await (await import('./order.ts')).orderCommand(name, options)))
  }

  program
    .command('admit')
    .description('let a machine out of quarantine, or start from its disk again after it came up with another one')
    .argument('<machine>', 'a machine id, as status shows it')
    .option(...socketOption)
    .addHelpText('after', '\nExample:\n  crowbar admit m-e95bc41b47')
    .action(async (machine: string, options: { socket: string }) => finish(await (await import('./admit.ts')).admitCommand(machine, options)))

  program
    .command('join')
    .description('print /etc/crowbar/agent.json for a machine that is installed already and is to be this node, or for an admin node')
    .argument('<node>', 'a node whose os has install: joined, or an admin node that is to run roles')
    .option(...socketOption)
    .addHelpText('after', '\nExample:\n  crowbar join db1 | ssh db1 "install -D -m 0600 /dev/stdin /etc/crowbar/agent.json"')
    .action(async (node: string, options: { socket: string }) => finish(await (await import('./join.ts')).joinCommand(node, options)))

  program
    .command('rehearse')
    .description('build a virtual rack, apply the site to it, report, tear down')
    .argument('[site]', 'a site repository or folder', '.')
    .option('--nodes <kind>', 'qemu: machines that boot as hardware does; container: installed nodes, quicker', 'qemu')
    .option('--out <folder>', 'for event log, plan, changes and consoles; default: a new folder below ./rehearsals')
    .option('--keep-going <minutes>', 'give up after this many minutes', '30')
    .option('--disturb <what>', 'kill-agent@STEP+DELAY or power-cut:MACHINE@STEP+DELAY: goes wrong so long after the step began; may be repeated', (one: string, all: readonly string[]) => [...all, one], [] as readonly string[])
    .option('--identity <file>', 'an age identity that decrypts the secrets of the site; without it made-up values take their place')
    .option('--store <folder>', "what is staged; default: crowbar/store in the user's cache folder")
    .option('--offline', 'fetch nothing: what is not in the store is an error')
    .option('--hold', 'leave the rack up after the run, until Ctrl-C')
    .addHelpText('after', '\nExample:\n  crowbar rehearse site-examples/first-light --disturb kill-agent@install@web+20s')
    .action(async (site: string, options: RehearseOptions) => finish(await (await import('./rehearse.ts')).rehearseCommand(site, options)))

  stageCommands(program.command('stage'), { finish, socketOption })
  bundleCommands(program.command('bundle'), finish)

  program
    .command('rack', { hidden: true })
    .description('the inside of a rehearsal: process 1 of the rack')
    .argument('<order>')
    .action(async (order: string) => finish(await (await import('./rack.ts')).rackCommand(order)))
}
