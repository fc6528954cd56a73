import type { Command } from 'commander'
import { barclampCommands } from './barclamp.ts'
import type { CompileArguments } from './compile.ts'
import type { SiteArguments } from './compile-site.ts'
import type { DiffArguments } from './diff.ts'
import type { ImportArguments } from './import.ts'
import type { ResolveSets } from '../../schemas/artifacts.ts'
import type { LockArguments } from './lock.ts'
import type { ReplaceArguments } from './replace.ts'
import type { RewriteOptions } from './rewrite.ts'
import { secretCommands } from './secret/secret-commands.ts'

type RewriteArguments = Omit<RewriteOptions, 'format'> & { readonly format: string }

/**
 * Adds the compiler's commands to the program. Each loads its own code only when it is called. Every action resolves to
 * the exit code.
 *
 * @param finish takes the exit code of the command that ran.
 * @param options.resolveSets resolves packages, which takes a mirror and so is not the compiler's.
 */
export function compilerCommands(program: Command, finish: (code: number) => void, { resolveSets }: { readonly resolveSets: ResolveSets }): void {
  const site = ['--site <dir>', 'the folder of the site, or its repository', '.'] as const
  const ref = ['--ref <rev>', 'a revision of the repository; default: the folder as it is now'] as const

  program
    .command('init')
    .description('make a small working site repository')
    .argument('<dir>', 'a folder that is empty or not there yet')
    .option('--name <name>', "the site's name; default: the folder's")
    .addHelpText('after', '\nExample:\n  crowbar init austin && crowbar plan --site austin')
    .action(async (dir: string, options: { name?: string }) => finish((await import('./init.ts')).initCommand(dir, options)))

  program
    .command('validate')
    .description('report every problem of a site at once')
    .option(...site)
    .option(...ref)
    .option('--format <format>', 'text, json, sarif or github', 'text')
    .addHelpText('after', '\nExample:\n  crowbar validate --format github\n\nExit codes: 0 no errors; 1 errors.')
    .action(async (options: SiteArguments & { format: string }) => finish(await (await import('./validate.ts')).validateCommand(options)))

  program
    .command('plan')
    .description('print the whole desired state as ordered steps, every attribute injected')
    .option(...site)
    .option(...ref)
    .option('--frozen', 'fail if the lock would have to change')
    .option('--out <file>', 'save the plan there, to compare with later')
    .option('--format <format>', 'text, json, markdown, dot or html', 'text')
    .addHelpText('after', '\nExample:\n  crowbar plan --format json | jq .missing\n\nExit codes: 0 done; 1 the site is at fault; 4 the lock is stale (--frozen).')
    .action(async (options: SiteArguments & { frozen?: true; out?: string; format: string }) => finish(await (await import('./plan.ts')).planCommand(options)))

  program
    .command('diff')
    .description('what would change, and what that does to the nodes')
    .argument('[base]', 'a revision, a saved plan, or a ledger ref; default: what is applied (refs/crowbar/applied)')
    .argument('[head]', 'a revision or a saved plan; default: the folder as it is now')
    .option(...site)
    .option('--target <glob...>', 'only these steps or nodes, and what they need')
    .option('--exclude <glob...>', 'not these steps or nodes, nor what needs them')
    .option('--full', 'every node by itself, every value in full')
    .option('--max-bytes <n>', 'end the text after so many bytes')
    .option('--format <format>', 'text, json, markdown, github or html', 'text')
    .addHelpText('after', '\nExample:\n  crowbar diff main HEAD --format markdown\n\nExit codes: 0 nothing would change; 2 something would; 3 a policy or protection refuses it; 4 no such base; 1 the site is at fault.')
    .action(async (base: string | undefined, head: string | undefined, options: DiffArguments) => finish(await (await import('./diff.ts')).diffCommand(base, head, options)))

  program
    .command('explain')
    .description('say where a value comes from, or what a diagnostic means')
    .argument('<what>', 'NODE, NODE/ROLE, or the CODE of a diagnostic')
    .argument('[path]', 'an attribute, such as ntp.servers')
    .option(...site)
    .option(...ref)
    .option('--format <format>', 'text or json', 'text')
    .addHelpText('after', '\nExample:\n  crowbar explain web/hello-server hello.port\n  crowbar explain CLAIM_AMBIGUOUS')
    .action(async (what: string, path: string | undefined, options: SiteArguments & { format: string }) => finish(await (await import('./explain.ts')).explainCommand(what, path, options)))

  program
    .command('why')
    .description('what a step waits for in the plan, and who asked for it: the chain of needs back to the first step')
    .argument('<step>', 'the id of a step, or a glob; a node: its steps')
    .option(...site)
    .option(...ref)
    .option('--before <step>', 'the shortest chain of needs back to this step')
    .option('--format <format>', 'text, json or dot', 'text')
    .addHelpText('after', '\nExample:\n  crowbar why notes/notes-client@node2\n  crowbar why install@node1 --before discover@node1')
    .action(async (step: string, options: SiteArguments & { before?: string; format: string }) => finish(await (await import('./why.ts')).whyCommand(step, options)))

  program
    .command('fmt')
    .description('put documents into their one form: the order of fields, spacing; comments and meaning stay')
    .argument('[files...]', 'documents; default: all of the site')
    .option(...site)
    .option('--check', 'write nothing; exit 1 when a file would change')
    .addHelpText('after', '\nExample:\n  crowbar fmt\n  crowbar fmt --check nodes.yaml\n\nPrints the files that change. Exit codes: 0 done; 1 a file would change (--check), or was left as it is because it\ncould not be kept.')
    .action(async (files: readonly string[], options: { site: string; check?: true }) => finish(await (await import('./fmt.ts')).fmtCommand(files, options)))

  program
    .command('graph')
    .description('the steps of the plan and their needs as a graph, folded by role')
    .option(...site)
    .option(...ref)
    .option('--format <format>', 'dot, mermaid or json', 'dot')
    .addHelpText('after', '\nExample:\n  crowbar graph | dot -Tsvg > plan.svg')
    .action(async (options: SiteArguments & { format: string }) => finish(await (await import('./graph.ts')).graphCommand(options)))

  const rules = program.command('rules').description('which rules a machine meets, and why not the others')
  rules
    .command('trace')
    .description('of each rule: whether a machine meets it, which part of its condition decided, what it sets and what it lost')
    .argument('<what>', 'id, serial or MAC of a machine, or a node')
    .option(...site)
    .option(...ref)
    .option('--format <format>', 'text or json', 'text')
    .addHelpText('after', '\nExample:\n  crowbar rules trace 4XK2\n  crowbar rules trace compute-007')
    .action(async (what: string, options: SiteArguments & { format: string }) => finish(await (await import('./rules.ts')).rulesTraceCommand(what, options)))

  const os = program.command('os').description('operating systems that nodes can have')
  os
    .command('list')
    .description('the operating systems of the site and its barclamps: how they are installed, where their packages come from, which nodes have them')
    .option(...site)
    .option(...ref)
    .option('--format <format>', 'text or json', 'text')
    .addHelpText('after', '\nExample:\n  crowbar os list')
    .action(async (options: SiteArguments & { format: string }) => finish(await (await import('./os-list.ts')).osListCommand(options)))

  program
    .command('export')
    .description('the cluster as a configuration tool reads it, without what is secret or not known yet')
    .requiredOption('--to <tool>', 'ansible, ansible-json (a dynamic inventory), puppet, chef, salt, cfengine, hosts, ssh')
    .option('--out <dir>', 'an empty folder; default: standard output, when it is one file')
    .option(...site)
    .option(...ref)
    .addHelpText('after', '\nExample:\n  crowbar export --to ansible --out inventory && ansible-inventory -i inventory/hosts.yml --graph')
    .action(async (options: SiteArguments & { to: string; out?: string }) => finish(await (await import('./export.ts')).exportCommand(options)))

  program
    .command('import')
    .description('documents out of files of another tool, and a report of every value: mapped, kept as it is, or refused')
    .requiredOption('--from <format>', 'ansible, chef, crowbar1, facter, ohai, puppetdb, salt')
    .argument('<files...>', 'files, or folders with all below them')
    .option('--out <dir>', 'an empty folder to write the documents into; without it only the report is printed')
    .option('--network <name>', 'the network that addresses of hosts are on; without it they stay text')
    .option('--format <format>', 'of the report: text or json', 'text')
    .addHelpText('after', '\nExample:\n  crowbar import --from ansible inventory/hosts.ini --network admin --out imported-site\n\nExit codes: 0 every value was understood; 1 some were refused, or a file could not be read.')
    .action(async (files: readonly string[], options: ImportArguments) => finish((await import('./import.ts')).importCommand(files, options)))

  program
    .command('lock')
    .description('write site.lock.json: what must not move stays put')
    .option(...site)
    .option('--check', 'write nothing; exit 4 when the lock would change')
    .option('--update-barclamps', 'take the commits that the refs of barclamps from git are now')
    .option('--update [source...]', 'lock the packages that these sources have today, or all: writes artifacts/')
    .option('--dry-run', 'write nothing; print what would change')
    .option('--new', 'write one although the lock is lost and there is a ledger: as if nothing had run')
    .option('--rebind [what...]', 'decide anew: DEPLOYMENT/ROLE, NODE, or NODE:os, NODE:hardware, NODE:machine, NODE:disks; without names: list what no longer fits')
    .option('--merge <files...>', "merge as git's driver: BASE OURS THEIRS [PATH]; the result is written over OURS")
    .option('--format <format>', 'of what changes: text or json', 'text')
    .addHelpText('after', LOCK_HELP)
    .action(async (options: LockArguments & { merge?: readonly string[]; update?: true | readonly string[] }) =>
      finish(options.update !== undefined ? await (await import('./lock-update.ts')).lockUpdateCommand({ ...options, update: options.update }, resolveSets) : options.merge === undefined ? await (await import('./lock.ts')).lockCommand(options) : (await import('./lock-merge.ts')).lockMergeCommand(options.merge)))

  const dryRun = ['--dry-run', 'print what would be written, and write nothing'] as const
  const format = ['--format <format>', 'text or json', 'text'] as const
  const review = '\n\nWrites documents and the lock for review, and does nothing else: what is committed and applied acts.\n\nExit codes: 0 written; 1 the site is at fault, or would be; 3 the node is protected.'

  program
    .command('replace')
    .description('another machine for a node, which keeps its name, addresses and roles; written for review')
    .argument('<node>', 'the node')
    .option(...site)
    .option('--serial <serial>', 'the new machine, by its serial')
    .option('--mac <mac>', 'by a MAC address')
    .option('--uuid <uuid>', 'by its system UUID')
    .option('--asset <tag>', 'by its asset tag')
    .option('--retire', 'keep the machine so far from ever being claimed; without a new one that is so anyway')
    .option(...dryRun)
    .option(...format)
    .addHelpText('after', `\nExample:\n  crowbar replace db1 --serial 5XK9 --retire\n  crowbar replace compute-007${review}`)
    .action(async (node: string, options: ReplaceArguments) => finish(await (await import('./replace.ts')).replaceCommand(node, options)))

  program
    .command('reinstall')
    .description('install a node anew on its machine: raises its generation in the lock, for review')
    .argument('<node>', 'the node')
    .option(...site)
    .option(...dryRun)
    .option(...format)
    .addHelpText('after', `\nExample:\n  crowbar reinstall web-3 && git commit -m "web-3: install anew" site.lock.json${review}`)
    .action(async (node: string, options: RewriteArguments) => finish(await (await import('./reinstall.ts')).reinstallCommand(node, options)))

  program
    .command('release')
    .description('take a node out of the site: its document, its place in ranges and tables, and where it is listed; for review')
    .argument('<node>', 'the node')
    .option(...site)
    .option('--retire', 'keep its machine from ever being claimed again')
    .option(...dryRun)
    .option(...format)
    .addHelpText('after', `\nExample:\n  crowbar release compute-017 --dry-run${review}`)
    .action(async (node: string, options: RewriteArguments & { retire?: true }) => finish(await (await import('./release.ts')).releaseCommand(node, options)))

  program
    .command('compile')
    .description('write plan, changes, lock and files of one commit into a folder (what the admin agent runs)')
    .requiredOption('--site <repository>', 'the repository')
    .requiredOption('--ref <rev>', 'the commit')
    .requiredOption('--out <dir>', 'the folder; result.json says how it went')
    .option('--base <ref>', "the ledger's ref", 'refs/crowbar/applied')
    .option('--target <glob...>', 'only changes of these steps or nodes, and what they need')
    .option('--exclude <glob...>', 'no changes of these steps or nodes, nor what needs them')
    .addHelpText('after', '\nExample:\n  crowbar compile --site /srv/git/site.git --ref main --out /tmp/compiled\n\nExit codes: 0 done; 1 the site is at fault; 4 no lock while a ledger exists.')
    .action(async (options: CompileArguments) => finish(await (await import('./compile.ts')).compileCommand(options)))

  secretCommands(program, finish)

  barclampCommands(program, finish)

  program
    .command('schema')
    .description('print the JSON Schema of a kind of document, or of all of them, for editors')
    .argument('[kind]', 'site, node, network, …, barclamp-test, lock, machine-facts, plan, changes, diagnostic; default: any document')
    .addHelpText('after', '\nExample:\n  crowbar schema > .vscode/crowbar.schema.json')
    .action(async (kind: string | undefined) => finish((await import('./schema.ts')).schemaCommand(kind)))
}

const LOCK_HELP = `
Example:
  crowbar lock && git commit -m "lock" site.lock.json
  crowbar lock --rebind                          what no longer fits, and how it is named
  crowbar lock --rebind openstack/nova-compute   those that no longer match leave the role
  crowbar lock --update debian-bookworm          the versions of packages that its mirror has today
  git config merge.crowbar-lock.driver 'crowbar lock --merge %O %A %B %P'
                                                 once in a clone; .gitattributes says
                                                 site.lock.json merge=crowbar-lock

Exit codes: 0 done; 1 the site is at fault, or a person has to decide a merge;
3 the node is protected; 4 the lock would change (--check), or it is lost.`
