import { statSync } from 'node:fs'
import { join } from 'node:path'
import type { Diagnostic } from '../../../schemas/diagnostic.ts'
import { SECRET_PATH } from '../../../schemas/secret-file.ts'
import { bind } from '../../bind/bind.ts'
import { hasErrors } from '../../diagnostics/diagnostic.ts'
import { placeOf, rangeOf } from '../../parse/document.ts'
import { parse } from '../../parse/parse.ts'
import { resolve } from '../../resolve/resolve.ts'
import { readSecrets } from '../../resolve/secrets.ts'
import type { SecretIndex } from '../../resolve/secrets.ts'
import type { Tree } from '../../tree/tree.ts'
import { validate } from '../../validate/validate.ts'
import { gitTrees } from '../git-trees.ts'
import { collector, readBuiltin, readSite, tell } from '../session.ts'
import { recipientProblem } from './encrypt.ts'
import { secretUses } from './secret-uses.ts'
import type { SecretUser } from './secret-uses.ts'

/** What the commands about secrets know of a site. */
export interface SiteSecrets {
  readonly tree: Tree
  /** Who may decrypt; each can be encrypted for. */
  readonly recipients: readonly string[]
  readonly index: SecretIndex
  /** undefined: the site is at fault elsewhere, and `faults` says how. */
  readonly uses: ReadonlyMap<string, readonly SecretUser[]> | undefined
  readonly faults: readonly Diagnostic[]
}

/**
 * Reads the secrets of a site's folder. What is wrong elsewhere in the site is no reason against writing a secret.
 *
 * @returns undefined when there is no site to work on, no usable recipient or a broken index, which was said.
 */
export async function siteSecrets({ site: folder }: { readonly site: string }): Promise<SiteSecrets | undefined> {
  const { found, report } = collector()
  const tree = await readSite({ site: folder }, report)
  if (tree === undefined) return refuse(found, tree)
  if (tree.commit !== null || !isFolder(folder)) return complain(`${folder} is a bare repository: secrets are written into a working folder`)
  const site = validate(tree, parse(tree, report), report)
  if (site === undefined) return refuse(found, tree)
  const secrets = collector()
  const index = readSecrets(tree, secrets.report)
  if (secrets.found.some(({ code }) => code !== 'SECRET_MISSING')) return refuse(secrets.found, tree)
  const { value, source } = site.site
  const recipients = [...new Set(value.recipients ?? [])]
  if (recipients.length === 0) {
    return complain(`${placeOf(rangeOf(source, ['kind']))}: the site names nobody who may decrypt its secrets. On the admin node, \`crowbar secret identity /etc/crowbar/identity.age\` makes a key and prints its recipient; name that here:\n\n  recipients: [age1...]\n`)
  }
  for (const [i, recipient] of recipients.entries()) {
    const problem = recipientProblem(recipient)
    if (problem !== undefined) return complain(`${placeOf(rangeOf(source, ['recipients', i]))}: the recipient ${recipient} cannot be used: ${problem}`)
  }
  const resolved = hasErrors(found) ? undefined : resolve({ site, tree, builtin: readBuiltin(), gitTrees: gitTrees({ ask: 'pinned' }), secrets: index }, (one) => { if (!isAboutSecrets(one)) report(one) })
  const bound = resolved === undefined || hasErrors(found) ? undefined : bind(resolved, report)
  return { tree, recipients, index, uses: bound === undefined || hasErrors(found) ? undefined : secretUses(bound), faults: [...found, ...secrets.found] }
}

/** Whether a path can be one of a secret; if not, that is said. */
export function isSecretPath(path: string): boolean {
  if (new RegExp(SECRET_PATH).test(path)) return true
  process.stderr.write(`crowbar: ${JSON.stringify(path)} is no path of a secret: words of letters, digits, _, . and -, joined by /, such as database/root\n`)
  return false
}

/** A password that a BMC is to have and that is not made yet is what the command is for. */
function isAboutSecrets({ code }: Diagnostic): boolean {
  return code === 'SECRET_UNKNOWN' || code === 'SECRET_MISSING'
}

function isFolder(path: string): boolean {
  return statSync(path).isDirectory() && !statSync(join(path, 'HEAD'), { throwIfNoEntry: false })?.isFile()
}

function refuse(found: readonly Diagnostic[], tree: Tree | undefined): undefined {
  tell(found, tree)
  return undefined
}

function complain(message: string): undefined {
  process.stderr.write(`crowbar: ${message}\n`)
  return undefined
}
