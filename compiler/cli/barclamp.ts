import type { Command } from 'commander'

/** Adds the commands about one barclamp by itself to the program; see `compilerCommands`. */
export function barclampCommands(program: Command, finish: (code: number) => void): void {
  const barclamp = program.command('barclamp').description('make, check, test and pack a barclamp')
  const format = ['--format <format>', 'text or json', 'text'] as const

  barclamp
    .command('new')
    .description('make a barclamp that works: a role, a script, a test case')
    .argument('<name>', 'its name')
    .option('--dir <dir>', 'the folder; default: the name')
    .addHelpText('after', '\nExample:\n  crowbar barclamp new notes --dir barclamps/notes && crowbar barclamp test barclamps/notes')
    .action(async (name: string, options: { dir?: string }) => finish((await import('./barclamp-new.ts')).barclampNewCommand(name, options)))

  barclamp
    .command('lint')
    .description('what is wrong with barclamps, or will puzzle who uses them')
    .argument('[dirs...]', 'their folders, or folders above them; default: this one')
    .option(...format)
    .addHelpText('after', '\nExample:\n  crowbar barclamp lint barclamps\n\nExit codes: 0 no errors; 1 errors.')
    .action(async (dirs: readonly string[], options: { format: string }) => finish((await import('./barclamp-lint.ts')).barclampLintCommand(dirs, options)))

  barclamp
    .command('test')
    .description("run a barclamp's own cases, in tests/*.yaml")
    .argument('[dir]', 'its folder', '.')
    .option(...format)
    .addHelpText('after', '\nExample:\n  crowbar barclamp test barclamps/notes\n\nExit codes: 0 all pass; 1 one fails, or there is none.')
    .action(async (dir: string, options: { format: string }) => finish((await import('./barclamp-test.ts')).barclampTestCommand(dir, options)))

  barclamp
    .command('package')
    .description('pack a barclamp as .tar.gz, .deb and .rpm; the same files give the same bytes')
    .argument('[dir]', 'its folder', '.')
    .option('--out <dir>', 'where they are written', '.')
    .option('--maintainer <text>', 'who the .deb says it is from', 'Crowbar barclamps <barclamps@example.com>')
    .addHelpText('after', '\nExample:\n  crowbar barclamp package barclamps/notes --out dist')
    .action(async (dir: string, options: { out: string; maintainer: string }) => finish((await import('./barclamp-package.ts')).barclampPackageCommand(dir, options)))
}
