import type { Command } from 'commander'
import type { GenerateArguments } from './change.ts'
import type { ReencryptArguments } from './reencrypt.ts'
import type { SecretArguments } from './rewriting.ts'

/** Adds `crowbar secret …`. Each loads its own code, and the cipher, only when it is called. */
export function secretCommands(program: Command, finish: (code: number) => void): void {
  const site = ['--site <dir>', 'the folder of the site', '.'] as const
  const format = ['--format <format>', 'text or json', 'text'] as const
  const length = ['--length <n>', 'characters; default: what a role in use says, else 32'] as const
  const alphabet = ['--alphabet <name>', 'alphanumeric, hex or base64; default: what a role in use says, else alphanumeric'] as const
  const secret = program
    .command('secret')
    .description('make, rotate and list the encrypted values of a site')
    .addHelpText('after', '\nValues are encrypted for the `recipients` of the site document; only the admin agent can decrypt them.\n\nExample:\n  crowbar secret generate && git add secrets && git commit -m "secrets"')

  secret
    .command('set')
    .description('give a secret a value, from standard input, a file, or the terminal')
    .argument('<path>', 'such as database/root')
    .option('--file <file>', 'read the value from there')
    .option('--exact', 'keep a newline at the end of a single line')
    .option(...site)
    .option(...format)
    .addHelpText('after', '\nThe value is never an argument: others could see it. Values of several lines are kept byte for byte.\n\nExample:\n  crowbar secret set tls/key --file key.pem')
    .action(async (path: string, options: SecretArguments & { file?: string; exact?: true }) => finish(await (await import('./change.ts')).setSecret(path, options)))

  secret
    .command('generate')
    .description('random values for all secrets that roles in use want generated and that have none; or for one')
    .argument('[path]', 'this one only')
    .option(...length)
    .option(...alphabet)
    .option(...site)
    .option(...format)
    .addHelpText('after', '\nNeeds no key, only the recipients of the site.\n\nExample:\n  crowbar secret generate')
    .action(async (path: string | undefined, options: GenerateArguments) => finish(await (await import('./change.ts')).generateSecrets(path, options)))

  secret
    .command('rotate')
    .description('another random value and version; the one before is kept for roles with `previous: true`')
    .argument('<path...>', 'such as database/root')
    .option(...length)
    .option(...alphabet)
    .option(...site)
    .option(...format)
    .addHelpText('after', '\nNeeds no key. Commit it, and every step that is given the secret runs again.\n\nExample:\n  crowbar secret rotate database/root && crowbar diff')
    .action(async (paths: string[], options: GenerateArguments) => finish(await (await import('./change.ts')).rotateSecrets(paths, options)))

  secret
    .command('forget')
    .description('let go of the value before: roles with `previous: true` get null for it')
    .argument('<path...>', 'such as database/root')
    .option(...site)
    .option(...format)
    .addHelpText('after', '\nUse it when a rotation is over, so that the former password lets nobody in any more.\n\nExample:\n  crowbar secret forget database/root')
    .action(async (paths: string[], options: SecretArguments) => finish(await (await import('./forget.ts')).forgetSecrets(paths, options)))

  secret
    .command('list')
    .description('secrets, versions, who uses them, what is missing, whom they are encrypted for')
    .option(...site)
    .option(...format)
    .addHelpText('after', '\nExample:\n  crowbar secret list --format json | jq -r \'.secrets[] | select(.version == null) | .path\'')
    .action(async (options: SecretArguments) => finish(await (await import('./list.ts')).listSecrets(options)))

  secret
    .command('reencrypt')
    .description('the same values and versions, encrypted for the recipients that the site names now')
    .argument('[path...]', 'default: all that are encrypted for others')
    .requiredOption('--identity <file>', 'an age identity that can decrypt them')
    .option('--all', 'also those that are encrypted for the right recipients')
    .option(...site)
    .option(...format)
    .addHelpText('after', '\nWho left could have read the old values: rotate them too.\n\nExample:\n  crowbar secret reencrypt --identity ~/identity.age')
    .action(async (paths: string[], options: ReencryptArguments) => finish(await (await import('./reencrypt.ts')).reencryptSecrets(paths, options)))

  secret
    .command('identity')
    .description('make a new age identity file and print its recipient')
    .argument('<file>', 'a file that is not there yet')
    .addHelpText('after', '\nExample:\n  crowbar secret identity /etc/crowbar/identity.age')
    .action(async (file: string) => finish(await (await import('./identity.ts')).makeIdentity(file)))
}
