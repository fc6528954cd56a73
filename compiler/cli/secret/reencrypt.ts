import { readFileSync, statSync } from 'node:fs'
import { join } from 'node:path'
import { openSecret, readIdentities } from '../../../schemas/age.ts'
import { formerSecretFile, readLabel, secretFile } from '../../../schemas/secret-file.ts'
import { EXIT } from '../session.ts'
import { encrypt } from './encrypt.ts'
import { secretsOf } from './list.ts'
import { failed, rewriting } from './rewriting.ts'
import type { SecretArguments } from './rewriting.ts'
import { writeWhole } from './secret-folder.ts'

export interface ReencryptArguments extends SecretArguments {
  readonly identity: string
  /** Also what is encrypted for the right recipients already. */
  readonly all?: true
}

interface Outcome {
  readonly path: string
  readonly version: string
  /** null: it is encrypted anew. */
  readonly problem: string | null
}

/**
 * `crowbar secret reencrypt [PATH...]`: the same values and versions, for the recipients that the site names now. What
 * cannot be decrypted stays as it is.
 */
export async function reencryptSecrets(paths: readonly string[], options: ReencryptArguments): Promise<number> {
  const identities = await readIdentities(readFileSync(options.identity, 'utf8'))
  if (typeof identities === 'string') return failed(`${options.identity} is no age identity file: ${identities}`)
  if ((statSync(options.identity).mode & 0o077) !== 0) process.stderr.write(`crowbar: warning: others can read ${options.identity}; chmod 600 it\n`)
  return rewriting(paths, options, async (secrets) => {
    const outcomes: Outcome[] = []
    for (const { path, version, previous, stale } of secretsOf(secrets)) {
      if (version === null || (paths.length > 0 && !paths.includes(path)) || !(stale || options.all === true)) continue
      for (const each of previous === null ? [version] : [version, previous]) {
        const file = [formerSecretFile(path, each), secretFile(path)].find((one) => labelled(secrets.tree.files.get(one)?.bytes(), each))
        if (file === undefined) {
          outcomes.push({ path, version: each, problem: 'its file is not there' })
          continue
        }
        const opened = await openSecret(readFileSync(join(options.site, file)), identities)
        if (opened.kind === 'opened') writeWhole(options.site, join(options.site, file), await encrypt(opened.value, { path, version: each, recipients: secrets.recipients }))
        outcomes.push({ path, version: each, problem: opened.kind === 'opened' ? null : opened.message })
      }
    }
    return show(outcomes, secrets.format)
  })
}

function labelled(file: Uint8Array | undefined, version: string): boolean {
  return file !== undefined && readLabel(file)?.version === version
}

function show(outcomes: readonly Outcome[], format: 'text' | 'json'): number {
  const problems = outcomes.filter(({ problem }) => problem !== null)
  const done = outcomes.length - problems.length
  if (format === 'json') process.stdout.write(`${JSON.stringify(outcomes, null, 2)}\n`)
  else for (const { path, version, problem } of outcomes) process.stdout.write(`${path} ${version}  ${problem === null ? 'encrypted anew' : `stays as it is: ${problem}`}\n`)
  process.stderr.write(outcomes.length === 0 ? 'Everything is encrypted for the recipients of the site already.\n' : done === 0 ? '' : 'Commit what changed below secrets/. Nothing runs because of it: the versions are the same.\n')
  return problems.length === 0 ? EXIT.done : EXIT.fault
}
