import type { Command } from 'commander'
import type { CreateArguments } from './create.ts'
import type { LoadArguments, VerifyArguments } from './read.ts'

const DEFAULT_DATA = '/var/lib/crowbar'

/** Adds the commands about bundles: all that a plan needs, and Crowbar itself, on one medium. */
export function bundleCommands(bundle: Command, finish: (code: number) => void): void {
  const format = ['--format <format>', 'text or json', 'text'] as const
  // One at a time: a list would take the files behind it for keys.
  const trust = ['--trust <key>', 'whose bundles are believed: a fingerprint (sha256:…), or a file with a public key; may be repeated', (one: string, all: readonly string[]) => [...all, one], [] as readonly string[]] as const
  bundle.description('everything that a plan needs, and Crowbar itself, on one medium for admin nodes without a network')

  bundle
    .command('create')
    .description('write a bundle of what is staged for a commit of a site')
    .argument('<out>', 'the file; with --volume-size what the names of the volumes begin with')
    .option('--site <dir>', "the site's repository", '.')
    .option('--ref <rev>', 'the commit; default: HEAD')
    .option('--since <bundle>', 'leave out what this earlier bundle has (any one of its volumes)')
    .option('--volume-size <size>', 'in files of at most so many bytes, or 700M, 4G')
    .option('--store <folder>', 'the store', process.env['CROWBAR_STORE'] ?? `${DEFAULT_DATA}/store`)
    .option('--key <file>', 'the ed25519 key to sign with (PKCS #8, PEM); made when it is not there', process.env['CROWBAR_BUNDLE_KEY'] ?? `${DEFAULT_DATA}/bundle.key`)
    .option(...trust)
    .option('--rehearsal', 'also what containers stand on, so that it can be rehearsed with `rehearse --nodes container` there')
    .option(...format)
    .addHelpText('after', '\nExample:\n  crowbar stage && crowbar bundle create /media/usb/site.bundle\n\nThe same input gives the same bytes. Exit codes: 0 written; 1 the site is at fault, or something is not staged; 3 it would carry a private key.')
    .action(async (out: string, options: CreateArguments) => finish(await (await import('./create.ts')).createCommand(out, options)))

  bundle
    .command('verify')
    .description('read bundles and hold every byte against what was signed; writes nothing')
    .argument('<bundle...>', 'the files of all their volumes')
    .option(...trust)
    .option(...format)
    .addHelpText('after', '\nExample:\n  crowbar bundle verify /media/usb/site.bundle --trust admin.pub\n\nExit codes: 0 all is well; 1 damaged or incomplete; 3 signed by a key that --trust does not name, or changed since.')
    .action(async (files: string[], options: VerifyArguments) => finish(await (await import('./read.ts')).verifyCommand(files, options)))

  bundle
    .command('show')
    .description('what a bundle says of itself, and who signed it')
    .argument('<bundle>', 'any of its volumes')
    .option(...format)
    .addHelpText('after', '\nExample:\n  crowbar bundle show /media/usb/site.bundle\n\nThe signature is checked; whether its key is the right one is for you to know.')
    .action(async (file: string, options: { format: string }) => finish(await (await import('./read.ts')).showCommand(file, options)))

  bundle
    .command('load')
    .description('put bundles into this machine: staged content, the site, and Crowbar; goes on where it was stopped')
    .argument('<bundle...>', 'the files of all their volumes')
    .option(...trust)
    .option('--data <folder>', "the agent's data folder", DEFAULT_DATA)
    .option('--store <folder>', 'the store; default: store in the data folder')
    .option('--repository <folder>', "the site's bare repository; made, or brought up to the bundle's commit", '/srv/git/site.git')
    .option('--program <folder>', 'where to install Crowbar', '/opt/crowbar')
    .option('--no-program', 'do not install it')
    .option(...format)
    .addHelpText('after', '\nExample:\n  crowbar bundle load /media/usb/site.bundle --trust sha256:4f0c…\n\nExit codes: 0 loaded; 1 damaged, incomplete, or no room; 3 not signed by a key that --trust names; 4 the bundle that it adds to was not loaded, or the repository here has gone another way.')
    .action(async (files: string[], options: LoadArguments) => finish(await (await import('./read.ts')).loadCommand(files, options)))
}
