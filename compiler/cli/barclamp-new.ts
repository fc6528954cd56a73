import { chmodSync, existsSync, mkdirSync, readdirSync, writeFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { newBarclamp } from '../barclamp/new-barclamp.ts'
import { EXIT, misused } from './session.ts'

/** `crowbar barclamp new`: never writes over anything. */
export function barclampNewCommand(name: string, options: { readonly dir?: string }): number {
  if (!/^[a-z](?:[a-z0-9_-]{0,61}[a-z0-9])?$/.test(name)) return misused(`${JSON.stringify(name)} is no name of a barclamp: small letters, digits, - and _, beginning with a letter`)
  const dir = options.dir ?? name
  if (existsSync(dir) && readdirSync(dir).length > 0) {
    process.stderr.write(`crowbar: ${dir} is not empty\n`)
    return EXIT.fault
  }
  for (const { path, text, run } of newBarclamp(name)) {
    const file = join(dir, path)
    mkdirSync(dirname(file), { recursive: true })
    writeFileSync(file, text, { flag: 'wx' })
    if (run) chmodSync(file, 0o755)
  }
  process.stderr.write(`${dir} has a barclamp that works: \`crowbar barclamp test ${dir}\`\n`)
  return EXIT.done
}
